"""Pages that are made when the site is built: README as the start, other READMEs, the HTTP API, the settings.

The Markdown files stay readable where they lie; links between them are written here for the site.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
COPIES = {
    "index.md": "README.md",
    "past-listings.md": "rag_index/README.md",
    "model-card.md": "finetune/weights/README.md",
}
WIDE = "---\nhide: [navigation]\n---\n\n"
_NAMED = re.compile(r"(?<!\[)`((?:[\w.]+/)*[\w.-]+\.md)`")
_FENCE = re.compile(r"^(```.*?^```)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are no files below docs/."""
    sys.path.insert(0, str(ROOT))
    for name, source in COPIES.items():
        text = (ROOT / source).read_text(encoding="utf-8").replace("](docs/", "](")
        for page, file in COPIES.items():
            text = text.replace(f"]({file})", f"]({page})")
        files.append(File.generated(config, name, content=WIDE + text if name == "index.md" else text))
    made: dict[str, Callable[[], str]] = {"reference/http.md": http_page, "reference/settings.md": settings_page}
    for name, make in made.items():
        files.append(File.generated(config, name, content=make()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Where a text names another page in code type, the site has a link."""
    sources = {source: name for name, source in COPIES.items()}
    up = "../" * page.file.src_uri.count("/")

    def link(found: re.Match[str]) -> str:
        named = found[1]
        target = sources.get(named, named.removeprefix("docs/"))
        if files.get_file_from_path(target) is None or target == page.file.src_uri:
            return found[0]
        return f"[`{named}`]({up}{target})"

    parts = _FENCE.split(markdown)
    return "".join(part if part.startswith("```") else _NAMED.sub(link, part) for part in parts)


def http_page() -> str:
    """The OpenAPI document of the server as Markdown."""
    from fastapi import FastAPI

    from app.web import api_page, server

    app = FastAPI(title="IPL", version="1", description=server.DESCRIPTION)
    for router in server.ROUTERS:
        app.include_router(router)
    return _template("http.md.jinja", **api_page.contents(app.openapi()))


def settings_page() -> str:
    """Every setting of a server, from the fields themselves."""
    from app.settings import PREFIX, Settings

    rows = [
        {"name": PREFIX + name.upper(), "default": _default(field), "text": field.description or ""}
        for name, field in Settings.model_fields.items()
    ]
    return _template("settings.md.jinja", rows=rows)


def _default(field: Any) -> str:
    if field.default_factory is not None or field.default in (None, ""):
        return ""
    return f"`{field.default}`"


def _template(name: str, **values: Any) -> str:
    environment = Environment(loader=FileSystemLoader(HERE), trim_blocks=True, lstrip_blocks=True)
    environment.filters["cell"] = lambda text: " ".join(str(text).split()).replace("|", "\\|")
    return environment.get_template(name).render(**values)
