"""What the page shows when something waits, fails or attacks, and that a draft is shown while it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from app.store.search_index import NoIndex
from tests.app.seller.conftest import SIZES, add, drawn, expect, facts, publish, put_online, ready, write
from tests.app.support.page_server import served
from tests.fakes import FakePipeline

pytestmark = pytest.mark.browser
MOST_SHIFT = 0.05
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
PASTE = """async () => {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 300;
  const draw = canvas.getContext('2d');
  draw.fillStyle = '#246'; draw.fillRect(0, 0, 300, 300); draw.fillStyle = '#fff'; draw.fillRect(40, 40, 90, 60);
  const blob = await new Promise((done) => canvas.toBlob(done, 'image/png'));
  const box = new DataTransfer();
  box.items.add(new File([blob], 'pasted.png', { type: 'image/png' }));
  document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: box, bubbles: true, cancelable: true }));
}"""
ATTACK = "<img src=x onerror='window.hit=1'><script>window.hit=1</script>${window.hit=1}{{7*7}}"


def test_the_second_seller_sees_the_line_and_the_page_answers(serve: Any, visit: Any, files: list[str]) -> None:
    pipeline = FakePipeline(hold_at="draft")
    url = serve(pipeline, sellers=("anna", "ben"))
    anna, ben = visit(url, seller="anna"), visit(url, seller="ben")
    add(anna, files)
    add(ben, files)
    anna.get_by_role("button", name="Write my listing").click()
    expect(anna.locator("#t-title-live")).to_have_text("Navy hoodie with zip")  # is not held back until all is known
    ben.get_by_role("button", name="Write my listing").click()
    expect(ben.locator("#ipl-status")).to_contain_text("You are second in line")
    ben.get_by_role("button", name="My listings").click()
    expect(ben.get_by_text("Nothing published yet")).to_be_visible()
    pipeline.go_on.set()
    ben.get_by_role("button", name="Sell", exact=True).click()
    expect(publish(anna)).to_be_visible()
    expect(publish(ben)).to_be_visible()


@pytest.mark.parametrize("size", SIZES)
def test_nothing_jumps_while_the_draft_streams(size: str, serve: Any, visit: Any, files: list[str]) -> None:
    pipeline = FakePipeline(marked=True, delay=0.1, hold_at="category")
    page = visit(serve(pipeline), size)
    add(page, files)
    page.locator("#ipl-write").click()
    for shown in (".work", "#t-title-live", "#ipl-frame .drafted"):
        expect(page.locator(shown)).to_be_visible()
    page.evaluate(SHIFTS)
    pipeline.go_on.set()
    expect(publish(page)).to_be_visible()
    drawn(page)
    shifts = page.evaluate("window.shifts")
    assert sum(shift["value"] for shift in shifts) < MOST_SHIFT, shifts


@pytest.mark.parametrize(("size", "slower"), [("phone", 4), ("desktop", 1)])
def test_nothing_jumps_when_the_page_opens(size: str, slower: int, serve: Any, visit: Any, files: list[str]) -> None:
    url = serve(FakePipeline(marked=True))
    page = visit(url, size)
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slower})
    page.add_init_script(OPENING)

    def check_opening(place: str, address: str = "") -> None:
        page.goto("about:blank")
        page.goto(address or url)
        expect(page.locator(place)).to_be_visible()
        ready(page)
        drawn(page)
        shifts = page.evaluate("window.shifts")
        assert sum(shift["value"] for shift in shifts) < MOST_SHIFT, shifts

    check_opening("#ipl-title")
    add(page, files)
    write(page)
    draft = page.url
    check_opening(".offer")
    check_opening("#t-title", draft)
    page.get_by_role("button", name="My listings").click()
    expect(page.locator("[data-draft]")).to_be_visible()
    check_opening("[data-draft]", page.url)


def test_an_answer_that_comes_late_brings_nothing_old_back(serve: Any, visit: Any, files: list[str]) -> None:
    pipeline = FakePipeline(hold_at="text")
    page = visit(serve(pipeline))
    add(page, files)
    page.locator("#ipl-write").click()
    expect(page.locator("#t-title-live")).to_have_text("Hoodie")
    page.get_by_role("button", name="My listings").click()
    expect(page.get_by_text("Nothing published yet")).to_be_visible()
    held: list[Any] = []

    def hold(route: Any) -> None:
        if '"do":"go"' in (route.request.post_data or ""):
            held.append((route, route.fetch()))
            pipeline.go_on.set()
        else:  # the page looks at what is written
            route.continue_()

    page.route("**/run/predict*", hold)
    page.get_by_role("button", name="Sell", exact=True).click()  # answered while it is written, heard of afterwards
    expect(page.locator("#t-title")).to_have_value("Navy hoodie with zip")
    ((route, answer),) = held
    assert 'data-do=\\"stop\\"' in answer.text()
    with page.expect_response("**/run/predict*"):
        route.fulfill(response=answer)
    drawn(page)
    expect(page.locator(".work")).to_have_count(0)
    expect(publish(page)).to_be_visible()
    page.get_by_role("button", name="Write it again from the photos").click()
    expect(page.locator(".work")).to_be_visible()


def test_of_two_steps_the_one_pressed_last_counts(serve: Any, visit: Any, pipeline: Any) -> None:
    page = visit(serve(pipeline))
    page.get_by_role("button", name="My listings").click()
    expect(page.get_by_text("Nothing published yet")).to_be_visible()
    held: list[Any] = []

    def hold(route: Any) -> None:
        if '"to":"sell"' in (route.request.post_data or ""):
            held.append(route)
        else:
            route.continue_()

    page.route("**/run/predict*", hold)
    page.get_by_role("button", name="Sell", exact=True).click()
    with page.expect_response("**/run/predict*"):
        page.get_by_role("button", name="My listings").click()
    with page.expect_response("**/run/predict*"):
        held.pop().continue_()  # arrives after the press that followed it
    drawn(page)
    expect(page.get_by_text("Nothing published yet")).to_be_visible()
    expect(page.get_by_role("button", name="My listings")).to_have_attribute("aria-current", "page")


def test_refused_photos_say_why_the_others_stay_and_pasted_ones_come_the_same_way(
    serve: Any, visit: Any, files: list[str], tmp_path: Path
) -> None:
    page = visit(serve(FakePipeline()))
    bad = tmp_path / "notes.png"
    bad.write_text("not a photo")
    page.locator("#ipl-sell input[type=file]").set_input_files([*files, str(bad)])
    expect(page.get_by_text("notes.png was not added")).to_be_visible()
    expect(page.locator(".shot")).to_have_count(2)
    page.get_by_role("button", name="Remove photo 2").click()
    expect(page.locator(".shot")).to_have_count(1)
    page.evaluate(PASTE)
    expect(page.locator(".shot")).to_have_count(2)


def test_stopped_failed_or_outside_what_it_knows_is_said_and_the_photos_stay(
    serve: Any, visit: Any, files: list[str]
) -> None:
    pipeline = FakePipeline(hold_at="text")
    page = visit(serve(pipeline))
    add(page, files)
    page.get_by_role("button", name="Write my listing").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped before the draft was done")).to_be_visible()
    pipeline.go_on.set()
    expect(page.locator(".shot")).to_have_count(2)

    pipeline.hold_at, pipeline.fail_at = None, "attribute"
    page.locator("#ipl-write").click()
    expect(page.get_by_role("alert").get_by_text("The listing could not be written")).to_be_visible()
    assert "Traceback" not in page.content()
    expect(page.locator(".shot")).to_have_count(2)

    # It asks instead of guessing.
    pipeline.fail_at, pipeline.in_range = None, False
    page.locator("#ipl-write").click()
    expect(page.get_by_text("This is outside what I know")).to_be_visible()
    expect(page.locator("#ipl-draft .chip[data-do=category][aria-pressed=true]")).to_have_count(0)
    page.locator("#ipl-draft .chip[data-do=category]").first.click()
    expect(page.locator("#ipl-draft .chip[data-do=category][aria-pressed=true]")).to_contain_text("your choice")
    expect(page.get_by_text("This is outside what I know")).to_have_count(0)


def test_an_item_of_no_category_is_named_by_its_seller(serve: Any, visit: Any, files: list[str]) -> None:
    url = serve(FakePipeline(in_range=False))
    page = visit(url)
    add(page, files)
    write(page)
    page.get_by_text("Something else", exact=True).click()
    page.get_by_label("Say what it is").fill("bird bath")
    page.get_by_role("button", name="Use this").click()
    expect(page.get_by_text("This is outside what I know")).to_have_count(0)
    draft = httpx.get(f"{url}v1/drafts/{page.url.partition('draft=')[2]}").json()["draft"]
    assert draft["category"]["value"] == "bird bath"


def test_without_retrieval_there_is_an_honest_none(build: Any, visit: Any, files: list[str]) -> None:
    with served(build(pipeline=FakePipeline(in_range=False), index=NoIndex())) as url:
        page = visit(url)
        add(page, files)
        write(page)
        expect(page.get_by_text("Past listings are switched off")).to_be_visible()


def test_markup_is_shown_and_never_run_and_nothing_is_fetched_from_elsewhere(
    serve: Any, visit: Any, files: list[str]
) -> None:
    url = serve(FakePipeline())
    page = visit(url)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    expect(page.locator("#ipl-top header")).to_be_visible()
    add(page, files)
    page.get_by_label("Anything a buyer should know?").fill(ATTACK)
    write(page)
    facts(page)
    page.locator("#f-brand").click()
    page.locator("#e-brand").fill(ATTACK[:70])
    page.locator("#p-brand").get_by_role("button", name="Save").click()
    expect(page.locator("#f-brand .val")).to_have_text(ATTACK[:70])
    page.get_by_label("Title", exact=True).fill(ATTACK)
    put_online(page)
    expect(page.locator(".done-page h2")).to_have_text(ATTACK)
    page.get_by_role("button", name="See my listings").click()
    expect(page.locator(".item h3")).to_have_text(ATTACK)
    assert page.evaluate("window.hit") is None
    assert len(asked) > 10
    assert [a for a in asked if not a.startswith((url, "data:", "blob:"))] == []
