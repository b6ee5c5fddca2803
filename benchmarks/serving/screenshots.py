"""Pictures of every state of the seller's page, phone and desktop, light and dark::

    python benchmarks/serving/screenshots.py FOLDER [NAME ...]

A stand-in pipeline plays the states, so that no model is needed and each run shows the same.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, Page, expect, sync_playwright  # noqa: E402

from app.services import Services  # noqa: E402
from app.settings import Settings  # noqa: E402
from app.setup.external_tools import find_chromium  # noqa: E402
from app.store.search_index import NoIndex  # noqa: E402
from tests.app.support.page_server import CHROMIUM_ARGS, served  # noqa: E402
from tests.fakes import FakeIndex, FakePipeline  # noqa: E402

PHOTOS = [str(ROOT / "demo" / name) for name in ("hoodie.jpg", "hoodie_label.jpg")]
SIZES = {"phone": (390, 844), "desktop": (1280, 900)}


def add(page: Page, files: list[str] | None = None) -> None:
    page.locator("input[type=file]").first.set_input_files(files or PHOTOS)
    expect(page.locator(".shot, .notice").last).to_be_visible()
    expect(page.locator(".shot")).to_have_count(len([f for f in files or PHOTOS if f.endswith(".jpg")]))


def write(page: Page, wait: str = "#ipl-draft .bottom") -> None:
    page.locator("#ipl-write").click()
    expect(page.locator(wait).first).to_be_visible(timeout=30_000)


def empty(page: Page) -> None:
    pass


def chosen(page: Page) -> None:
    add(page)
    page.get_by_label("Anything a buyer should know?").fill("Small pull at the left cuff. Smoke-free home.")


def refused(page: Page) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bad = Path(folder) / "notes.png"
        bad.write_text("not a photo")
        add(page, [*PHOTOS, str(bad)])
        expect(page.locator("#ipl-photos .notice")).to_be_visible()


def working(page: Page) -> None:
    chosen(page)
    write(page, "li[data-fact=material]")


def ready(page: Page) -> None:
    chosen(page)
    write(page)


def evidence(page: Page) -> None:
    ready(page)
    page.locator("#f-brand").click()
    page.locator("#f-brand").scroll_into_view_if_needed()


def locked(page: Page) -> None:
    ready(page)
    page.get_by_role("button", name="Yes, fleece").click()
    expect(page.locator("li[data-fact=material] .why")).to_have_text("you told us")


def stopped(page: Page) -> None:
    add(page)
    write(page, "[data-do=stop]")
    page.locator("[data-do=stop]").click()
    expect(page.locator("#ipl-status .notice.warn").last).to_be_visible()


def failed(page: Page) -> None:
    add(page)
    write(page, "#ipl-status .notice.bad")


def slow(page: Page) -> None:
    add(page)
    write(page, "#ipl-status .notice.warn")


def published(page: Page) -> None:
    ready(page)
    page.locator("#price").fill("15")
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_role("heading", name="It is online")).to_be_visible()


def mine(page: Page) -> None:
    published(page)
    page.get_by_role("button", name="See my listings").click()
    expect(page.locator(".item")).to_be_visible()


def mine_empty(page: Page) -> None:
    page.get_by_role("button", name="My listings").click()
    expect(page.get_by_text("Nothing here yet")).to_be_visible()


def deleting(page: Page) -> None:
    mine(page)
    page.locator(".item").get_by_role("button", name="Delete").first.click()


def editing(page: Page) -> None:
    mine(page)
    page.locator(".item").get_by_role("button", name="Edit").click()


@dataclass(frozen=True)
class State:
    """How a state comes about: the pipeline's manner, the settings, what a person does."""

    do: Callable[[Page], None]
    pipeline: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    index: Any = FakeIndex
    dark: bool = False


STATES = {
    "empty": State(empty),
    "chosen": State(chosen),
    "refused": State(refused),
    "working": State(working, {"delay": 0.4}),
    "slow": State(slow, {"delay": 1.0}, {"draft_seconds": 240.0}),
    "ready": State(ready),
    "evidence": State(evidence),
    "locked": State(locked),
    "outside": State(ready, {"in_range": False}),
    "no-retrieval": State(ready, {"in_range": False}, index=NoIndex),
    "failed": State(failed, {"fail_at": "attribute"}),
    "stopped": State(stopped, {"delay": 0.4}),
    "published": State(published),
    "mine": State(mine),
    "mine-empty": State(mine_empty),
    "editing": State(editing),
    "deleting": State(deleting),
}


def shoot(browser: Browser, name: str, state: State, size: str, folder: Path) -> None:
    """One picture: a fresh store, a fresh browser."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        services = Services(
            Settings(home=Path(home), **state.settings), pipeline=FakePipeline(**state.pipeline), index=state.index()
        )
        with served(services) as url:
            wide, high = SIZES[size]
            scheme = "dark" if state.dark else "light"
            context = browser.new_context(viewport={"width": wide, "height": high}, color_scheme=scheme)
            page = context.new_page()
            page.goto(url)
            expect(page.locator("#ipl-top header")).to_be_visible()
            state.do(page)
            page.mouse.move(0, 0)
            page.screenshot(path=folder / f"{name}-{size}-{scheme}.png", full_page=True, animations="disabled")
            if page.locator("[data-do=stop]").is_visible():
                page.locator("[data-do=stop]").click()
                expect(page.locator("[data-do=stop]")).to_have_count(0)
            context.close()
        services.close()


def main(folder: Path, names: list[str]) -> None:
    """All states, or those named; a name may end in ``-dark``."""
    folder.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=60_000)
    wanted = names or [*STATES, "empty-dark", "ready-dark", "mine-dark"]
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(find_chromium()), args=CHROMIUM_ARGS)
        for name in wanted:
            state = STATES[name.removesuffix("-dark")]
            for size in SIZES:
                shoot(browser, name.removesuffix("-dark"), replace(state, dark=name.endswith("-dark")), size, folder)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
