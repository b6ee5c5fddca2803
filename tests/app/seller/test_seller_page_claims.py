"""Words that are only likely: underlined in the text, settled where they stand by one tap each, or by one for all."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.app.seller.conftest import add, expect, facts, put_online, write
from tests.app.seller.test_seller_page_axe import findings
from tests.fakes import FakePipeline

pytestmark = pytest.mark.browser


def test_marked_words_are_settled_by_taps(serve: Any, visit: Any, files: list[str]) -> None:
    url = serve(FakePipeline(marked=True))
    page = visit(url)
    add(page, files)
    write(page)
    title, text = page.get_by_label("Title", exact=True), page.get_by_label("Description", exact=True)
    marks, bottom = page.locator(".mirror mark.check"), page.locator(".bottom")
    before = {field: field.input_value() for field in (title, text)}
    expect(title).to_be_in_viewport()
    expect(marks.filter(has_text="Navy")).to_have_count(2)
    assert set(marks.all_inner_texts()) == {"Navy", "hoodie", "pockets"}
    expect(bottom).to_contain_text("3 words are not confirmed.")
    assert findings(page) == []

    # A tap on a word opens what else it may be; another tap changes both texts and the fact.
    page.locator(".title mark", has_text="hoodie").click()
    expect(page.locator(".pick:visible").get_by_role("button", name="Sofa")).to_have_count(0)
    page.locator(".title mark", has_text="Navy").click()
    picked = page.get_by_role("group", name="navy")
    expect(page.locator(".pick:visible")).to_have_count(1)
    assert findings(page) == []
    picked.get_by_role("button", name="black").click()
    for field, words in before.items():
        assert words.startswith("Navy hoodie")
        expect(field).to_have_value(words.replace("Navy", "Black"))
    facts(page)
    expect(page.locator("#f-colour")).to_contain_text("you told us")
    expect(bottom).to_contain_text("2 words are not confirmed.")

    # What is left out can be taken back; what is right is so with one tap.
    with_pockets = text.input_value()
    page.locator(".description mark", has_text="pockets").click()
    page.locator(".pick:visible").get_by_role("button", name="Leave it out").click()
    expect(text).not_to_have_value(with_pockets)
    bottom.get_by_role("button", name="Undo").click()
    expect(text).to_have_value(with_pockets)
    page.locator(".description mark", has_text="pockets").click()
    page.locator(".pick:visible").get_by_role("button", name="It is right").click()
    expect(page.locator(".mirror mark", has_text="pockets")).to_have_count(0)
    expect(text).to_have_value(with_pockets)

    page.get_by_role("button", name="All of this is right").click()
    expect(marks).to_have_count(0)
    expect(bottom).not_to_contain_text("not confirmed")
    put_online(page)
    expect(page.get_by_role("heading", name="It is online")).to_be_visible()
    listing = httpx.get(f"{url}v1/listings").json()["listings"][0]
    assert listing["title"] == before[title].replace("Navy", "Black")
    assert listing["description"] == before[text].replace("Navy", "Black")
    assert listing["attributes"]["colour"] == "black"


def test_the_keyboard_settles_a_word(serve: Any, visit: Any, files: list[str]) -> None:
    page = visit(serve(FakePipeline(marked=True)))
    add(page, files)
    write(page)
    title = page.get_by_label("Title", exact=True)
    title.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("group", name="navy").get_by_role("button", name="It is right")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".title mark", has_text="Navy")).to_be_focused()
    page.keyboard.press(" ")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(title).to_have_value("Black hoodie with ribbed cuffs")
    expect(page.locator(".title mark", has_text="hoodie")).to_be_focused()
    page.locator(".title mark", has_text="hoodie").press("Enter")
    page.get_by_role("group", name="hoodie").get_by_role("button", name="Other words").press("Enter")
    page.keyboard.type("jumper")
    expect(title).to_have_value("Black jumper with ribbed cuffs")


def test_an_answer_is_in_the_text_at_once(serve: Any, visit: Any, files: list[str]) -> None:
    pipeline = FakePipeline(marked=True)
    page = visit(serve(pipeline))
    add(page, files)
    page.get_by_label("Anything a buyer should know?").fill("Worn twice.")
    write(page)
    title, text = page.get_by_label("Title", exact=True), page.get_by_label("Description", exact=True)
    page.get_by_role("group", name="Which size is on the label?").get_by_role("button", name="M", exact=True).click()
    expect(title).to_have_value("Navy hoodie with ribbed cuffs, size M")
    page.get_by_role("group", name="In which condition").get_by_role("button", name="very good").click()
    expect(text).to_have_value(
        "Navy hoodie with a zip and pockets. It has ribbed cuffs. It is in very good condition. It is size M."
        "\n\nWorn twice."
    )
    facts(page)
    page.locator("#f-size").click()
    page.locator("#p-size").get_by_role("button", name="Undo my change").click()
    expect(title).to_have_value("Navy hoodie with ribbed cuffs")
    page.get_by_role("group", name="What is it?").get_by_role("button", name="Dress").click()
    expect(text).to_have_value(
        "Navy dress with a zip and pockets. It has ribbed cuffs. It is in very good condition.\n\nWorn twice."
    )
    assert pipeline.runs >= 1


def test_what_is_offered_is_added_with_a_tap(serve: Any, visit: Any, files: list[str]) -> None:
    page = visit(serve(FakePipeline(marked=True)))
    add(page, files)
    write(page)
    title, text, adds = page.get_by_label("Title", exact=True), page.get_by_label("Description"), page.locator(".adds")
    before = {field: field.input_value() for field in (title, text)}
    assert all(chip.bounding_box()["height"] >= 44 for chip in adds.get_by_role("button").all())
    assert findings(page) == []
    adds.get_by_role("button", name="drawstring hood").click()
    after = "Navy hoodie with a drawstring hood and a zip. It has pockets and ribbed cuffs."
    expect(text).to_have_value(after)
    expect(title).to_have_value(before[title])
    expect(adds.locator("[data-name]")).to_have_count(2)
    page.locator(".bottom").get_by_role("button", name="Undo").click()
    expect(text).to_have_value(before[text])
    expect(adds.locator("[data-name]")).to_have_count(3)

    # By the keyboard; into a text that was typed it goes as well, and out of it again.
    text.fill("Warm and soft.")
    adds.get_by_role("button", name="zip pockets").press("Enter")
    expect(text).to_have_value("Warm and soft. It has zip pockets.")
    expect(adds.get_by_role("button", name="also white")).to_be_focused()
    page.locator(".bottom").get_by_role("button", name="Undo").click()
    expect(text).to_have_value("Warm and soft.")

    # What is not offered is found by its first letters; several things, known ones and others, are said at once.
    more = page.get_by_label("Say more")
    more.press_sequentially("curved h")
    expect(adds.locator("#s-adds button").first).to_have_text("curved hem")
    more.press("Enter")
    expect(text).to_have_value("Warm and soft. It has a curved hem.")
    expect(more).to_be_focused()
    expect(more).to_have_value("")
    more.fill("side slits, it has been to Peru")
    adds.get_by_role("button", name="Add", exact=True).click()
    expect(text).to_have_value("Warm and soft. It has a curved hem and side slits. It has been to Peru.")
    page.locator(".bottom").get_by_role("button", name="Undo").click()
    expect(text).to_have_value("Warm and soft. It has a curved hem.")


def test_a_wrong_word_is_put_right_with_one_tap(serve: Any, visit: Any, files: list[str]) -> None:
    page = visit(serve(FakePipeline(marked=True)))
    add(page, files)
    write(page)
    title, text, checks = (
        page.get_by_label("Title", exact=True),
        page.get_by_label("Description"),
        page.locator(".checks"),
    )
    checks.get_by_role("button", name="black, not navy").click()
    expect(title).to_have_value("Black hoodie with ribbed cuffs")
    checks.get_by_role("button", name="No pockets").click()
    expect(text).not_to_contain_text("pockets")
    page.locator(".bottom").get_by_role("button", name="Undo").click()
    checks.get_by_role("button", name="dress, not hoodie").click()
    expect(title).to_have_value("Black dress with ribbed cuffs")
