"""Two tabs of one seller, in a real browser: what each press sends, and what the page says of a conflict."""

from __future__ import annotations

from typing import Any

import pytest

from tests.app.seller.conftest import add, expect, publish, put_online, write
from tests.app.support.page_server import served
from tests.fakes import FakePipeline

pytestmark = pytest.mark.browser
# Typed in one go: no answer comes between the two, after which the price would be typed over what was shown.
TYPE_BOTH = """() => {
  for (const [id, text] of [['t-title', 'Typed here'], ['price', '15']]) {
    const field = document.getElementById(id);
    field.focus(); field.select(); document.execCommand('insertText', false, text);
  }
  document.activeElement.blur();
}"""


def test_saving_in_an_old_tab_of_my_listings_keeps_the_new_price(serve: Any, visit: Any, files: list[str]) -> None:
    url = serve(FakePipeline())
    old = visit(url, "desktop")
    add(old, files)
    write(old)
    old.get_by_label("Price in EUR").fill("10")
    publish(old).click()
    old.get_by_role("button", name="See my listings").click()
    new = visit(url, "desktop")
    new.get_by_role("button", name="My listings").click()

    def save(page: Any, label: str, value: str, edited: bool = False) -> None:
        if not edited:  # where a conflict was said, the form is open
            page.locator(".item").get_by_role("button", name="Edit").click()
        page.locator(".item").get_by_label(label).fill(value)
        page.locator(".item").get_by_role("button", name="Save changes").click()

    save(new, "Price (EUR)", "20")
    expect(new.locator(".item")).to_contain_text("20 EUR")
    save(old, "Title", "A title from the old tab")
    expect(old.locator(".item h3")).to_have_text("A title from the old tab")
    expect(old.locator(".item")).to_contain_text("20 EUR")

    # What both changed is a conflict: said in a sentence, with what was typed; the page then shows what is there.
    save(new, "Price (EUR)", "30")
    expect(new.locator(".item")).to_contain_text("30 EUR")
    save(old, "Price (EUR)", "12")
    expect(old.locator(".item .err .notice")).to_contain_text("changed elsewhere to “30”")
    expect(old.locator(".item .err .notice")).to_be_in_viewport()
    expect(old.locator(".item .typed")).to_have_text("12")
    expect(old.locator(".item").get_by_label("Price (EUR)")).to_have_value("30")
    save(old, "Price (EUR)", "12", edited=True)
    expect(old.locator(".item")).to_contain_text("12 EUR")


def test_a_field_that_changed_elsewhere_is_shown_and_what_was_typed_stays(
    build: Any, visit: Any, files: list[str]
) -> None:
    services = build()
    me = services.sellers.only().id
    with served(services) as url:
        page = visit(url, "desktop")
        add(page, files)
        write(page)
        draft = page.locator("#ipl-draft-form input[name=key]").get_attribute("value")
        title = page.get_by_label("Title", exact=True)
        services.drafts.edit(me, draft, "title", "From another tab")
        services.drafts.edit(me, draft, "price", "20")
        page.evaluate(TYPE_BOTH)
        expect(page.locator("#err-title")).to_contain_text("changed elsewhere to “From another tab”")
        expect(page.locator("#ipl-draft .typed")).to_have_text(["Typed here", "15"])
        expect(page.locator("#ipl-draft .typed").first).to_be_in_viewport()
        expect(page.get_by_label("Price in EUR")).to_have_value("20")
        expect(title).to_have_value("From another tab")

        # Publishing at once, while the field is still typed in, is no way around it.
        services.drafts.edit(me, draft, "title", "Once more")
        title.press_sequentially(", with a hood")
        page.evaluate("document.getElementById('ipl-draft-form').requestSubmit()")
        expect(page.locator("#ipl-draft .typed")).to_have_text(["From another tab, with a hood"])
        expect(title).to_have_value("Once more")
        title.fill("Typed here, knowing the other")
        page.get_by_label("Price in EUR").fill("15")
        put_online(page)
        expect(page.locator(".done-page h2")).to_have_text("Typed here, knowing the other")
        expect(page.locator(".done-page")).to_contain_text("15 EUR")


def test_what_is_being_typed_is_saved_before_words_are_taken_out(serve: Any, visit: Any, files: list[str]) -> None:
    page = visit(serve(FakePipeline()), "desktop")
    add(page, files)
    write(page)
    text = page.get_by_label("Description", exact=True)
    text.press("Control+End")
    text.press_sequentially(" Two buttons.")
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.locator(".mirror mark")).to_have_count(0)
    expect(text).to_have_value("Navy hoodie with a zip and a hood. Warm and soft fleece. Two buttons.")
    page.get_by_label("Title", exact=True).focus()
    expect(text).to_have_value("Navy hoodie with a zip and a hood. Warm and soft fleece. Two buttons.")
