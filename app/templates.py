"""Templates of all pages. Autoescape is on: whatever a person or a model wrote is shown, never executed."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


@lru_cache(maxsize=8)
def _environment(folder: Path) -> Environment:
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(file: Path, **values: Any) -> str:
    """The template filled with values; a name that it uses and is not given is an error."""
    return _environment(file.parent).get_template(file.name).render(**values)
