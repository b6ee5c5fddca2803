"""Words that are only likely: underlined in the text, settled by one tap each or by one for all."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.app.seller.conftest import SIZES, add, expect, publish, write
from tests.app.seller.test_seller_page_axe import findings
from tests.fakes import FakePipeline

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("size", SIZES)
def test_marked_words_are_settled_by_taps(size: str, serve: Any, visit: Any, files: list[str]) -> None:
    url = serve(FakePipeline(marked=True))
    page = visit(url, size, dark=size == "desktop")
    add(page, files)
    write(page)
    title, text = page.get_by_label("Title", exact=True), page.get_by_label("Description", exact=True)
    panel, bottom = page.get_by_role("region", name="Please check"), page.locator(".bottom")
    before = {field: field.input_value() for field in (title, text)}
    expect(page.locator(".mirror mark.check").filter(has_text="Navy")).to_have_count(2)
    assert set(page.locator(".mirror mark.check").all_inner_texts()) == {"Navy", "hoodie", "pockets"}
    expect(bottom).to_contain_text("3 words are not confirmed.")
    expect(page.get_by_role("button", name="Sofa")).to_have_count(0)
    assert findings(page) == []

    panel.get_by_role("group", name="navy").get_by_role("button", name="black").click()
    for field, words in before.items():
        assert words.startswith("Navy hoodie")
        expect(field).to_have_value(words.replace("Navy", "Black"))
    expect(page.locator("#f-colour")).to_contain_text("you told us")
    expect(panel.get_by_role("group")).to_have_count(2)
    expect(bottom).to_contain_text("2 words are not confirmed.")

    panel.get_by_role("button", name="All of this is right").click()
    expect(panel).to_have_count(0)
    expect(page.locator(".mirror mark")).to_have_count(0)
    expect(bottom).not_to_contain_text("not confirmed")
    publish(page).click()
    expect(page.get_by_role("heading", name="It is online")).to_be_visible()
    listing = httpx.get(f"{url}v1/listings").json()["listings"][0]
    assert listing["title"] == before[title].replace("Navy", "Black")
    assert listing["description"] == before[text].replace("Navy", "Black")
    assert listing["attributes"]["colour"] == "black"
