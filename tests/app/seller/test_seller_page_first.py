"""The listing first: few taps to a published one, nothing lost by a reload, errors at their field, edits afterwards."""

from __future__ import annotations

import csv
import io
from typing import Any

import httpx
import pytest

from tests.app.seller.conftest import Page, add, expect, facts, publish, put_online, write
from tests.app.seller.test_seller_page_axe import findings
from tests.app.support.pictures import picture
from tests.fakes import FakePipeline

pytestmark = pytest.mark.browser


def taps(page: Page) -> int:
    """How often somebody has tapped or clicked here."""
    return int(page.evaluate("window.taps ?? 0"))


def test_photos_to_published_in_six_taps(serve: Any, visit: Any, files: list[str]) -> None:
    url = serve(FakePipeline(marked=True))
    page = visit(url)
    page.evaluate("addEventListener('pointerdown', () => { window.taps = (window.taps ?? 0) + 1; }, true)")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Add photos").click()
    chooser.value.set_files(files)
    expect(page.locator(".shot")).to_have_count(2)
    write(page)
    title = page.get_by_label("Title", exact=True)
    expect(title).to_be_in_viewport()
    assert page.evaluate("scrollY") == 0
    page.get_by_role("button", name="All of this is right").click()
    page.get_by_role("group", name="Which size is on the label?").get_by_role("button", name="M", exact=True).click()
    expect(title).to_have_value("Navy hoodie with ribbed cuffs, size M")
    page.get_by_label("Price in EUR").click()
    page.keyboard.type("12,50 €")
    expect(publish(page)).to_be_in_viewport()
    put_online(page)
    expect(page.get_by_role("heading", name="It is online")).to_be_visible()
    assert taps(page) <= 6
    listing = httpx.get(f"{url}v1/listings").json()["listings"][0]
    assert (listing["title"], listing["price"]) == ("Navy hoodie with ribbed cuffs, size M", 12.5)


def test_a_reload_loses_nothing(serve: Any, visit: Any, files: list[str], tmp_path: Any) -> None:
    url = serve(FakePipeline())
    page = visit(url)
    third = tmp_path / "third.jpg"
    third.write_bytes(picture(1))
    add(page, files)
    page.get_by_label("Anything a buyer should know?").fill("Worn twice.")
    write(page)
    page.get_by_label("Title", exact=True).fill("My own title")
    page.get_by_label("Price in EUR").fill("15")
    page.get_by_role("group", name="Which size is on the label?").get_by_role("button", name="M", exact=True).click()
    expect(page.get_by_role("group", name="Which size is on the label?")).to_have_count(0)
    first, second = (page.locator(".shot").nth(n).get_attribute("data-photo") for n in range(2))

    page.reload()
    expect(page.get_by_label("Title", exact=True)).to_have_value("My own title")
    expect(page.get_by_label("Price in EUR")).to_have_value("15")
    expect(page.get_by_label("Anything a buyer should know?")).to_have_value("Worn twice.")
    facts(page)
    expect(page.locator("#f-size")).to_contain_text("you told us")

    # Photos change after the draft, too, and what is new is looked at when the seller says so.
    page.get_by_role("button", name="Move photo 2 earlier").click()
    expect(page.locator(".shot").first).to_have_attribute("data-photo", second or "")
    page.get_by_role("button", name="Remove photo 2").click()
    expect(page.locator(".shot")).to_have_count(1)
    add(page, [str(third)])
    expect(page.locator("#ipl-status")).to_contain_text("has not been looked at yet")

    # Another device of the same seller; there it is thrown away after a second question.
    other = visit(url, "desktop")
    expect(other.get_by_role("button", name="Go on with it")).to_be_visible()
    other.get_by_role("button", name="Not now").click()
    expect(other.get_by_role("button", name="Go on with it")).to_have_count(0)
    other.get_by_role("button", name="My listings").click()
    draft = other.locator(".drafts .item")
    expect(draft).to_contain_text("My own title")
    assert findings(other) == []
    draft.get_by_role("button", name="Go on").click()
    expect(other.locator(".shot")).to_have_count(2)
    expect(other.get_by_label("Title", exact=True)).to_have_value("My own title")
    other.get_by_role("button", name="My listings").click()
    draft.get_by_role("button", name="Throw away").click()
    draft.get_by_role("button", name="Yes, throw it away").click()
    expect(draft).to_have_count(0)
    assert httpx.get(f"{url}v1/photos/{first}").status_code == 404


def test_an_error_stands_at_its_field(serve: Any, visit: Any, files: list[str]) -> None:
    url = serve(FakePipeline())
    page = visit(url)
    add(page, files)
    write(page)
    price, title = page.get_by_label("Price in EUR"), page.get_by_label("Title", exact=True)
    price.fill("-5")
    put_online(page)
    expect(page.locator("#err-price [role=alert]")).to_contain_text("A price cannot lie below 0")
    expect(page.locator("#err-price [role=alert]")).to_be_in_viewport()
    expect(price).to_have_value("-5")
    price.fill("1.000")
    title.fill("x" * 10_000)
    page.locator("#h-quality").scroll_into_view_if_needed()
    put_online(page)
    expect(page.locator("#err-title [role=alert]")).to_contain_text("shorten it to at most 120")
    expect(page.locator("#err-title [role=alert]")).to_be_in_viewport()
    expect(page.locator("#err-price [role=alert]")).to_have_count(0)
    assert findings(page) == []
    title.fill("A hoodie")
    put_online(page)
    expect(page.locator(".done-page")).to_contain_text("1000 EUR")
    assert [x["title"] for x in httpx.get(f"{url}v1/listings").json()["listings"]] == ["A hoodie"]


def test_what_is_published_can_be_changed_and_taken_elsewhere(
    serve: Any, visit: Any, files: list[str], tmp_path: Any
) -> None:
    url = serve(FakePipeline())
    page = visit(url)
    third = tmp_path / "third.jpg"
    third.write_bytes(picture(1))
    add(page, files)
    write(page)
    page.get_by_label("Price in EUR").fill("15")
    put_online(page)
    page.get_by_role("button", name="See my listings").click()
    item = page.locator(".item")
    item.get_by_role("button", name="Edit").click()
    item.get_by_role("button", name="Move photo 2 earlier").click()
    item.get_by_role("button", name="Remove photo 2").click()
    expect(item.locator(".shot")).to_have_count(1)
    item.get_by_role("button", name="Remove photo 1").click()
    expect(item.locator(".err [role=alert]")).to_contain_text("A listing needs a photo")
    with page.expect_file_chooser() as chooser:
        item.get_by_role("button", name="Add photos").click()
    chooser.value.set_files(str(third))
    expect(item.locator(".shot")).to_have_count(2)
    item.locator("summary", has_text="Facts").click()
    item.get_by_label("Size", exact=True).fill("L")
    item.get_by_label("Material", exact=True).fill("x" * 100)
    assert findings(page) == []
    item.get_by_role("button", name="Save changes").click()
    expect(item.locator(".err [role=alert]")).to_contain_text("shorten it to at most 80")
    expect(item.locator(".err [role=alert]")).to_be_in_viewport()
    expect(item.get_by_label("Size", exact=True)).to_have_value("L")
    listing = httpx.get(f"{url}v1/listings").json()["listings"][0]
    assert listing["attributes"]["size"] == "L"
    assert "material" not in listing["attributes"]
    assert len(listing["photos"]) == 2

    page.locator("summary", has_text="Take them elsewhere").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Google Merchant").click()
    (row,) = csv.DictReader(io.StringIO(download.value.path().read_text(encoding="utf-8")))
    assert (row["price"], row["size"]) == ("15.00 EUR", "L")
