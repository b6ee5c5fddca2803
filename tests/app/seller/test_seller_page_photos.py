"""Photos that change after the draft is written, and the listing as buyers see it, in a browser."""

from __future__ import annotations

from typing import Any

import pytest

from tests.app.seller.conftest import add, expect, facts, put_online, write
from tests.app.seller.test_seller_page_axe import findings
from tests.app.support.pictures import picture
from tests.fakes import FakePipeline

pytestmark = pytest.mark.browser


def test_what_is_on_the_screen_is_what_buyers_see(serve: Any, visit: Any, files: list[str], tmp_path: Any) -> None:
    url = serve(FakePipeline())
    page = visit(url)
    third = tmp_path / "third.jpg"
    third.write_bytes(picture(1))
    add(page, files)
    write(page)
    add(page, [str(third)])
    first, second, last = (page.locator(".shot").nth(n).get_attribute("data-photo") for n in range(3))
    page.get_by_role("button", name="Remove photo 1").click()
    expect(page.locator(".shot")).to_have_count(2)
    page.get_by_role("button", name="Move photo 2 earlier").click()
    expect(page.locator(".shot").nth(0)).to_have_attribute("data-photo", last or "")
    facts(page)
    page.locator("#f-brand").click()
    expect(page.locator("#p-brand")).to_contain_text("In a photo that is no longer here")
    expect(page.locator("#p-brand .crop")).to_have_count(0)

    page.get_by_label("Anything a buyer should know?").fill("Worn three times.")
    page.get_by_role("button", name="Write it again from the photos").click()
    expect(page.get_by_label("Description", exact=True)).to_have_value(
        "Navy hoodie with a zip and a hood. Warm and soft fleece. Rarely worn.\n\nWorn three times."
    )
    expect(page.locator("#p-brand .crop")).to_have_count(1)
    put_online(page)
    expect(page.get_by_role("heading", name="It is online")).to_be_focused()
    assert findings(page) == []

    with page.context.expect_page() as opened:
        page.get_by_role("link", name="See it as buyers do").click()
    buyers = opened.value
    expect(buyers.get_by_role("heading", name="Navy hoodie with zip")).to_be_visible()
    expect(buyers.get_by_role("img")).to_have_count(2)
    for number, photo in enumerate((last, second), 1):
        shown = buyers.request.get(f"{buyers.url}/photos/{number}").body()
        assert shown == buyers.request.get(f"{url}v1/photos/{photo}").body()
    for image in buyers.get_by_role("img").all():
        image.evaluate("(image) => image.decode()")
    assert buyers.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert findings(buyers) == []
    assert buyers.request.get(f"{url}v1/photos/{first}").status == 404
    page.get_by_role("button", name="See my listings").click()
    expect(page.locator(".item").get_by_role("link", name="See it as buyers do")).to_be_visible()
    assert findings(page) == []
