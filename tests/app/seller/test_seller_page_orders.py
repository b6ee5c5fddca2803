"""A thing that was bought, on its seller's page: hand it over, or cancel the sale and sell it again."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.app.seller.conftest import Page, expect
from tests.app.seller.test_seller_page_axe import findings
from tests.fakes import jpeg

pytestmark = pytest.mark.browser


def bought(url: str, listing: dict[str, Any], buyer: str = "vera") -> None:
    """Somebody buys it."""
    body = {"listing_id": listing["id"], "price": listing["price"], "buyer": buyer}
    answer = httpx.post(f"{url}v1/orders", json=body, headers={"Idempotency-Key": f"{buyer} {listing['id']}"})
    assert answer.status_code == 201, answer.text


def listed(url: str, **fields: Any) -> dict[str, Any]:
    """A listing, published through the API."""
    draft = httpx.post(f"{url}v1/drafts", files={"photos": jpeg()}, timeout=60).json()["id"]
    listing: dict[str, Any] = httpx.post(f"{url}v1/listings", json={"draft_id": draft, **fields}, timeout=60).json()
    return listing


def mine(page: Page) -> None:
    """Look at the listings anew."""
    page.get_by_role("button", name="Sell", exact=True).click()
    page.get_by_role("button", name="My listings").click()


def test_a_sale_is_handed_over_or_cancelled(serve: Any, visit: Any, pipeline: Any) -> None:
    url = serve(pipeline)
    listing = listed(url, title="Umbro hoodie", price=15.5)
    page = visit(url)
    bought(url, listing)
    mine(page)
    item = page.locator(".item")
    expect(item).to_contain_text("Sold: hand it over")
    expect(item.locator(".order")).to_contain_text("15.50 EUR")
    expect(item.get_by_role("button", name="Sell again")).to_have_count(0)

    # Deleting is refused with the reason, and the listing stays.
    item.get_by_role("button", name="Delete", exact=True).click()
    item.get_by_role("button", name="Yes, delete it").click()
    expect(page.locator("#ipl-told")).to_contain_text("complete, cancel or refund")
    expect(item).to_have_count(1)

    # Cancelling is asked twice; then it can be sold again.
    item.get_by_role("button", name="Cancel the sale").click()
    assert findings(page) == []
    item.get_by_role("button", name="Keep the sale").click()
    expect(item).to_contain_text("Sold: hand it over")
    item.get_by_role("button", name="Cancel the sale").click()
    item.get_by_role("button", name="Yes, cancel it").click()
    expect(item.locator(".order")).to_have_count(0)
    expect(page.locator("#ipl-told")).to_contain_text("Cancelled")
    item.get_by_role("button", name="Sell again").click()
    expect(item.locator(".pill")).to_have_text("For sale")

    # What was handed over stays sold, and may be deleted.
    bought(url, listing, "otto")
    mine(page)
    item.get_by_role("button", name="Handed over").click()
    expect(item.locator(".order")).to_have_count(0)
    expect(item.locator(".pill")).to_have_text("Sold")
    expect(item.get_by_role("button", name="Sell again")).to_have_count(0)
    item.get_by_role("button", name="Yes, delete it").click()
    expect(item).to_have_count(0)


def test_each_of_several_sales_has_its_own_buttons(serve: Any, visit: Any, pipeline: Any) -> None:
    url = serve(pipeline)
    listing = listed(url, title="Mugs", price=3)
    httpx.patch(f"{url}v1/listings/{listing['id']}", json={"stock": 8})
    for n in range(7):
        bought(url, listing, f"v{n}")
    page = visit(url)
    mine(page)
    item = page.locator(".item")
    expect(item.locator(".pill")).to_have_text("For sale")
    expect(item.locator(".order")).to_have_count(5)
    expect(item).to_contain_text("More")
    for left in (5, 5, 4):  # seven, less one after the other
        oldest = item.locator("button[data-do=handed]").first.get_attribute("data-id")
        item.locator(f"button[data-id='{oldest}']").first.click()
        expect(item.locator(f"button[data-id='{oldest}']")).to_have_count(0)
        expect(item.locator(".order")).to_have_count(left)
