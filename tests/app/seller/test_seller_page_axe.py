"""No serious finding of axe-core and no small target in any state: on a phone in the light, on a desktop in the dark.

The colours are those of the theme and do not go by the width.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import httpx
import pytest

from tests.app.market.test_reviews import DOUBTFUL
from tests.app.seller.conftest import Page, add, expect, facts, publish
from tests.fakes import FakePipeline

pytestmark = pytest.mark.browser
axe_module = pytest.importorskip("axe_playwright_python.sync_playwright")
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


def findings(page: Page) -> list[str]:
    """Serious and critical findings that outlast the drawing, with the element."""
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


def draft_states(page: Page, pipeline: FakePipeline, files: list[str]) -> Iterator[str]:
    """From an empty page to a draft with everything open; each name stands for what is on the screen then."""
    yield "empty"
    add(page, files)
    yield "photos"
    pipeline.hold_at = "text"
    page.locator("#ipl-write").click()
    expect(page.locator("[role=progressbar]")).to_be_visible()
    yield "drafting"
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped before the draft was done")).to_be_visible()
    pipeline.go_on.set()
    yield "stopped"
    page.locator("#ipl-write").click()
    expect(page.locator(".ask").first).to_be_visible()
    yield "marked words and questions"
    page.locator(".title mark", has_text="Navy").click()
    yield "a word that is opened"
    page.get_by_label("Say more").fill("p")
    expect(page.locator("#s-adds button").first).to_be_visible()
    yield "words that are proposed"
    page.get_by_label("Say more").fill("")
    page.get_by_label("Price in EUR").fill("-5")
    publish(page).click()
    expect(page.locator("#err-price [role=alert]")).to_be_visible()
    yield "an error at a field"
    page.get_by_label("Price in EUR").fill("5")
    facts(page)
    expect(page.locator("#err-price [role=alert]")).to_be_hidden()  # what is below it has moved
    page.locator("#f-colour").click()
    expect(page.locator("#p-colour")).to_be_visible()
    yield "facts"


def listing_states(page: Page, url: str) -> Iterator[str]:
    """From that draft to a listing that a person has refused, and its form with an error."""
    publish(page).click()
    expect(page.get_by_role("heading", name="It is online")).to_be_visible()
    yield "published"
    page.get_by_role("button", name="See my listings").click()
    item = page.locator(".item")
    expect(item).to_be_visible()
    yield "listings"
    item.get_by_role("button", name="Edit").click()
    item.get_by_label("Description").fill(DOUBTFUL)
    item.get_by_role("button", name="Save changes").click()
    expect(item.locator(".review")).to_be_visible()
    yield "waits for a person"
    (waiting,) = httpx.get(f"{url}v1/reviews").json()["reviews"]
    refuse = {"version": waiting["version"], "reason": "No alcohol, please."}
    assert httpx.post(f"{url}v1/reviews/{waiting['listing_id']}/refuse", json=refuse).status_code == 204
    page.get_by_role("button", name="My listings").click()
    expect(item).to_contain_text("No alcohol, please.")
    yield "refused"
    item.get_by_role("button", name="Edit").click()
    item.get_by_label("Price").fill("-5")
    item.get_by_role("button", name="Save changes").click()
    expect(item.locator(".err [role=alert]")).to_be_visible()
    item.get_by_role("button", name="Delete", exact=True).click()
    yield "editing and deleting"


@pytest.mark.parametrize(("size", "dark"), [("phone", False), ("desktop", True)])
def test_every_state(size: str, dark: bool, serve: Any, visit: Any, files: list[str]) -> None:
    pipeline = FakePipeline(marked=True)
    url = serve(pipeline)
    page = visit(url, size, dark=dark)
    expect(page.locator("body.dark")).to_have_count(int(dark))
    states = chain(draft_states(page, pipeline, files), listing_states(page, url))
    seen = {state: findings(page) + page.evaluate(SMALL) for state in states}
    assert {state: lines for state, lines in seen.items() if lines} == {}


def test_the_sign_in_form(serve: Any, browser: Any) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(serve(FakePipeline(), sellers=("anna",)) + "sign-in")
    expect(page.get_by_label("Password")).to_be_visible()
    assert findings(page) == []
    context.close()
