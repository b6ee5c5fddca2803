"""Bars at the lower edge are above all else; what stands filled in is selected; the first press of a fresh browser."""

from __future__ import annotations

from typing import Any

import pytest

from tests.app.support.clients import published
from tests.app.support.local_servers import served
from tests.app.support.pages import add, drawn, expect, facts, listed, publish, write
from tests.fakes import FakePipeline

pytestmark = pytest.mark.browser
WIDTHS = (320, 390, 640, 939, 940, 1280)  # 640 at 200 % of a desktop's zoom is 1280
# What lies above a fixed or sticky bar at one of its points, also where a finger would pass through it.
ABOVE = """() => {
  const kinds = ["fixed", "sticky"], found = new Set();
  for (const bar of document.querySelectorAll("body *")) {
    if (!kinds.includes(getComputedStyle(bar).position) || !bar.checkVisibility({ visibilityProperty: true })) continue;
    const { left, right, top, bottom } = bar.getBoundingClientRect();
    if (bottom < innerHeight - 40) continue;
    for (let x = left + 4; x < right; x += (right - left) / 24) for (let y = top + 3; y < bottom; y += 9) {
      const over = document.elementFromPoint(x, y);
      if (over && !bar.contains(over) && !over.contains(bar)) found.add(over.outerHTML.slice(0, 100));
    }
  }
  return [...found];
}"""


SEES_ALL = "*, *::before, *::after { pointer-events: auto !important; }"


def above_bars(page: Any) -> list[str]:
    """Whatever is painted over a bar while the page is scrolled from its top to its end."""
    found: list[str] = []
    for at in range(0, page.evaluate("document.documentElement.scrollHeight"), 97):
        page.evaluate(f"window.scrollTo(0, {at})")
        drawn(page)
        found += page.evaluate(ABOVE)
    return found


def test_nothing_is_above_a_bar(serve: Any, visit: Any, files: list[str]) -> None:
    page = visit(serve(FakePipeline(marked=True)))
    write(page, files)
    facts(page)
    page.add_style_tag(content=SEES_ALL)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 640})
        drawn(page)
        expect(publish(page)).to_be_in_viewport()
        assert above_bars(page) == [], width
        # At the end of the page all of it can be seen.
        page.evaluate("window.scrollTo(0, 1e6)")
        last, bar = page.locator("#ipl-write").bounding_box(), page.locator(".bottom").bounding_box()
        assert last["y"] + last["height"] <= bar["y"] or last["y"] >= bar["y"] + bar["height"], width


def test_nothing_is_above_the_progress(serve: Any, visit: Any, files: list[str]) -> None:
    pipeline = FakePipeline(hold_at="text")
    page = visit(serve(pipeline))
    add(page, files)
    page.locator("#ipl-write").click()
    expect(page.locator(".work")).to_be_visible()
    page.add_style_tag(content=SEES_ALL)
    assert above_bars(page) == []
    pipeline.go_on.set()


def test_the_price_hint_keeps_its_distance(serve: Any, visit: Any, files: list[str]) -> None:
    page = visit(serve(FakePipeline(marked=True)))
    write(page, files)
    for width, height in ((390, 844), (1280, 900)):
        page.set_viewport_size({"width": width, "height": height})
        drawn(page)
        field = page.locator(".money").bounding_box()
        hint = page.get_by_text("From 2 listings that are similar.").bounding_box()
        assert hint["y"] - (field["y"] + field["height"]) >= 8, width


def test_a_card_that_opens_leaves_its_neighbour_alone(serve: Any, visit: Any) -> None:
    url = serve(FakePipeline())
    for title in ("Blue hoodie", "Red hoodie"):
        listed(url, title=title, price=10)
    page = visit(url, "desktop")
    page.get_by_role("button", name="My listings").click()
    expect(page.locator(".item")).to_have_count(2)
    one, other = page.locator(".item").all()
    before = other.bounding_box()
    one.get_by_role("button", name="Edit").click()
    expect(one.get_by_label("Title")).to_be_visible()
    assert other.bounding_box()["height"] == before["height"]


def test_what_is_filled_in_is_selected_when_it_is_entered(serve: Any, visit: Any, files: list[str]) -> None:
    url = serve(FakePipeline())
    listed(url, title="Blue hoodie", price=10)
    page = visit(url)
    write(page, files)
    facts(page)
    page.locator("#f-brand").click()
    brand = page.locator("#e-brand")
    brand.click()
    page.keyboard.type("Umbro")
    expect(brand).to_have_value("Umbro")
    page.locator("#f-colour").click()
    brand.click(position={"x": 20, "y": 20})  # what was typed is not: the caret goes where the press was
    page.keyboard.type("x")
    assert sorted(brand.input_value()) == sorted("Umbrox")
    page.get_by_role("button", name="My listings").click()
    page.locator(".item").get_by_role("button", name="Edit").click()
    for label, typed in (("Price (EUR)", "12"), ("Title", "Green hoodie")):
        field = page.locator(".item").get_by_label(label)
        field.click()
        page.keyboard.type(typed)
        expect(field).to_have_value(typed)
    page.locator(".item").get_by_text("Facts").click()
    size = page.locator(".item").get_by_label("Brand")
    size.focus()
    page.keyboard.type("Puma")
    expect(size).to_have_value("Puma")


def test_the_seller_s_first_press_in_a_fresh_browser(build: Any, client: Any, services: Any, visit: Any) -> None:
    listing = published(client, title="Blue hoodie")
    services.orders.buy("visitor-else", listing["id"], "k", price=10)
    with served(services) as url:
        page = visit(url)
        page.get_by_role("button", name="My listings").click()
        page.get_by_role("link", name="Write to the buyer").click()
        page.get_by_label("Write to the buyer").fill("Come to 12 Baker Street, London NW1 6XE, at 18:30.")
        page.get_by_role("button", name="Send", exact=True).click()
        expect(page.locator(".said.mine")).to_contain_text("12 Baker Street, London NW1 6XE, at 18:30.")
