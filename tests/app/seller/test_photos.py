"""Photos and fields that change: before and after publishing, over reloads and devices; errors stand at their field."""

from __future__ import annotations

import csv
import io
from typing import Any

import httpx
import pytest

from app.drafting.covers import Covers
from listing.observe.networks.cover import CoverError
from tests.app.support.pages import (
    Page,
    add,
    description,
    expect,
    facts,
    findings,
    listed,
    listings,
    note,
    price,
    put_online,
    size_question,
    title,
    write,
)
from tests.app.support.shop import bought
from tests.fakes import FakePipeline, jpeg, picture

pytestmark = pytest.mark.browser


@pytest.fixture
def third(tmp_path: Any) -> str:
    """A photo beside ``files``."""
    path = tmp_path / "third.jpg"
    path.write_bytes(picture(1))
    return str(path)


def check_buyers_page(page: Page, photos: list[str | None]) -> None:
    """The published listing as buyers see it: these photos, in this order."""
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="See it as buyers do").click()
    buyers = opened.value
    expect(buyers.get_by_role("heading", name="Navy hoodie with zip")).to_be_visible()
    expect(buyers.get_by_role("img")).to_have_count(len(photos))
    own = page.url.partition("?")[0]
    for number, photo in enumerate(photos, 1):
        shown = buyers.request.get(f"{buyers.url}/photos/{number}").body()
        assert shown == buyers.request.get(f"{own}v1/photos/{photo}").body()
    for image in buyers.get_by_role("img").all():
        image.evaluate("(image) => image.decode()")
    assert buyers.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert findings(buyers) == []


def test_photos_change_before_and_after_publishing(serve: Any, visit: Any, files: list[str], third: str) -> None:
    url = serve(FakePipeline())
    page = visit(url)
    write(page, files)
    add(page, [third])
    first, second, last = (page.locator(".shot").nth(n).get_attribute("data-photo") for n in range(3))
    page.get_by_role("button", name="Remove photo 1").click()
    expect(page.locator(".shot")).to_have_count(2)
    page.get_by_role("button", name="Move photo 2 earlier").click()
    expect(page.locator(".shot").nth(0)).to_have_attribute("data-photo", last or "")
    facts(page)
    page.locator("#f-brand").click()
    expect(page.locator("#p-brand")).to_contain_text("In a photo that is no longer here")
    expect(page.locator("#p-brand .crop")).to_have_count(0)
    note(page).fill("Worn three times.")
    page.get_by_role("button", name="Write it again from the photos").click()
    expect(description(page)).to_have_value(
        "Navy hoodie with a zip and a hood. Warm and soft fleece. Rarely worn.\n\nWorn three times."
    )
    expect(page.locator("#p-brand .crop")).to_have_count(1)
    price(page).fill("15")
    put_online(page)
    expect(page.get_by_role("heading", name="It is online")).to_be_focused()
    check_buyers_page(page, [last, second])
    assert httpx.get(f"{url}v1/photos/{first}").status_code == 404

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
    chooser.value.set_files(files[0])
    expect(item.locator(".shot")).to_have_count(2)
    assert len(listings(url)[0]["photos"]) == 2


def test_what_is_published_is_changed_and_exported(serve: Any, visit: Any, tmp_path: Any) -> None:
    url = serve(FakePipeline())
    listed(url, title="Umbro hoodie", price=15)
    page = visit(url)
    page.get_by_role("button", name="My listings").click()
    item = page.locator(".item")
    item.get_by_role("button", name="Edit").click()
    item.locator("summary", has_text="Facts").click()
    item.get_by_label("Size", exact=True).fill("L")
    item.get_by_label("Material", exact=True).fill("x" * 100)
    assert findings(page) == []
    item.get_by_role("button", name="Save").click()
    expect(item.locator(".err [role=alert]")).to_contain_text("shorten it to at most 80")
    expect(item.locator(".err [role=alert]")).to_be_in_viewport()
    expect(item.get_by_label("Size", exact=True)).to_have_value("L")
    assert listings(url)[0]["attributes"]["size"] == "L"
    assert "material" not in listings(url)[0]["attributes"]
    page.locator("summary", has_text="Take them elsewhere").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Google Merchant").click()
    (row,) = csv.DictReader(io.StringIO(download.value.path().read_text(encoding="utf-8")))
    assert (row["price"], row["size"]) == ("15.00 EUR", "L")


def test_a_sale_is_handed_over_or_cancelled(serve: Any, visit: Any, pipeline: Any) -> None:
    url = serve(pipeline)
    listing = listed(url, title="Umbro hoodie", price=15.5)
    page, client = visit(url), httpx.Client(base_url=url)
    bought(client, listing)

    def look() -> Any:
        page.get_by_role("button", name="Sell", exact=True).click()
        page.get_by_role("button", name="My listings").click()
        return page.locator(".item")

    item = look()
    expect(item).to_contain_text("Sold: hand it over")
    expect(item.locator(".order")).to_contain_text("15.50 EUR")
    expect(item.get_by_role("button", name="Sell again")).to_have_count(0)
    item.get_by_role("button", name="Delete", exact=True).click()
    item.get_by_role("button", name="Yes, delete it").click()
    expect(page.locator("#ipl-notices")).to_contain_text("complete, cancel or refund")
    expect(item).to_have_count(1)

    # Cancelling is asked twice; then it is on sale again.
    item.get_by_role("button", name="Cancel the sale").click()
    assert findings(page) == []
    item.get_by_role("button", name="Keep the sale").click()
    expect(item).to_contain_text("Sold: hand it over")
    item.get_by_role("button", name="Cancel the sale").click()
    item.get_by_role("button", name="Yes, cancel it").click()
    expect(item.locator(".order")).to_have_count(0)
    expect(page.locator("#ipl-notices")).to_contain_text("The buyer is told, and it is on sale again.")
    expect(item.locator(".pill")).to_have_text("For sale")

    # What was handed over stays sold, and may be deleted.
    bought(client, listing, "k2", "otto")
    item = look()
    item.get_by_role("button", name="Handed over").click()
    expect(item.locator(".order")).to_have_count(0)
    expect(item.locator(".pill")).to_have_text("Sold")
    expect(item.get_by_role("button", name="Sell again")).to_have_count(0)
    item.get_by_role("button", name="Yes, delete it").click()
    expect(item).to_have_count(0)


def test_a_reload_and_another_device_lose_nothing(serve: Any, visit: Any, files: list[str], third: str) -> None:
    url = serve(FakePipeline())
    page = visit(url)
    add(page, files)
    note(page).fill("Worn twice.")
    write(page)
    title(page).fill("My own title")
    price(page).fill("15")
    size_question(page).get_by_role("button", name="M", exact=True).click()
    expect(size_question(page)).to_have_count(0)
    first = page.locator(".shot").first.get_attribute("data-photo")
    page.reload()
    expect(title(page)).to_have_value("My own title")
    expect(price(page)).to_have_value("15")
    expect(note(page)).to_have_value("Worn twice.")
    facts(page)
    expect(page.locator("#f-size")).to_contain_text("you told us")
    add(page, [third])
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
    expect(other.locator(".shot")).to_have_count(3)
    expect(title(other)).to_have_value("My own title")
    other.get_by_role("button", name="My listings").click()
    draft.get_by_role("button", name="Throw away").click()
    draft.get_by_role("button", name="Yes, throw it away").click()
    expect(draft).to_have_count(0)
    assert httpx.get(f"{url}v1/photos/{first}").status_code == 404


def test_an_error_stands_at_its_field(serve: Any, visit: Any, files: list[str]) -> None:
    url = serve(FakePipeline())
    page = visit(url)
    write(page, files)
    errors = {name: page.locator(f"#err-{name} [role=alert]") for name in ("price", "title")}
    price(page).fill("-5")
    put_online(page)
    expect(errors["price"]).to_contain_text("A price cannot lie below 0")
    expect(errors["price"]).to_be_in_viewport()
    expect(price(page)).to_have_value("-5")
    price(page).fill("1.000")
    title(page).fill("x" * 10_000)
    page.locator("#h-more").scroll_into_view_if_needed()
    put_online(page)
    expect(errors["title"]).to_contain_text("shorten it to at most 120")
    expect(errors["title"]).to_be_in_viewport()
    expect(errors["price"]).to_have_count(0)
    assert findings(page) == []
    title(page).fill("A hoodie")
    put_online(page)
    expect(page.locator(".done-page")).to_contain_text("1000 EUR")
    assert [x["title"] for x in listings(url)] == ["A hoodie"]


def test_a_plain_cover_is_tried_kept_and_undone(serve: Any, visit: Any, files: list[str], monkeypatch: Any) -> None:
    def torn(*_: object) -> bytes:
        raise CoverError("Item and background cannot be told apart; lay it on a plain one.")

    monkeypatch.setattr(Covers, "of", torn)
    page = visit(serve(FakePipeline()))
    write(page, files)
    shots, own = page.locator(".shot"), page.locator(".shot").first.get_attribute("data-photo")
    ask = page.get_by_role("button", name="Cover on a plain background")
    ask.click()
    expect(page.locator("#ipl-photos")).to_contain_text("cannot be told apart")
    expect(shots).to_have_count(2)
    monkeypatch.setattr(Covers, "of", lambda *_: jpeg((246, 246, 244)))
    ask.click()
    preview = page.get_by_role("group", name="On a plain background")
    expect(preview.get_by_role("img", name="Your item on a plain background")).to_be_visible()
    assert findings(page) == []
    preview.get_by_role("button", name="Not this one").click()
    expect(preview).to_have_count(0)
    ask.click()
    preview.get_by_role("button", name="Use it as the cover").click()
    expect(shots).to_have_count(3)
    expect(shots.nth(1)).to_have_attribute("data-photo", own)
    expect(page.get_by_role("button", name="Look at it")).to_have_count(0)  # there is nothing new on it
    page.locator(".plain").get_by_role("button", name="Undo").click()
    expect(shots).to_have_count(2)
    expect(shots.first).to_have_attribute("data-photo", own)
    expect(ask).to_be_visible()
