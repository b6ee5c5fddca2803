"""How a person moves on the page. Everything waits for what it can see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.app.support.page_server import PASSWORD, SLOW_MACHINE
from tests.fakes import FakePipeline, jpeg

playwright = pytest.importorskip("playwright.sync_api")
Page, Browser, expect = playwright.Page, playwright.Browser, playwright.expect

SIZES = {"phone": (390, 844), "desktop": (1280, 900)}
TWO_FRAMES = """async () => {
  for (const _ of [1, 2]) await new Promise(requestAnimationFrame);
  await new Promise((done) => setTimeout(done));
}"""
# Publishing without a price asks once for each draft.
ASKS_PRICE = """() => !document.querySelector("#price").value.trim()
  && window.iplState.unpriced !== document.querySelector("#ipl-draft-form [name=key]").value"""


@pytest.fixture
def pipeline() -> Any:
    """What writes the drafts; a test with the real model replaces this."""
    return FakePipeline()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens the page in a browser of its own (cookies are not shared); errors of scripts fail the test."""
    errors: list[str] = []
    with ExitStack() as stack:

        def _visit(url: str, size: str = "phone", *, seller: str | None = None, dark: bool = False) -> Page:
            width, height = SIZES[size]
            scheme = "dark" if dark else "light"
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
            stack.callback(context.close)
            context.set_default_timeout(SLOW_MACHINE)
            page = context.new_page()
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(url if seller is None else f"{url}sign-in")  # "/" leads strangers to the feed
            if seller is not None:
                sign_in(page, seller)
            ready(page)
            return page

        yield _visit
    assert not errors


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Two different photos as files."""
    paths = [tmp_path / "front.jpg", tmp_path / "label.jpg"]
    paths[0].write_bytes(jpeg())
    paths[1].write_bytes(jpeg((120, 40, 40), (400, 320)))
    return [str(p) for p in paths]


def ready(page: Page) -> None:
    """Wait until the page is drawn and hears what is pressed."""
    page.wait_for_function("() => window.iplState?.visits !== undefined")
    expect(page.locator("#ipl-top header")).to_be_visible()


def drawn(page: Page) -> None:
    """Let the browser draw what it has been sent, and tell its observers of it."""
    page.evaluate(TWO_FRAMES)


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    """Through the sign-in form."""
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def add(page: Page, files: list[str]) -> None:
    """Choose photos and wait until they are there."""
    before = page.locator(".shot").count()
    page.locator("#ipl-sell input[type=file]").set_input_files(files)
    expect(page.locator(".shot")).to_have_count(before + len(files))


def write(page: Page) -> None:
    """Press the button and wait for the finished draft."""
    page.get_by_role("button", name="Write my listing").click()
    expect(publish(page)).to_be_visible()


def publish(page: Page) -> Any:
    """The publish button; there only when a draft is finished."""
    return page.get_by_role("button", name="Publish", exact=True)


def put_online(page: Page) -> None:
    """Press it, and once more where it asks for a price."""
    asks = page.evaluate(ASKS_PRICE)
    publish(page).click()
    if asks:
        page.get_by_role("button", name="Publish without a price").click()


def facts(page: Page) -> None:
    """Open the list of all facts."""
    if not page.evaluate("window.iplState.open.has('facts')"):  # a page that is drawn again opens it a moment later
        page.locator("#h-facts").click()
    expect(page.locator("details[data-keep=facts]")).to_have_attribute("open", "")
