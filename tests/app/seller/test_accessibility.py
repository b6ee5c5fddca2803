"""No serious finding of axe-core and no small target in any state, and nothing jumps: phone, light; desktop, dark.

The colours are those of the theme and do not go by the width.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import httpx
import pytest

from tests.app.support.pages import (
    SMALL,
    Page,
    add,
    drawn,
    expect,
    facts,
    findings,
    more,
    price,
    publish,
    ready,
)
from tests.app.support.shop import DOUBTFUL
from tests.fakes import FakePipeline

pytestmark = pytest.mark.browser
MOST_SHIFT = 0.02
MOST_HEIGHT = 1500  # px of a phone's page: photos, texts, what only the seller knows, price, Publish
# Shifts as they count for CLS, once the tap on the button is answered.
SHIFTS = """async () => {
  for (const _ of [1, 2]) await new Promise(requestAnimationFrame);
  window.shifts = [];
  new PerformanceObserver((list) => { for (const { value, sources, hadRecentInput } of list.getEntries())
    if (!hadRecentInput) window.shifts.push({ value, moved: sources.map(({ node }) => node?.outerHTML?.slice(0, 80)) });
  }).observe({ type: 'layout-shift' });
}"""
OPENING = """window.shifts = [];
new PerformanceObserver((list) => { for (const { value, sources } of list.getEntries())
  window.shifts.push({ value, moved: sources.map(({ node }) => node?.outerHTML?.slice(0, 80)) });
}).observe({ type: 'layout-shift', buffered: true });"""


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
    more(page)
    page.get_by_label("Say more").fill("p")
    expect(page.locator("#s-adds button").first).to_be_visible()
    yield "words that are proposed"
    page.get_by_label("Say more").fill("")
    price(page).fill("-5")
    publish(page).click()
    expect(page.locator("#err-price [role=alert]")).to_be_visible()
    yield "an error at a field"
    price(page).fill("5")
    facts(page)
    expect(page.locator("#err-price [role=alert]")).to_be_hidden()  # what is below it has moved
    page.locator("#f-colour").click()
    expect(page.locator("#p-colour")).to_be_visible()
    yield "facts"


def listing_states(page: Page, url: str) -> Iterator[str]:
    """From that draft to a listing that a person has refused, and its form with an error."""
    publish(page).click()
    right = page.get_by_role("button", name="Right, publish")
    expect(right).to_be_visible()
    expect(page.locator(".bottom p")).to_be_focused()  # the next Tab is at what may leave the text
    yield "asked whether the marked words are right"
    right.click()
    expect(page.get_by_role("heading", name="It is online")).to_be_visible()
    yield "published"
    page.get_by_role("button", name="See my listings").click()
    item = page.locator(".item")
    expect(item).to_be_visible()
    yield "listings"
    item.get_by_role("button", name="Edit").click()
    item.get_by_label("Description").fill(DOUBTFUL)
    item.get_by_role("button", name="Save").click()
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
    item.get_by_role("button", name="Save").click()
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


def test_the_sign_in_form_and_the_description_of_the_api(serve: Any, open_page: Any) -> None:
    page = open_page()
    page.set_viewport_size({"width": 390, "height": 844})
    url = serve(FakePipeline(), sellers=("anna",))
    page.goto(url + "sign-in")
    expect(page.get_by_label("Password")).to_be_visible()
    assert findings(page) == []
    page.goto(url + "docs")
    assert findings(page) == []


def test_what_comes_first_stands_until_the_page_does(serve: Any, open_page: Any) -> None:
    page = open_page()
    answers = "**/gradio_api/run/**"
    page.route(answers, lambda _: None)  # Gradio's frame is drawn, and its first answer is not there
    with page.expect_request(answers):
        page.goto(serve(FakePipeline()))
    expect(page.locator(".gradio-container")).to_be_attached()
    expect(page.locator("[data-page]")).to_have_count(0)
    assert page.evaluate("document.elementFromPoint(180, 120).closest('#ipl-first') !== null")
    page.unroute(answers)  # lets it go on
    expect(page.locator("[data-page]")).to_be_attached()
    expect(page.locator("#ipl-first")).to_be_hidden()


@pytest.mark.parametrize(("size", "slower"), [("phone", 4), pytest.param("desktop", 1, marks=pytest.mark.nightly)])
def test_nothing_jumps(size: str, slower: int, serve: Any, visit: Any, files: list[str]) -> None:
    """Neither while a draft streams in nor when a page opens."""
    pipeline = FakePipeline(marked=True, delay=0.1, hold_at="category")
    url = serve(pipeline)
    page = visit(url, size)

    def check_shifts() -> None:
        drawn(page)
        shifts = page.evaluate("window.shifts")
        assert sum(shift["value"] for shift in shifts) < MOST_SHIFT, shifts

    add(page, files)
    page.locator("#ipl-write").click()
    for shown in (".work", "#t-title-live"):
        expect(page.locator(shown)).to_be_visible()
    expect(page.locator("#ipl-frame .drafted")).to_be_attached()  # hidden while the draft is written
    page.evaluate(SHIFTS)
    pipeline.go_on.set()
    expect(publish(page)).to_be_visible()
    check_shifts()
    if size == "phone":
        assert page.evaluate("document.documentElement.scrollHeight") <= MOST_HEIGHT
    draft = page.url
    page.get_by_role("button", name="My listings").click()
    expect(page.locator("[data-draft]")).to_be_visible()
    mine = page.url
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slower})
    page.add_init_script(OPENING)
    for place, address in ((".offer", url), ("#t-title", draft), ("[data-draft]", mine)):
        page.goto("about:blank")
        page.goto(address)
        expect(page.locator(place)).to_be_visible()
        ready(page)
        check_shifts()
