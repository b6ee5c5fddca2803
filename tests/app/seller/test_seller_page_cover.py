"""The cover on a plain background: looked at, kept beside the seller's own photo, taken back."""

from __future__ import annotations

from typing import Any

import pytest

from app.drafting.covers import Covers
from listing.observe.networks.cover import CoverError
from tests.app.seller.conftest import add, expect, write
from tests.app.seller.test_seller_page_axe import findings
from tests.fakes import FakePipeline, jpeg

pytestmark = pytest.mark.browser


def test_a_plain_cover_is_looked_at_kept_and_taken_back(
    serve: Any, visit: Any, files: list[str], monkeypatch: Any
) -> None:
    monkeypatch.setattr(Covers, "of", lambda *_: jpeg((246, 246, 244)))
    page = visit(serve(FakePipeline()))
    add(page, files)
    write(page)
    shots, own = page.locator(".shot"), page.locator(".shot").first.get_attribute("data-photo")
    ask = page.get_by_role("button", name="Cover on a plain background")
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


def test_where_there_is_no_cover_it_is_said(serve: Any, visit: Any, files: list[str], monkeypatch: Any) -> None:
    def torn(*_: object) -> bytes:
        raise CoverError("Item and background cannot be told apart; lay it on a plain one.")

    monkeypatch.setattr(Covers, "of", torn)
    page = visit(serve(FakePipeline()))
    add(page, files)
    write(page)
    page.get_by_role("button", name="Cover on a plain background").click()
    expect(page.locator("#ipl-photos")).to_contain_text("cannot be told apart")
    expect(page.locator(".shot")).to_have_count(2)
