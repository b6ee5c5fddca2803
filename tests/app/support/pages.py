"""How a person moves on the pages in a browser, and what axe-core finds there. Everything waits for what it can see."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tests.app.support.clients import PASSWORD
from tests.app.support.local_servers import SLOW_MACHINE
from tests.fakes import jpeg

playwright = pytest.importorskip("playwright.sync_api")
axe_module = pytest.importorskip("axe_playwright_python.sync_playwright")
Page = playwright.Page

LOOK_MS = 450  # in which Playwright looks after 20 ms and then every 50
TWO_FRAMES = """async () => {
  for (const _ of [1, 2]) await new Promise(requestAnimationFrame);
  await new Promise((done) => setTimeout(done));
}"""
# Publishing without a price asks once for each draft.
ASKS_PRICE = """() => !document.querySelector("#price").value.trim()
  && window.iplState.unpriced !== document.querySelector("#ipl-draft-form [name=key]").value"""
# Controls that can be seen and are lower or narrower than 44 px; words within a sentence may be.
SMALL = """() => [...document.querySelectorAll('button, a, summary, select, input:not([type=hidden]):not([type=file])')]
  .filter((e) => e.checkVisibility({ visibilityProperty: true }) && e.getClientRects().length && !e.closest('.sr'))
  .filter((e) => { const b = e.getBoundingClientRect(), more = getComputedStyle(e, '::before');
    const grown = more.content !== 'none' && more.position === 'absolute' ? -2 * parseFloat(more.top) : 0;
    return Math.min(b.height, b.width) + grown < 43.5; })
  .map((e) => `small: ${e.outerHTML.slice(0, 120)}`)"""
# What moves and comes to an end has ended, and is on the screen.
DRAWN = """async () => {
  const ends = (a) => a.effect.getComputedTiming().endTime !== Infinity;
  await Promise.allSettled(document.getAnimations().filter(ends).map((a) => a.finished));
  for (const _ of [1, 2]) await new Promise(requestAnimationFrame);
}"""


class expect:
    """Playwright's ``expect``, which looks every 50 ms: waiting in one go it looks every 500 ms before long."""

    def __init__(self, what: Any) -> None:
        self._look = playwright.expect(what)

    def __getattr__(self, name: str) -> Any:
        look = getattr(self._look, name)

        def wait(*wanted: Any, timeout: float = SLOW_MACHINE, **options: Any) -> None:
            until = time.monotonic() + timeout / 1000
            while time.monotonic() < until:
                with suppress(AssertionError):
                    return look(*wanted, timeout=LOOK_MS, **options)
            look(*wanted, timeout=LOOK_MS, **options)

        return wait


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


def write(page: Page, files: list[str] | None = None) -> None:
    """Choose photos, press the button and wait for the finished draft."""
    if files:
        add(page, files)
    page.get_by_role("button", name="Write my listing").click()
    expect(publish(page)).to_be_visible()


def publish(page: Page) -> Any:
    """The publish button; there only when a draft is finished."""
    return page.get_by_role("button", name="Publish", exact=True)


def put_online(page: Page) -> None:
    """Press it, and once more where it asks for a price, and where it asks whether marked words are right."""
    asks, marked = page.evaluate(ASKS_PRICE), page.get_by_role("button", name="All of this is right").count()
    publish(page).click()
    if asks:
        page.get_by_role("button", name="Publish without a price").click()
    if marked:
        page.get_by_role("button", name="Right, publish").click()


def more(page: Page) -> None:
    """Open what is folded behind the price."""
    if not page.evaluate("window.iplState.open.has('more')"):
        page.locator("#h-more").click()
    expect(page.locator("details[data-keep=more]")).to_have_attribute("open", "")


def facts(page: Page) -> None:
    """Open the list of all facts."""
    more(page)
    if not page.evaluate("window.iplState.open.has('facts')"):  # a page that is drawn again opens it a moment later
        page.locator("#h-facts").click()
    expect(page.locator("details[data-keep=facts]")).to_have_attribute("open", "")


def title(page: Page) -> Any:
    return page.get_by_label("Title", exact=True)


def description(page: Page) -> Any:
    return page.get_by_label("Description", exact=True)


def price(page: Page) -> Any:
    return page.get_by_label("Price in EUR")


def note(page: Page) -> Any:
    return page.get_by_label("Anything a buyer should know?")


def size_question(page: Page) -> Any:
    return page.get_by_role("group", name="Which size is on the label?")


def listed(url: str, **fields: Any) -> dict[str, Any]:
    """A listing, published through the API."""
    draft = httpx.post(f"{url}v1/drafts", files={"photos": jpeg()}, timeout=60).json()["id"]
    listing: dict[str, Any] = httpx.post(f"{url}v1/listings", json={"draft_id": draft, **fields}, timeout=60).json()
    return listing


def listings(url: str) -> list[dict[str, Any]]:
    """What is published, by the API."""
    published: list[dict[str, Any]] = httpx.get(f"{url}v1/listings").json()["listings"]
    return published


def findings(page: Page) -> list[str]:
    """Serious and critical findings of axe-core that outlast the drawing, with the element."""
    options = {"resultTypes": ["violations"]}
    for _ in range(10):
        page.evaluate(DRAWN)
        found = [
            f"{v['id']}: {node['html'][:160]} ({node.get('failureSummary', '')[:200]})"
            for v in axe_module.Axe().run(page, options=options).response["violations"]
            if v["impact"] in ("serious", "critical")
            for node in v["nodes"]
        ]
        if not found:
            break
    return found
