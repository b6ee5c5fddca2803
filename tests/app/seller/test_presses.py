"""What a press sends and shows while the page is drawn anew, another tab changes the same, or answers come late.

Words that are only likely are settled where they stand by one tap each, or by one for all.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from listing.say.check import LEFT_OUT
from listing.schema import Flag
from tests.app.support.local_servers import served
from tests.app.support.pages import (
    Page,
    add,
    description,
    drawn,
    expect,
    facts,
    findings,
    listings,
    more,
    price,
    publish,
    put_online,
    title,
    write,
)
from tests.fakes import FakePipeline, marked_draft

pytestmark = pytest.mark.browser
# As a redraw does that keeps the elements and gives them other attributes and other contents.
EXCHANGED = """([one, other]) => {
  const [a, b] = [one, other].map((name) => document.querySelector(name));
  const [ofA, ofB] = [a, b].map((e) => [[...e.attributes].map(({ name, value }) => [name, value]), e.innerHTML]);
  for (const [e, [attributes, inner]] of [[a, ofB], [b, ofA]]) {
    attributes.forEach(([name, value]) => e.setAttribute(name, value));
    e.innerHTML = inner;
  }
}"""
# Typed in one go: no answer comes between the two, after which the price would be typed over what was shown.
TYPE_BOTH = """() => {
  for (const [id, text] of [['t-title', 'Typed here'], ['price', '15']]) {
    const field = document.getElementById(id);
    field.focus(); field.select(); document.execCommand('insertText', false, text);
  }
  document.activeElement.blur();
}"""


def black(words: str) -> str:
    return words.replace("Navy", "Black").replace("navy", "black")


def begin_press(page: Page, control: str) -> None:
    """Press the button of the mouse over it, and hold."""
    shown = page.locator(control)
    shown.evaluate("e => e.scrollIntoView({ block: 'center' })")  # the bar at the bottom lies over what ends there
    box = shown.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()


def test_a_press_counts_while_the_page_changes(serve: Any, visit: Any, files: list[str]) -> None:
    """It moves away under the mouse, another control takes its place, the element is replaced."""
    page = visit(serve(FakePipeline(marked=True)), "desktop")
    write(page, files)
    page.add_style_tag(content="#ipl-sell { padding-bottom: 900px; }")  # else the page's end holds what is near it
    price(page).fill("-5")
    publish(page).click()
    expect(page.locator("#err-price [role=alert]")).to_be_visible()
    price(page).fill("15")
    begin_press(page, "#h-more")  # leaves the price, which is saved: the error goes, and all below it moves up
    page.wait_for_function("() => !document.querySelector('#h-more').matches(':hover')")
    page.mouse.up()
    expect(page.locator("#h-facts")).to_be_visible()
    for is_open in (True, False, True):
        press = "() => { document.querySelector('#h-facts').click(); return window.iplState.open.has('facts'); }"
        assert page.evaluate(press) is is_open
        expect(page.locator("details[data-keep=facts][open]")).to_have_count(int(is_open))
    page.locator("#f-colour").click()
    expect(page.locator("#p-colour")).to_be_visible()
    page.locator("#f-colour").click()
    expect(page.locator("#p-colour")).to_be_hidden()
    begin_press(page, "#f-colour")
    page.evaluate(EXCHANGED, ["#f-colour", "#f-closure"])
    page.mouse.up()
    expect(page.locator("#p-colour")).to_be_visible()
    expect(page.locator("#p-closure")).to_be_hidden()
    publish(page).scroll_into_view_if_needed()
    begin_press(page, ".bottom .main")
    page.evaluate("const b = document.querySelector('.bottom'); b.outerHTML = b.outerHTML;")
    page.mouse.up()
    page.get_by_role("button", name="Right, publish").click()
    expect(page.get_by_role("heading", name="It is online")).to_be_visible()


def test_publishing_asks_once_for_a_price(serve: Any, visit: Any, files: list[str]) -> None:
    url = serve(FakePipeline())
    page = visit(url)
    write(page, files)
    publish(page).click()
    question = page.get_by_role("group", name="Publish without a price?")
    expect(question.get_by_role("button", name="Publish without a price")).to_be_focused()
    assert listings(url) == []
    question.get_by_role("button", name="Set a price").click()
    expect(question).to_be_hidden()
    expect(price(page)).to_be_focused()
    publish(page).click()
    expect(page.get_by_role("heading", name="It is online")).to_be_visible()
    assert [x["price"] for x in listings(url)] == [None]


def test_a_conflict_in_my_listings_is_shown(serve: Any, visit: Any, files: list[str]) -> None:
    url = serve(FakePipeline())
    old = visit(url, "desktop")
    write(old, files)
    price(old).fill("10")
    publish(old).click()
    old.get_by_role("button", name="See my listings").click()
    new = visit(url, "desktop")
    new.get_by_role("button", name="My listings").click()

    def save(page: Any, label: str, value: str, edited: bool = False) -> None:
        if not edited:  # where a conflict was said, the form is open
            page.locator(".item").get_by_role("button", name="Edit").click()
        page.locator(".item").get_by_label(label).fill(value)
        page.locator(".item").get_by_role("button", name="Save").click()

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


def test_a_conflict_in_a_draft_is_shown(build: Any, visit: Any, files: list[str]) -> None:
    services = build()
    me = services.sellers.only().id
    with served(services) as url:
        page = visit(url, "desktop")
        write(page, files)
        draft = page.locator("#ipl-draft-form input[name=key]").get_attribute("value")
        services.drafts.edit(me, draft, "title", "From another tab")
        services.drafts.edit(me, draft, "price", "20")
        page.evaluate(TYPE_BOTH)
        expect(page.locator("#err-title")).to_contain_text("changed elsewhere to “From another tab”")
        expect(page.locator("#ipl-draft .typed")).to_have_text(["Typed here", "15"])
        expect(page.locator("#ipl-draft .typed").first).to_be_in_viewport()
        expect(price(page)).to_have_value("20")
        expect(title(page)).to_have_value("From another tab")

        # Publishing at once, while the field is still typed in, is no way around it.
        services.drafts.edit(me, draft, "title", "Once more")
        title(page).press_sequentially(", with a hood")
        page.evaluate("document.getElementById('ipl-draft-form').requestSubmit()")
        expect(page.locator("#ipl-draft .typed")).to_have_text(["From another tab, with a hood"])
        expect(title(page)).to_have_value("Once more")
        title(page).fill("Typed here, knowing the other")
        price(page).fill("15")
        put_online(page)
        expect(page.locator(".done-page h2")).to_have_text("Typed here, knowing the other")
        expect(page.locator(".done-page")).to_contain_text("15 EUR")


def test_a_late_answer_brings_nothing_old_back(serve: Any, visit: Any, files: list[str]) -> None:
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
    with page.expect_request(lambda request: '"do":"go"' in (request.post_data or "")):
        page.get_by_role("button", name="Sell", exact=True).click()  # answered while it is written
    with page.expect_response("**/run/predict*"):
        while not held:
            drawn(page)
        ((route, answer),) = held
        assert 'data-do=\\"stop\\"' in answer.text()
        route.fulfill(response=answer)  # when the draft is done
    drawn(page)
    expect(page.locator(".work")).to_have_count(0)
    expect(publish(page)).to_be_visible()
    pipeline.go_on.clear()
    more(page)
    page.get_by_role("button", name="Write it again from the photos").click()
    expect(page.locator(".work")).to_be_visible()
    pipeline.go_on.set()


def test_the_step_pressed_last_counts(serve: Any, visit: Any, pipeline: Any) -> None:
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
    with page.expect_request(lambda request: '"to":"sell"' in (request.post_data or "")):
        page.get_by_role("button", name="Sell", exact=True).click()
    page.get_by_role("button", name="My listings").click()  # waits for the answer to the press before it
    while not held:
        drawn(page)
    with page.expect_response(lambda answer: '"to":"mine"' in (answer.request.post_data or "")):
        held.pop().continue_()
    drawn(page)
    expect(page.get_by_text("Nothing published yet")).to_be_visible()
    expect(page.get_by_role("button", name="My listings")).to_have_attribute("aria-current", "page")


def test_marked_words_are_settled_by_taps(serve: Any, visit: Any, files: list[str]) -> None:
    url = serve(FakePipeline(marked=True))
    page = visit(url)
    write(page, files)
    marks, bottom = page.locator(".mirror mark.check"), page.locator(".bottom")
    before = {field: field(page).input_value() for field in (title, description)}
    expect(title(page)).to_be_in_viewport()
    expect(marks.filter(has_text=re.compile("navy", re.I))).to_have_count(2)
    assert set(marks.all_inner_texts()) == {"Navy", "navy", "hoodie", "pockets"}
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
        assert words.startswith(("Navy hoodie", "A navy hoodie"))
        expect(field(page)).to_have_value(black(words))
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
    assert (before[title], listing["title"]) == ("Navy hoodie with zip", "Black hoodie with zip")
    assert listing["description"] == black(before[description])
    assert listing["attributes"]["colour"] == "black"


def test_what_is_offered_is_added_by_taps(serve: Any, visit: Any, files: list[str]) -> None:
    page = visit(serve(FakePipeline(marked=True)))
    write(page, files)
    more(page)
    text, adds, field = description(page), page.locator(".adds"), page.get_by_label("Say more")
    undo = page.locator(".bottom").get_by_role("button", name="Undo")
    before = {each: each(page).input_value() for each in (title, description)}
    assert all(chip.bounding_box()["height"] >= 44 for chip in adds.get_by_role("button").all())
    assert findings(page) == []
    adds.get_by_role("button", name="drawstring hood").click()
    expect(text).to_have_value("A navy hoodie with a drawstring hood, pockets and a zip. It has ribbed cuffs.")
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
    field.press_sequentially("curved h")
    expect(adds.locator("#s-adds button").first).to_have_text("curved hem")
    field.press("Enter")
    expect(text).to_have_value("Warm and soft. It has a curved hem.")
    expect(field).to_be_focused()
    expect(field).to_have_value("")
    field.fill("side slits, it has been to Peru")
    adds.get_by_role("button", name="Add", exact=True).click()
    expect(text).to_have_value("Warm and soft. It has a curved hem. It has side slits. It has been to Peru.")
    undo.click()
    expect(text).to_have_value("Warm and soft. It has a curved hem.")

    # Words of one's own, by the keyboard.
    page.locator(".title mark", has_text="hoodie").press("Enter")
    page.get_by_role("group", name="hoodie").get_by_role("button", name="Other words").press("Enter")
    page.keyboard.type("jumper")
    expect(title(page)).to_have_value("Navy jumper with zip")


@pytest.mark.parametrize("words", [("with a leopard lining", "size M, soft"), ()])
def test_what_was_left_out_comes_back(
    serve: Any, visit: Any, files: list[str], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Words that the text says already are not among it; what comes back is the seller's, and can be undone."""
    flags = [Flag(code=LEFT_OUT, message=gone, field="description") for gone in (*words, "Navy hoodie", *words)]
    monkeypatch.setattr(
        "tests.fakes.marked_draft", lambda asked: marked_draft(asked).model_copy(update={"flags": flags})
    )
    page = visit(serve(FakePipeline(marked=True)))
    write(page, files)
    more(page)
    fold, text = page.locator("details[data-keep=left-out]"), description(page)
    expect(page.locator("ul.flags li")).to_have_count(0)
    expect(page.locator(".bottom [role=status]")).not_to_contain_text("unproven")
    if not words:
        return expect(fold).to_have_count(0)
    expect(fold.locator("summary")).to_have_text("Left out of the text: 2")
    expect(fold.get_by_role("button")).to_have_count(0)
    fold.locator("summary").click()
    assert all(button.bounding_box()["height"] >= 44 for button in fold.get_by_role("button").all())
    assert findings(page) == []
    fold.get_by_role("button", name="leopard").click()
    expect(text).to_have_value(re.compile("It has a leopard lining[.]$"))
    expect(fold.locator("summary")).to_have_text("Left out of the text: 1")
    fold.get_by_role("button", name="size M, soft").click()
    expect(fold).to_have_count(0)
    expect(text).to_have_value(re.compile("It is size M[.] It has a leopard lining[.]$"))
    page.locator(".bottom").get_by_role("button", name="Undo").click()
    expect(fold.get_by_role("button")).to_have_text("+size M, soft")
