"""From the photos to the end of a listing, as one person walks through the page: mouse, thumb and keyboard.

Each draft and the list have an address: reload, bookmark, back and forward lead there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.app.support.pages import (
    Page,
    add,
    description,
    expect,
    facts,
    listings,
    note,
    price,
    publish,
    put_online,
    ready,
    sign_in,
    size_question,
    title,
    write,
)
from tests.fakes import FakePipeline, label_photo

pytestmark = pytest.mark.browser
COUNT_TAPS = "addEventListener('pointerdown', () => { window.taps = (window.taps ?? 0) + 1; }, true)"
OWN = "Small pull at the left cuff. 100 % my words."
# Notes in which order things first stood on the page.
WATCH = """wanted => {
  window.order = [];
  new MutationObserver(() => {
    for (const [name, what] of Object.entries(wanted))
      if (!window.order.includes(name) && document.querySelector(what)) window.order.push(name);
  }).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""
PIECES = {
    "category": "#t-title-live:not(:empty)",
    "fact": "#ipl-draft li[data-fact]",
    "text": "#t-description-live:not(:empty)",
    "done": "#ipl-draft .bottom .main",
}


def check_facts(page: Page) -> None:
    """A fact opens what it rests on; a correction is locked, a guess confirmed, a question answered by one press."""
    facts(page)
    brand = page.locator("#f-brand")
    expect(brand).to_contain_text("read on the label: “NIKE”")
    brand.click()
    expect(page.locator("#p-brand .crop .box")).to_be_visible()
    image = page.locator("#p-brand .crop").evaluate("element => getComputedStyle(element).backgroundImage")
    assert image.startswith('url("data:image/jpeg')
    page.locator("#e-brand").fill("Umbro")
    page.locator("#p-brand").get_by_role("button", name="Save").click()
    expect(brand).to_contain_text("you told us")
    expect(page.locator("#p-brand")).to_be_visible()
    page.get_by_role("button", name="Yes, fleece").click()
    expect(page.locator("#f-material")).to_contain_text("you told us")
    size_question(page).get_by_role("button", name="M", exact=True).click()
    expect(page.locator("#f-size")).to_contain_text("you told us")
    expect(size_question(page)).to_have_count(0)


def check_texts(page: Page) -> None:
    """What was touched stays in another tone."""
    title(page).fill("Umbro zip hoodie, navy")
    page.get_by_role("button", name="Warmer").click()
    expect(page.get_by_role("button", name="Warmer")).to_have_attribute("aria-pressed", "true")
    expect(description(page)).to_have_value(
        f"A cosy navy hoodie for cool days, with a zip and a hood. Rarely worn.\n\n{OWN}"
    )
    expect(title(page)).to_have_value("Umbro zip hoodie, navy")
    expect(page.locator("#f-brand")).to_contain_text("Umbro")


def check_search(page: Page, photo: str) -> None:
    """Words and a photo find an own listing."""
    search = page.get_by_label("Search my listings")
    search.fill("bicycle")
    expect(page.get_by_text("Nothing found")).to_be_visible()
    search.fill("umbro")
    expect(page.locator(".item")).to_have_count(1)
    page.get_by_role("button", name="Clear").click()
    page.locator("#ipl-mine input[type=file]").set_input_files(photo)
    expect(page.get_by_text("1 listing found with this photo")).to_be_visible()


def check_end(page: Page) -> None:
    """Edit, mark sold, delete with a second question."""
    item = page.locator(".item")
    item.get_by_role("button", name="Edit").click()
    item.get_by_label("Title").fill("Umbro hoodie")
    item.get_by_role("button", name="Save").click()
    expect(item.get_by_role("heading", name="Umbro hoodie")).to_be_visible()
    item.get_by_role("button", name="Mark sold").click()
    expect(item.locator(".pill")).to_have_text("Sold")
    item.get_by_role("button", name="Delete", exact=True).click()
    item.get_by_role("button", name="Keep it").click()
    expect(item).to_have_count(1)
    item.get_by_role("button", name="Delete", exact=True).click()
    item.get_by_role("button", name="Yes, delete it").click()
    expect(item).to_have_count(0)
    expect(page.get_by_role("button", name="My listings")).to_contain_text("(0)")


def test_a_seller_goes_all_the_way(serve: Any, visit: Any, pipeline: Any, files: list[str]) -> None:
    url = serve(pipeline, sellers=("anna", "ben"))
    page = visit(url, "desktop", seller="anna")
    add(page, files[:1])
    add(page, files[1:])
    first = page.locator(".shot").nth(0).get_attribute("data-photo")
    page.get_by_role("button", name="Move photo 1 later").click()
    expect(page.locator(".shot").nth(1)).to_have_attribute("data-photo", first or "")
    note(page).fill(OWN)
    write(page)
    expect(description(page)).to_have_value(
        f"Navy hoodie with a zip and a hood. Warm and soft fleece. Rarely worn.\n\n{OWN}"
    )
    check_facts(page)
    check_texts(page)
    price(page).fill("15,50")  # publishing takes what stands in the fields, saved or not
    put_online(page)
    expect(page.get_by_role("heading", name="It is online")).to_be_focused()
    expect(page.locator(".done-page")).to_contain_text("15.50 EUR")
    page.get_by_role("button", name="See my listings").click()
    expect(page.locator(".item")).to_contain_text("Umbro zip hoodie, navy")
    check_search(page, files[0])
    stranger = visit(url, "desktop", seller="ben")
    stranger.get_by_role("button", name="My listings").click()
    expect(stranger.get_by_text("Nothing published yet")).to_be_visible()
    check_end(page)


def test_the_keyboard_alone_lists_an_item(serve: Any, visit: Any, files: list[str]) -> None:
    page = visit(serve(FakePipeline(marked=True)), "phone")
    # The browser hands over its file dialogs only some time after it was asked to: asked early, none is missed.
    page.on("filechooser", lambda chooser: None)

    def reach(name: str, key: str = "Enter") -> None:
        for _ in range(120):
            page.keyboard.press("Tab")
            focused = page.evaluate("(document.activeElement.innerText || document.activeElement.id).trim()")
            if focused.split("\n")[0] == name:
                return page.keyboard.press(key)
        raise AssertionError(f"the Tab key never reached {name!r}")

    with page.expect_file_chooser() as chooser:
        reach("Add photos")
    chooser.value.set_files(files)
    expect(page.locator(".shot")).to_have_count(2)
    expect(page.locator("#ipl-write")).to_be_enabled()
    reach("Write my listing")
    expect(publish(page)).to_be_visible()
    # A marked word is changed, then the focus stands on the next one; the others are confirmed, a question is answered.
    reach("Navy")
    expect(page.get_by_role("group", name="navy").get_by_role("button", name="It is right")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".title mark", has_text="Navy")).to_be_focused()
    for key in (" ", "Tab", "Enter"):
        page.keyboard.press(key)
    expect(title(page)).to_have_value("Black hoodie with zip")
    expect(page.locator(".title mark", has_text="hoodie")).to_be_focused()
    reach("All of this is right")
    expect(page.locator(".mirror mark")).to_have_count(0)
    expect(publish(page)).to_be_focused()
    page.keyboard.press("Shift+Tab")
    reach("M")
    expect(title(page)).to_have_value("Black hoodie with zip, size M")
    reach("price", "End")
    page.keyboard.type("12,50")
    reach("Publish")
    expect(page.get_by_role("heading", name="It is online")).to_be_focused()
    expect(page.locator(".done-page")).to_contain_text("12.50 EUR")


@pytest.mark.nightly  # as with the real model below, and by the keyboard above
def test_photos_to_published_in_six_taps(serve: Any, visit: Any, files: list[str]) -> None:
    url = serve(FakePipeline(marked=True))
    page = visit(url)
    page.evaluate(COUNT_TAPS)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Add photos").click()
    chooser.value.set_files(files)
    expect(page.locator(".shot")).to_have_count(2)
    write(page)
    expect(title(page)).to_be_in_viewport()
    assert page.evaluate("scrollY") == 0
    page.get_by_role("button", name="All of this is right").click()
    size_question(page).get_by_role("button", name="M", exact=True).click()
    expect(title(page)).to_have_value("Navy hoodie with pockets, size M")
    price(page).click()
    page.keyboard.type("12,50 €")
    expect(publish(page)).to_be_in_viewport()
    put_online(page)
    expect(page.get_by_role("heading", name="It is online")).to_be_visible()
    assert page.evaluate("window.taps") <= 6
    assert [(x["title"], x["price"]) for x in listings(url)] == [("Navy hoodie with pockets, size M", 12.5)]


@pytest.mark.model
@pytest.mark.timeout(600)
def test_the_real_model_streams_into_six_taps(
    serve: Any, visit: Any, repository: Path, real_pipeline: Any, tmp_path: Path
) -> None:
    page = visit(serve(real_pipeline))
    label = tmp_path / "label.jpg"
    label.write_bytes(label_photo("Wrangler", "M", "100% cotton"))
    page.evaluate(COUNT_TAPS)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Add photos").click()
    chooser.value.set_files([str(repository / "demo" / "hoodie.jpg"), str(label)])
    expect(page.locator(".shot")).to_have_count(2)
    note(page).fill("It was a present.")
    page.evaluate(WATCH, PIECES)
    write(page)
    order = page.evaluate("window.order")  # what comes between two looks of the page is shown together
    assert order == [piece for piece in PIECES if piece in order]
    assert len(order) > 1
    assert order[-1] == "done"
    expect(title(page)).to_be_in_viewport()
    assert description(page).input_value().endswith("It was a present."), "the seller's own words stand there unchanged"
    page.get_by_role("button", name="All of this is right").click()
    expect(page.locator(".mirror mark.check")).to_have_count(0)
    questions = page.locator(".ask")
    questions.get_by_role("button", name="very good").click()
    expect(questions.filter(has_text="condition")).to_have_count(0)  # another question may take its place
    taps = page.evaluate("window.taps")
    facts(page)
    expect(page.locator("#f-brand")).to_contain_text("Wrangler")
    expect(page.locator("#f-brand")).to_contain_text("read on the label")
    page.locator("#f-brand").click()
    expect(page.locator("#p-brand .crop .box")).to_be_visible()
    price(page).fill("12")
    put_online(page)
    expect(page.get_by_role("heading", name="It is online")).to_be_visible()
    expect(page.locator(".done-page h2")).to_contain_text("hoodie")
    assert taps <= 4  # beside two for the price and for publishing


DRAFT = re.compile(r"/\?draft=[\w-]+$")
LISTINGS = re.compile(r"/\?show=listings$")


def test_back_and_forward_lead_through_the_page(serve: Any, visit: Any, files: list[str]) -> None:
    pipeline = FakePipeline(hold_at="draft")
    url = serve(pipeline)
    page = visit(url)
    page.get_by_role("button", name="My listings").click()
    expect(page).to_have_url(LISTINGS)
    page.go_back()
    expect(page).to_have_url(url)
    expect(page.get_by_role("heading", name="What are you selling?")).to_be_visible()
    add(page, files)
    page.locator("#ipl-write").click()
    expect(page).to_have_url(DRAFT)
    expect(page.locator(".work")).to_be_visible()  # the draft had its address before
    draft = page.url
    page.go_back()  # while it is written it stays
    expect(page.get_by_role("alert").filter(has_text="being written right now")).to_be_visible()
    expect(page).to_have_url(draft)
    pipeline.go_on.set()
    expect(publish(page)).to_be_visible()
    page.get_by_role("button", name="My listings").click()
    expect(page).to_have_url(LISTINGS)
    page.go_back()
    expect(page).to_have_url(draft)
    expect(publish(page)).to_be_visible()


def test_back_loses_nothing_that_is_typed(serve: Any, visit: Any, files: list[str]) -> None:
    url = serve(FakePipeline())
    page = visit(url)
    write(page, files)
    expect(page).to_have_url(DRAFT)
    draft = page.url
    page.get_by_role("button", name="My listings").click()
    expect(page).to_have_url(LISTINGS)
    page.go_back()
    expect(page).to_have_url(draft)
    title(page).fill("Warm hoodie")
    page.go_back()
    expect(page).to_have_url(url)
    expect(page.locator(".shot")).to_have_count(0)
    expect(page.locator(".offer")).to_contain_text("Warm hoodie")
    page.go_forward()
    expect(page).to_have_url(draft)
    expect(title(page)).to_have_value("Warm hoodie")
    page.go_forward()
    expect(page).to_have_url(LISTINGS)
    expect(page.get_by_role("heading", name="My listings")).to_be_visible()
    page.get_by_role("link", name="Feed").click()
    expect(page).to_have_url(f"{url}feed")
    page.wait_for_load_state()
    page.go_back()
    expect(page.get_by_role("heading", name="My listings")).to_be_visible()


def test_a_draft_is_reloaded_and_bookmarked(serve: Any, visit: Any, files: list[str]) -> None:
    url = serve(FakePipeline(), sellers=("anna",))
    page = visit(url, seller="anna")
    write(page, files)
    draft = page.url
    page.reload()
    ready(page)
    expect(publish(page)).to_be_visible()
    expect(page.locator(".shot")).to_have_count(2)
    expect(page).to_have_url(draft)
    page.get_by_role("button", name="My listings").click()
    page.get_by_role("button", name="Go on").click()
    expect(page).to_have_url(draft)
    expect(publish(page)).to_be_visible()
    page.go_back()
    expect(page).to_have_url(LISTINGS)
    expect(page.locator("[data-draft]")).to_have_count(1)
    page.reload()
    expect(page.locator("[data-draft]")).to_have_count(1)

    page.context.clear_cookies()  # the bookmark leads through the sign-in form
    page.goto(draft)
    sign_in(page, "anna")
    expect(publish(page)).to_be_visible()
    expect(page).to_have_url(draft)
    put_online(page)
    expect(page.get_by_role("heading", name="It is online")).to_be_visible()
    page.goto(draft)
    expect(page.get_by_role("alert")).to_contain_text("It is published already")
    expect(page.locator("[data-listing]")).to_have_count(1)
    expect(page).to_have_url(LISTINGS)
    page.goto(f"{url}?draft=nothing")
    expect(page.get_by_role("alert").filter(has_text="There is no such draft")).to_be_visible()
    expect(page).to_have_url(url)
