"""Each draft and the list have an address: reload, bookmark, back and forward lead there. News stand in the head."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from tests.app.seller.conftest import Page, add, expect, publish, put_online, ready, write
from tests.app.seller.test_seller_page_orders import bought, listed
from tests.app.support.pictures import picture
from tests.fakes import FakePipeline

pytestmark = pytest.mark.browser
DRAFT = re.compile(r"/\?draft=[\w-]+$")
LISTINGS = re.compile(r"/\?show=listings$")


def title(page: Page) -> Any:
    return page.get_by_label("Title", exact=True)


def test_back_and_forward_lead_through_the_page(serve: Any, visit: Any, files: list[str]) -> None:
    url = serve(FakePipeline())
    page = visit(url)
    page.get_by_role("button", name="My listings").click()
    expect(page).to_have_url(LISTINGS)
    page.go_back()
    expect(page).to_have_url(url)
    expect(page.get_by_role("heading", name="What are you selling?")).to_be_visible()
    add(page, files)
    write(page)
    expect(page).to_have_url(DRAFT)
    draft = page.url
    page.get_by_role("button", name="My listings").click()
    expect(page).to_have_url(LISTINGS)
    page.go_back()
    expect(page).to_have_url(draft)
    expect(publish(page)).to_be_visible()

    # Left while it is being typed in: nothing is lost.
    title(page).fill("Warm hoodie")
    page.go_back()
    expect(page).to_have_url(url)
    expect(page.locator(".shot")).to_have_count(0)
    expect(page.locator(".offer")).to_contain_text("Warm hoodie")
    page.go_forward()
    expect(page).to_have_url(draft)
    expect(title(page)).to_have_value("Warm hoodie")
    page.go_forward()
    expect(page).to_have_url(LISTINGS)
    expect(page.get_by_role("heading", name="My listings")).to_be_visible()
    page.get_by_role("link", name="Feed").click()
    expect(page).to_have_url(f"{url}feed")
    page.wait_for_load_state()
    page.go_back()
    expect(page.get_by_role("heading", name="My listings")).to_be_visible()


def test_a_draft_is_reloaded_bookmarked_and_gone_back_from(serve: Any, visit: Any, files: list[str]) -> None:
    url = serve(FakePipeline())
    page = visit(url)
    add(page, files)
    write(page)
    draft = page.url
    page.reload()
    ready(page)
    expect(publish(page)).to_be_visible()
    expect(page.locator(".shot")).to_have_count(2)
    expect(page).to_have_url(draft)

    page.get_by_role("button", name="My listings").click()
    page.get_by_role("button", name="Go on").click()
    expect(page).to_have_url(draft)
    expect(publish(page)).to_be_visible()
    page.go_back()
    expect(page).to_have_url(LISTINGS)
    expect(page.locator("[data-draft]")).to_have_count(1)
    page.reload()
    expect(page.locator("[data-draft]")).to_have_count(1)

    bookmark = visit(draft, "desktop")
    expect(publish(bookmark)).to_be_visible()
    put_online(bookmark)
    expect(bookmark.get_by_role("heading", name="It is online")).to_be_visible()
    page.goto(draft)
    expect(page.get_by_role("alert")).to_contain_text("It is published already")
    expect(page.locator("[data-listing]")).to_have_count(1)
    expect(page).to_have_url(LISTINGS)
    page.goto(f"{url}?draft=nothing")
    expect(page.get_by_role("alert").filter(has_text="There is no such draft")).to_be_visible()
    expect(page).to_have_url(url)


def test_while_it_is_written_back_leaves_it_where_it_is(serve: Any, visit: Any, files: list[str]) -> None:
    pipeline = FakePipeline(hold_at="draft")
    url = serve(pipeline)
    page = visit(url)
    add(page, files)
    page.locator("#ipl-write").click()
    expect(page).to_have_url(DRAFT)
    expect(page.locator(".work")).to_be_visible()  # the draft had its address before
    draft = page.url
    page.go_back()
    expect(page.get_by_role("alert").filter(has_text="being written right now")).to_be_visible()
    expect(page).to_have_url(draft)
    pipeline.go_on.set()
    expect(publish(page)).to_be_visible()


def test_a_bookmark_leads_through_the_sign_in_form(serve: Any, visit: Any, files: list[str]) -> None:
    url = serve(FakePipeline(), sellers=("anna",))
    page = visit(url, seller="anna")
    add(page, files)
    write(page)
    draft = page.url
    page.context.clear_cookies()
    page.goto(draft)
    page.get_by_label("Name").fill("anna")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Sign in").click()
    expect(publish(page)).to_be_visible()
    expect(page).to_have_url(draft)


def test_news_stand_in_the_head_and_their_items_on_top(serve: Any, visit: Any) -> None:
    url = serve(FakePipeline())
    sold, asked, quiet = (listed(url, title=f"Hoodie {n}", price=10 + n) for n in range(3))
    page = visit(url)
    news = page.get_by_role("banner").get_by_text("new orders, questions and messages")
    expect(news).to_have_count(0)
    bought(url, sold)
    buyer = visit(url)
    buyer.goto(f"{url}l/{asked['id']}")
    sent = httpx.post(f"{url}l/{asked['id']}/ask", data={"text": "Is it warm?"}, cookies={"ipl_visitor": "0" * 32})
    assert sent.status_code == 200
    httpx.post(f"{url}v1/drafts", files={"photos": picture(1)}, timeout=60)

    page.reload()
    ready(page)
    expect(page.get_by_role("button", name="My listings")).to_contain_text("2 new orders, questions and messages")
    for address in ("feed", "feed/purchases", f"l/{quiet['id']}"):
        buyer.goto(url + address)
        expect(
            buyer.get_by_role("banner").get_by_role("link", name="2 new orders, questions and messages")
        ).to_be_visible()
    buyer.get_by_role("link", name="2 new orders, questions and messages").click()
    expect(buyer).to_have_url(LISTINGS)
    page.get_by_role("button", name="My listings").click()
    cards = page.locator("[data-listing], [data-draft]")
    expect(cards).to_have_count(4)
    order = [card.get_attribute("data-listing") for card in cards.all()]
    assert order == [sold["id"], asked["id"], None, quiet["id"]]
    page.get_by_role("button", name="Handed over").click()
    expect(page.get_by_role("button", name="My listings")).to_contain_text("1 new")
    question = page.locator(f"[data-listing='{asked['id']}']")
    question.get_by_label("Your answer").fill("Very.")
    question.get_by_role("button", name="Answer", exact=True).click()
    expect(news).to_have_count(0)
