"""The site of the documentation: it builds without a warning, every link leads somewhere, nothing is fetched."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from app.cli import CommandError, develop
from app.settings import PREFIX, Settings
from app.web.api import health, v1

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
    develop.build_site(folder)
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Seen]:
    return {file: Seen(file.read_text(encoding="utf-8")) for file in site.rglob("*.html")}


def test_every_link_leads_to_a_page_and_a_place_on_it(pages: dict[Path, Seen]) -> None:
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


def test_a_link_that_leads_nowhere_stops_the_build(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("See [this](nowhere.md).", encoding="utf-8")
    (tmp_path / "mkdocs.yml").write_text("site_name: a site\n", encoding="utf-8")
    with pytest.raises(CommandError, match="could not be built"):
        develop.build_site(tmp_path / "out", tmp_path)
    assert "nowhere.md" in capsys.readouterr().err


def test_nothing_is_fetched_from_elsewhere(site: Path, pages: dict[Path, Seen]) -> None:
    outside = {what for page in pages.values() for what in page.fetched if urlsplit(what).netloc}
    assert outside == set()
    for sheet in site.rglob("*.css"):
        assert "url(http" not in sheet.read_text(encoding="utf-8"), sheet


def test_the_reference_has_every_route_setting_and_the_documented_modules(site: Path) -> None:
    http = (site / "reference" / "http.html").read_text(encoding="utf-8")
    for route in [r for r in (*v1.routes, *health.routes) if getattr(r, "include_in_schema", False)]:
        assert route.path in http  # type: ignore[attr-defined]
    settings = (site / "reference" / "settings.html").read_text(encoding="utf-8")
    assert all(PREFIX + name.upper() in settings for name in Settings.model_fields)
    listing = (site / "reference" / "listing.html").read_text(encoding="utf-8")
    assert "build_pipeline" in listing
    assert "where the embedded model and the index live" in listing  # the docstring's own words


def test_both_lists_name_the_same_packages() -> None:
    def lines(name: str) -> list[str]:
        found = (ROOT / name).read_text(encoding="utf-8").splitlines()
        return [x.partition("#")[0].strip() for x in found if x.startswith("mkdocs")]

    assert lines("requirements-docs.txt") == lines("requirements-dev.txt")
    assert lines("requirements-docs.txt")


@pytest.mark.parametrize("page", ["security.md", "operations.md"])
def test_the_tests_that_a_promise_names_are_there(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    named = re.findall(r"`((?:tests/)?[a-z_/]*test_[a-z0-9_]+\.py)?((?:::test_[a-z0-9_]+)?)`", text)
    assert len(named) > 10
    file = ""
    for name, function in named:
        file = name or file
        if not (name or function):
            continue
        path = ROOT / file
        assert path.is_file(), file
        if function:
            assert f"def {function[2:]}(" in path.read_text(encoding="utf-8"), f"{file}{function}"
