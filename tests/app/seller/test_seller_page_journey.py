"""From the photos to the end of a listing, as one person walks through the page."""

from __future__ import annotations

from typing import Any

import pytest

from tests.app.seller.conftest import add, expect, facts, publish, put_online, write
from tests.fakes import FakePipeline

pytestmark = pytest.mark.browser


def test_a_seller_goes_all_the_way(serve: Any, visit: Any, pipeline: Any, files: list[str]) -> None:
    url = serve(pipeline, sellers=("anna", "ben"))
    page = visit(url, "desktop", seller="anna")
    own = "Small pull at the left cuff. 100 % my words."
    add(page, files[:1])
    add(page, files[1:])
    first = page.locator(".shot").nth(0).get_attribute("data-photo")
    page.get_by_role("button", name="Move photo 1 later").click()
    expect(page.locator(".shot").nth(1)).to_have_attribute("data-photo", first or "")
    page.get_by_label("Anything a buyer should know?").fill(own)
    write(page)
    title, text = page.get_by_label("Title", exact=True), page.get_by_label("Description", exact=True)
    expect(text).to_have_value(f"Navy hoodie with a zip and a hood. Warm and soft fleece. Rarely worn.\n\n{own}")

    facts(page)
    # A fact opens what it rests on: the place of the photo and the words that were read.
    brand = page.locator("#f-brand")
    expect(brand).to_contain_text("read on the label: “NIKE”")
    brand.click()
    expect(page.locator("#p-brand .crop .box")).to_be_visible()
    image = page.locator("#p-brand .crop").evaluate("element => getComputedStyle(element).backgroundImage")
    assert image.startswith('url("data:image/jpeg')

    # A correction is locked; a guess is confirmed, a question answered, with one press each.
    page.locator("#e-brand").fill("Umbro")
    page.locator("#p-brand").get_by_role("button", name="Save").click()
    expect(brand).to_contain_text("you told us")
    expect(page.locator("#p-brand")).to_be_visible()
    page.get_by_role("button", name="Yes, fleece").click()
    expect(page.locator("#f-material")).to_contain_text("you told us")
    page.get_by_role("group", name="Which size is on the label?").get_by_role("button", name="M", exact=True).click()
    expect(page.locator("#f-size")).to_contain_text("you told us")
    expect(page.get_by_role("group", name="Which size is on the label?")).to_have_count(0)

    # Unproven words are underlined; taking them out is one press.
    expect(page.locator(".mirror mark")).to_have_text("Rarely worn")
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.locator(".mirror mark")).to_have_count(0)
    page.locator(".field.description").get_by_role("button", name="Undo", exact=True).click()
    expect(page.locator(".mirror mark")).to_have_text("Rarely worn")
    page.get_by_role("button", name="It is true").click()
    expect(page.get_by_role("button", name="It is true")).to_have_count(0)

    # What was touched stays when the text is written again in another tone.
    title.fill("Umbro zip hoodie, navy")
    page.get_by_role("button", name="Warmer").click()
    expect(page.get_by_role("button", name="Warmer")).to_have_attribute("aria-pressed", "true")
    expect(text).to_have_value(f"A cosy navy hoodie for cool days, with a zip and a hood. Rarely worn.\n\n{own}")
    expect(title).to_have_value("Umbro zip hoodie, navy")
    expect(brand).to_contain_text("Umbro")

    # Publishing takes what stands in the fields, saved or not.
    page.get_by_label("Price in EUR").fill("15,50")
    put_online(page)
    expect(page.get_by_role("heading", name="It is online")).to_be_focused()
    expect(page.locator(".done-page")).to_contain_text("15.50 EUR")
    page.get_by_role("button", name="See my listings").click()
    expect(page.locator(".item")).to_contain_text("Umbro zip hoodie, navy")

    # Found again by words and by a photo, and not by others.
    search = page.get_by_label("Search my listings")
    search.fill("bicycle")
    expect(page.get_by_text("Nothing found")).to_be_visible()
    search.fill("umbro")
    expect(page.locator(".item")).to_have_count(1)
    page.get_by_role("button", name="Clear").click()
    page.locator("#ipl-mine input[type=file]").set_input_files(files[0])
    expect(page.get_by_text("1 listing found with this photo")).to_be_visible()
    stranger = visit(url, "desktop", seller="ben")
    stranger.get_by_role("button", name="My listings").click()
    expect(stranger.get_by_text("Nothing published yet")).to_be_visible()

    # Edit, mark sold, delete with a second question.
    item = page.locator(".item")
    item.get_by_role("button", name="Edit").click()
    item.get_by_label("Title").fill("Umbro hoodie")
    item.get_by_role("button", name="Save changes").click()
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


def test_the_keyboard_alone_lists_an_item(serve: Any, visit: Any, files: list[str]) -> None:
    page = visit(serve(FakePipeline(marked=True)), "phone")
    # The browser hands over its file dialogs only some time after it was asked to: asked early, none is missed.
    page.on("filechooser", lambda chooser: None)

    def reach(name: str) -> None:
        for _ in range(120):
            page.keyboard.press("Tab")
            focused = page.evaluate("(document.activeElement.innerText || document.activeElement.id).trim()")
            if focused.split("\n")[0] == name:
                return
        raise AssertionError(f"the Tab key never reached {name!r}")

    reach("Add photos")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(files)
    expect(page.locator(".shot")).to_have_count(2)
    expect(page.locator("#ipl-write")).to_be_enabled()
    reach("Write my listing")
    page.keyboard.press("Enter")
    expect(publish(page)).to_be_visible()
    # A marked word is changed, then the focus stands on the next one; the others are confirmed, a question is answered.
    reach("Navy")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="It is right")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    title = page.get_by_label("Title", exact=True)
    expect(title).to_have_value("Black hoodie with ribbed cuffs")
    expect(page.locator(".mirror mark").first).to_be_focused()
    reach("All of this is right")
    page.keyboard.press("Enter")
    expect(page.locator(".mirror mark")).to_have_count(0)
    expect(publish(page)).to_be_focused()
    page.keyboard.press("Shift+Tab")
    reach("M")
    page.keyboard.press("Enter")
    expect(title).to_have_value("Black hoodie with ribbed cuffs, size M")
    reach("price")
    page.keyboard.type("12,50")
    reach("Publish")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="It is online")).to_be_focused()
    expect(page.locator(".done-page")).to_contain_text("12.50 EUR")
