"""Words that are only likely: underlined in the text, settled where they stand by one tap each, or by one for all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.app.support.pages import description, expect, facts, findings, listings, put_online, title, write
from tests.fakes import FakePipeline

pytestmark = pytest.mark.browser


def test_marked_words_are_settled_by_taps(serve: Any, visit: Any, files: list[str]) -> None:
    url = serve(FakePipeline(marked=True))
    page = visit(url)
    write(page, files)
    marks, bottom = page.locator(".mirror mark.check"), page.locator(".bottom")
    before = {field: field(page).input_value() for field in (title, description)}
    expect(title(page)).to_be_in_viewport()
    expect(marks.filter(has_text="Navy")).to_have_count(2)
    assert set(marks.all_inner_texts()) == {"Navy", "hoodie", "pockets"}
    expect(bottom).to_contain_text("3 words are not confirmed.")
    assert findings(page) == []

    # A tap on a word opens what else it may be; another tap changes both texts and the fact.
    page.locator(".title mark", has_text="hoodie").click()
    expect(page.locator(".pick:visible").get_by_role("button", name="Sofa")).to_have_count(0)
    page.locator(".title mark", has_text="Navy").click()
    expect(page.locator(".pick:visible")).to_have_count(1)
    assert findings(page) == []
    page.get_by_role("group", name="navy").get_by_role("button", name="black").click()
    for field, words in before.items():
        assert words.startswith("Navy hoodie")
        expect(field(page)).to_have_value(words.replace("Navy", "Black"))
    facts(page)
    expect(page.locator("#f-colour")).to_contain_text("you told us")
    expect(bottom).to_contain_text("2 words are not confirmed.")

    # What is left out can be taken back, by a wrong word's button, too; what is right is so with one tap.
    with_pockets = description(page).input_value()
    pockets = page.locator(".description mark", has_text="pockets")
    pockets.click()
    page.locator(".pick:visible").get_by_role("button", name="Leave it out").click()
    expect(description(page)).not_to_have_value(with_pockets)
    bottom.get_by_role("button", name="Undo").click()
    expect(description(page)).to_have_value(with_pockets)
    page.locator(".checks").get_by_role("button", name="No pockets").click()
    expect(description(page)).not_to_have_value(with_pockets)
    bottom.get_by_role("button", name="Undo").click()
    expect(description(page)).to_have_value(with_pockets)
    pockets.click()
    page.locator(".pick:visible").get_by_role("button", name="It is right").click()
    expect(page.locator(".mirror mark", has_text="pockets")).to_have_count(0)
    expect(description(page)).to_have_value(with_pockets)
    page.get_by_role("button", name="All of this is right").click()
    expect(marks).to_have_count(0)
    expect(bottom).not_to_contain_text("not confirmed")
    put_online(page)
    expect(page.get_by_role("heading", name="It is online")).to_be_visible()
    (listing,) = listings(url)
    assert listing["title"] == before[title].replace("Navy", "Black")
    assert listing["description"] == before[description].replace("Navy", "Black")
    assert listing["attributes"]["colour"] == "black"


def test_what_is_offered_is_added_by_taps(serve: Any, visit: Any, files: list[str]) -> None:
    page = visit(serve(FakePipeline(marked=True)))
    write(page, files)
    text, adds, more = description(page), page.locator(".adds"), page.get_by_label("Say more")
    undo = page.locator(".bottom").get_by_role("button", name="Undo")
    before = {field: field(page).input_value() for field in (title, description)}
    assert all(chip.bounding_box()["height"] >= 44 for chip in adds.get_by_role("button").all())
    assert findings(page) == []
    adds.get_by_role("button", name="drawstring hood").click()
    expect(text).to_have_value("Navy hoodie with a drawstring hood and a zip. It has pockets and ribbed cuffs.")
    expect(title(page)).to_have_value(before[title])
    expect(adds.locator("[data-name]")).to_have_count(2)
    undo.click()
    expect(text).to_have_value(before[description])
    expect(adds.locator("[data-name]")).to_have_count(3)

    # By the keyboard; into a text that was typed it goes as well, and out of it again.
    text.fill("Warm and soft.")
    adds.get_by_role("button", name="zip pockets").press("Enter")
    expect(text).to_have_value("Warm and soft. It has zip pockets.")
    expect(adds.get_by_role("button", name="also white")).to_be_focused()
    undo.click()
    expect(text).to_have_value("Warm and soft.")

    # What is not offered is found by its first letters; several things, known ones and others, are said at once.
    more.press_sequentially("curved h")
    expect(adds.locator("#s-adds button").first).to_have_text("curved hem")
    more.press("Enter")
    expect(text).to_have_value("Warm and soft. It has a curved hem.")
    expect(more).to_be_focused()
    expect(more).to_have_value("")
    more.fill("side slits, it has been to Peru")
    adds.get_by_role("button", name="Add", exact=True).click()
    expect(text).to_have_value("Warm and soft. It has a curved hem and side slits. It has been to Peru.")
    undo.click()
    expect(text).to_have_value("Warm and soft. It has a curved hem.")

    # Words of one's own, by the keyboard.
    page.locator(".title mark", has_text="hoodie").press("Enter")
    page.get_by_role("group", name="hoodie").get_by_role("button", name="Other words").press("Enter")
    page.keyboard.type("jumper")
    expect(title(page)).to_have_value("Navy jumper with ribbed cuffs")
