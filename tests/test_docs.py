"""The site of the documentation: it builds without a warning, every link leads somewhere, nothing is fetched."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from app.buyer import feed_page
from app.settings import PREFIX, Settings
from app.store import db, deletions, housekeeping, outbox
from app.web import connections, request_body, request_guard, server
from app.web.api import health, v1
from listing.batch import ray
from listing.intake.photos import PhotoLimits
from rag_index.storage import location

ROOT = Path(__file__).resolve().parents[1]
FETCHED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class Seen(HTMLParser):
    """Of a page: the ids on it, where its links lead, what a browser fetches for it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.ids.add(str(given["id"]))
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        if tag in FETCHED and given.get(FETCHED[tag]) and given.get("rel") not in ("canonical", "prev", "next"):
            self.fetched.append(str(given[FETCHED[tag]]))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    # NO_MKDOCS_2_WARNING: the theme's advertisement of what comes after it.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Seen]:
    return {file: Seen(file.read_text(encoding="utf-8")) for file in site.rglob("*.html")}


@pytest.mark.slow
def test_every_link_leads_to_a_place(pages: dict[Path, Seen]) -> None:
    assert len(pages) > 30
    lost = []
    for file, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or file.name == "404.html":
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            place = unquote(parts.fragment)
            if not target.exists() or (place and target in pages and place not in pages[target].ids):
                lost.append(f"{file.name}: {link}")
    assert lost == []


@pytest.mark.slow
def test_nothing_is_fetched_from_elsewhere(site: Path, pages: dict[Path, Seen]) -> None:
    outside = {what for page in pages.values() for what in page.fetched if urlsplit(what).netloc}
    assert outside == set()
    for sheet in site.rglob("*.css"):
        assert "url(http" not in sheet.read_text(encoding="utf-8"), sheet


@pytest.mark.slow
def test_the_reference_has_routes_settings_and_modules(site: Path) -> None:
    http = (site / "reference" / "http.html").read_text(encoding="utf-8")
    for route in [r for r in (*v1.routes, *health.routes) if getattr(r, "include_in_schema", False)]:
        assert route.path in http  # type: ignore[attr-defined]
    settings = (site / "reference" / "settings.html").read_text(encoding="utf-8")
    assert all(PREFIX + name.upper() in settings for name in Settings.model_fields)
    listing = (site / "reference" / "listing.html").read_text(encoding="utf-8")
    assert "build_pipeline" in listing
    assert "where the embedded model and the index live" in listing  # the docstring's own words


@pytest.mark.parametrize("page", ["operations.md", "security.md", "scale.md"])
def test_the_tests_that_a_promise_names_are_there(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    named = re.findall(r"`((?:tests/)?[a-z_/]*test_[a-z0-9_]+\.py)?((?:::test_[a-z0-9_]+)?)`", text)
    assert sum(map(any, named)) > 10
    file = ""
    for name, function in named:
        file = name or file
        if not (name or function):
            continue
        path = ROOT / file
        assert path.is_file(), file
        if function:
            assert f"def {function[2:]}(" in path.read_text(encoding="utf-8"), f"{file}{function}"


FIELDS = Settings.model_fields
NUMBERS = [
    ("operations.md", "`IPL_TRASH_DAYS` ({})", FIELDS["trash_days"].default),
    ("operations.md", "`IPL_RETENTION_DAYS` ({})", FIELDS["retention_days"].default),
    ("operations.md", "`IPL_LOG_DAYS` ({})", FIELDS["log_days"].default),
    ("operations.md", "`IPL_SHUTDOWN_SECONDS` ({})", FIELDS["shutdown_seconds"].default),
    ("operations.md", "`media/.trash` after {} minutes", housekeeping.STRAY_SECONDS / 60),
    ("operations.md", "small steps every {} minutes", server.TIDY_SECONDS / 60),
    ("operations.md", "looks every {} s whether it is back", server.CATCH_UP_SECONDS),
    ("operations.md", "waits {} s for a lock", db.BUSY_SECONDS),
    ("operations.md", "{} s for a connection", db.CONNECT_SECONDS),
    ("operations.md", "{} s for one of the server's own 15", db.POOL_SECONDS),
    ("operations.md", "the first call waits up to {} s", location.SERVER_SECONDS),
    ("operations.md", "left alone for {} s", location.QUIET_SECONDS),
    ("security.md", "{} s of silence in a body", request_body.SILENCE_SECONDS),
    ("security.md", "less than {} kB/s", request_body.MIN_BYTES_PER_SECOND / 1000),
    ("security.md", "Headers have {} s", connections.HEADER_SECONDS),
    ("security.md", "and {} kB", connections.MAX_HEADER_BYTES / 1000),
    ("security.md", "Of strangers {} bodies are received", connections.STRANGERS_BODIES),
    ("security.md", "photos of {} MB", (PhotoLimits().bytes + request_guard.MAX_FORM_BYTES) / 1e6),
    ("security.md", "{} pages a second", feed_page.LOGGED_PER_SECOND),
    ("security.md", "SQLite's file (up to {} MB)", deletions.MAX_COMPACTED_BYTES >> 20),
    ("security.md", "rewritten every {} minutes", server.TIDY_SECONDS / 60),
    ("security.md", "between {} and 4 at night", location.NIGHT_HOUR),
    ("security.md", "within {} hours of running", location.DAY_SECONDS / 3600 + server.TIDY_SECONDS / 3600),
    ("security.md", "waits at most {} s", outbox.WAIT_SECONDS),
    ("scale.md", "Up to {} rows", ray.MAX_BLOCKS),
    ("scale.md", "in a chunk of {}", ray.CHUNK),
]


@pytest.mark.parametrize(("page", "words", "number"), NUMBERS)
def test_numbers_on_pages_are_those_in_code(page: str, words: str, number: float) -> None:
    text = " ".join((ROOT / "docs" / page).read_text(encoding="utf-8").split())
    assert words.format(f"{number:,g}") in text


PACKAGES = ("app", "benchmarks", "finetune", "listing", "rag_index", "recommend", "tests")
PAGES = sorted(
    path
    for pattern in ("README.md", "docs/**/*.md", "*/README.md", "*/*/README.md")
    for path in ROOT.glob(pattern)
    if not path.relative_to(ROOT).parts[0].startswith((".", "out"))
)


@functools.cache
def python_files() -> list[str]:
    return [path.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*.py")]


def is_module(dotted: str) -> bool:
    """Whether a module of that name exists, or one that defines its last part (``listing.pipeline.build_pipeline``)."""
    path = ROOT.joinpath(*dotted.split("."))
    if path.with_suffix(".py").is_file() or path.is_dir():
        return True
    module, name = path.parent.with_suffix(".py"), path.name
    defines = rf"\b(?:def|class) {name}\b|^{name}\b"
    return module.is_file() and re.search(defines, module.read_text(encoding="utf-8"), re.MULTILINE) is not None


def dead_names(text: str, folder: Path) -> list[str]:
    """Python files and modules of this tree that a page names and that do not exist.

    A path counts from the root, from the page's folder, or from a folder that the same page names.
    """
    dead = []
    for name in sorted(set(re.findall(r"(?<![\w/.*])(?:[\w-]+/)*\w+\.py\b", text))):
        near = any(file.endswith(f"/{name}") and file.removesuffix(name) in text for file in python_files())
        if not ((ROOT / name).is_file() or (folder / name).is_file() or near):
            dead.append(name)
    dotted = re.findall(rf"(?<![\w./\"-])(?:{'|'.join(PACKAGES)})(?:\.[A-Za-z_]\w*)+(?!\w*[./(\"])", text)
    return dead + sorted({name for name in dotted if not name.endswith((".py", ".md")) and not is_module(name)})


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_file_and_module_named_exists(page: Path) -> None:
    assert dead_names(page.read_text(encoding="utf-8"), page.parent) == []


def test_a_name_that_is_gone_is_noticed() -> None:
    text = "`listing/tidy_up.py`, `gone.py`, `listing.nowhere`; `listing/lexicon.py`, `app.cli`, tests.fakes"
    assert dead_names(text, ROOT) == ["gone.py", "listing/tidy_up.py", "listing.nowhere"]


def test_every_benchmark_is_named_in_the_docs() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    unnamed = [
        file.name
        for file in (ROOT / "benchmarks").rglob("*.py")
        if file.parent.name != "peers"
        and "__main__" in file.read_text(encoding="utf-8")  # what the commands share is none
        and not re.search(rf"\bbenchmarks[\w./]*[./]{file.stem}\b", text)
    ]
    assert unnamed == []


def test_links_lead_to_files() -> None:
    links = [
        (page, link.partition("#")[0])
        for page in (*PAGES, ROOT / "CONTRIBUTING.md")
        for link in re.findall(r"\]\((?!https?:|#)([^)\s]+)\)", page.read_text(encoding="utf-8"))
    ]
    assert len(links) > 100
    assert [(page.name, link) for page, link in links if not (page.parent / link).is_file()] == []


def test_the_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    assert max(map(len, lines)) <= 120
