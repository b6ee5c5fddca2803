"""Contact data and prohibited goods in what a seller types on the page."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.app.seller.conftest import Page, add, expect, facts, publish, put_online, write
from tests.fakes import FakePipeline

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


def test_what_is_opened_stays_open_when_the_page_is_drawn_at_once(
    serve: Any, visit: Any, pipeline: Any, files: list[str]
) -> None:
    page = visit(serve(pipeline))
    add(page, files)
    write(page)
    for is_open in (True, False):
        press = "() => { document.querySelector('#h-facts').click(); return window.iplState.open.has('facts'); }"
        assert page.evaluate(press) is is_open
        expect(page.locator("details[data-keep=facts][open]")).to_have_count(int(is_open))


def test_the_page_says_what_was_taken_out(serve: Any, visit: Any, pipeline: Any, files: list[str]) -> None:
    url = serve(pipeline)
    page = visit(url)
    add(page, files)
    write(page)
    page.get_by_label("Title", exact=True).fill("Glock 19 pistol, 9mm")
    put_online(page)
    expect(page.locator("#ipl-status")).to_contain_text("cannot be listed")
    assert httpx.get(f"{url}v1/listings").json() == {"listings": []}

    page.get_by_label("Title", exact=True).fill("Hoodie, ask vera@example.org")
    page.get_by_label("Description", exact=True).fill("Warm. Call +49 170 1234567.")
    facts(page)
    page.locator("#f-brand").click()
    page.locator("#e-brand").fill("Nike, ask otto@example.org")
    page.locator("#p-brand").get_by_role("button", name="Save").click()
    expect(page.locator("#f-brand")).to_contain_text("otto@example.org")
    put_online(page)
    expect(page.get_by_role("heading", name="It is online")).to_be_visible()
    for words in ("vera@example.org", "+49 170 1234567", "otto@example.org"):
        expect(page.locator("#ipl-status")).to_contain_text(words)
    listing = httpx.get(f"{url}v1/listings").json()["listings"][0]
    assert listing["title"] == "Hoodie"
    assert listing["description"] == "Warm."
    assert listing["attributes"]["brand"] == "Nike"

    page.get_by_role("button", name="See my listings").click()
    expect(page.locator("#ipl-told")).not_to_contain_text("example.org")
    item = page.locator(".item")
    item.get_by_role("button", name="Edit").click()
    item.get_by_label("Title").fill("Hoodie")
    item.get_by_label("Description").fill("Warm. Write to anna@example.org.")
    item.get_by_role("button", name="Save changes").click()
    expect(page.locator("#ipl-told")).to_contain_text("anna@example.org")
    expect(item.get_by_role("heading", name="Hoodie", exact=True)).to_be_visible()
    item.get_by_role("button", name="Edit").click()
    item.get_by_label("Title").fill("Glock 19 pistol, 9mm")
    item.get_by_role("button", name="Save changes").click()
    expect(item).to_contain_text("cannot be listed")
    listing = httpx.get(f"{url}v1/listings").json()["listings"][0]
    assert (listing["title"], listing["description"]) == ("Hoodie", "Warm.")


def test_a_press_counts_though_the_page_is_drawn_again_under_it(serve: Any, visit: Any, files: list[str]) -> None:
    page = visit(serve(FakePipeline()))
    add(page, files)
    write(page)
    page.get_by_label("Price in EUR").fill("15")
    publish(page).scroll_into_view_if_needed()
    box = publish(page).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.evaluate("const b = document.querySelector('.bottom'); b.outerHTML = b.outerHTML;")
    page.mouse.up()
    expect(page.get_by_role("heading", name="It is online")).to_be_visible()


def begin_press(page: Page, control: str) -> None:
    """Press the button of the mouse over it, and hold."""
    shown = page.locator(control)
    shown.evaluate("e => e.scrollIntoView({ block: 'center' })")  # the bar at the bottom lies over what ends there
    box = shown.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()


@pytest.mark.parametrize(("control", "opened"), [("#f-colour", "#p-colour"), ("#h-facts", "#f-colour")])
def test_what_opens_opens_though_the_page_moves_under_the_press(
    serve: Any, visit: Any, files: list[str], control: str, opened: str
) -> None:
    page = visit(serve(FakePipeline(marked=True)), "desktop")
    add(page, files)
    write(page)
    if control == "#f-colour":
        facts(page)
    page.get_by_label("Price in EUR").fill("-5")
    publish(page).click()
    expect(page.locator("#err-price [role=alert]")).to_be_visible()
    page.get_by_label("Price in EUR").fill("15")
    begin_press(page, control)  # leaves the price, which is saved: the error goes, and all below it moves up
    page.wait_for_function("([what]) => !document.querySelector(what).matches(':hover')", arg=[control])
    page.mouse.up()
    expect(page.locator(opened)).to_be_visible()


def test_a_press_counts_for_what_was_pressed_though_something_else_took_its_place(
    serve: Any, visit: Any, files: list[str]
) -> None:
    page = visit(serve(FakePipeline(marked=True)), "desktop")
    add(page, files)
    write(page)
    facts(page)
    begin_press(page, "#f-colour")
    page.evaluate(EXCHANGED, ["#f-colour", "#f-closure"])
    page.mouse.up()
    expect(page.locator("#p-colour")).to_be_visible()
    expect(page.locator("#p-closure")).to_be_hidden()
    page.locator("#f-closure").click()
    expect(page.locator("#p-closure")).to_be_visible()


def test_publishing_without_a_price_asks_once(serve: Any, visit: Any, files: list[str]) -> None:
    url = serve(FakePipeline())
    page = visit(url)
    add(page, files)
    write(page)
    publish(page).click()
    question = page.get_by_role("group", name="Publish without a price?")
    expect(question.get_by_role("button", name="Publish without a price")).to_be_focused()
    assert httpx.get(f"{url}v1/listings").json() == {"listings": []}
    question.get_by_role("button", name="Set a price").click()
    expect(question).to_be_hidden()
    expect(page.get_by_label("Price in EUR")).to_be_focused()
    publish(page).click()
    expect(page.get_by_role("heading", name="It is online")).to_be_visible()
    assert httpx.get(f"{url}v1/listings").json()["listings"][0]["price"] is None
