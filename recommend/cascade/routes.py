"""``feed.yaml``: which models serve in each stage, one or two with their shares of the visitors.

It is the only place that says so. Servers watch it; a file that cannot be used changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from recommend.config import ConfigError

ROLES = ("pre_ranking", "ranking", "conversion", "ads", "posts")
FILE = "feed.yaml"
HEAD = "# What serves in each stage, and for which share of the visitors: docs/feed.md\n"


class Entry(BaseModel):
    """A model of a stage; ``share``: of the visitors that it answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str
    version: str
    share: float = Field(default=1.0, gt=0, le=1)


Stage = Annotated[tuple[Entry, ...], Field(max_length=2)]


class Routes(BaseModel):
    """The models of each stage; a stage without one goes the simpler way."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    pre_ranking: Stage = ()
    ranking: Stage = ()
    conversion: Stage = ()
    ads: Stage = ()
    posts: Stage = ()

    @field_validator("*", mode="before")
    @classmethod
    def _nothing(cls, entries: Any) -> Any:
        return entries or ()

    @field_validator("*")
    @classmethod
    def _whole(cls, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        total = sum(entry.share for entry in entries)
        if entries and abs(total - 1) > 1e-6:
            raise ValueError(f"the shares sum to {total:g} instead of 1")
        if len({entry.version for entry in entries}) < len(entries):
            raise ValueError(f"version {entries[0].version} stands there twice")
        return entries

    def of(self, role: str) -> tuple[Entry, ...]:
        """The entries of a stage."""
        entries: tuple[Entry, ...] = getattr(self, role)
        return entries


def read_routes(path: Path) -> Routes:
    """The routes of a file.

    Raises:
        ConfigError: it cannot be read, or is against the schema.
    """
    try:
        # Every scalar as text: version 0010 is a name, and no number.
        return Routes.model_validate(yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader) or {})
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc']))}: {first['msg'].removeprefix('Value error, ')}"
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        reason = f"line {line}: {error.problem}"
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
    except (ValueError, yaml.YAMLError):
        reason = "it is no text of YAML"
    raise ConfigError(f"{path.name} cannot be used ({reason})")


def write_routes(path: Path, routes: Routes) -> None:
    """Replace the file in one step."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(HEAD + yaml.safe_dump(routes.model_dump(mode="json"), sort_keys=False), encoding="utf-8")
    draft.replace(path)


def answering(role: str, shares: Sequence[float], visitor: int) -> int:
    """Which of the entries with these shares answers a visitor: always the same one, drawn apart for each stage.

    A share of the second one that grows takes visitors from the first, and gives none back.
    """
    if len(shares) < 2:
        return 0
    drawn = int.from_bytes(blake2b(f"{role} {visitor}".encode(), digest_size=8).digest()) / 2**64
    return int(drawn < shares[1])
