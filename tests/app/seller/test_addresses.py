"""Each draft and the list have an address: reload, bookmark, back and forward lead there."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.app.support.pages import add, expect, publish, put_online, ready, sign_in, title, write
from tests.fakes import FakePipeline

pytestmark = pytest.mark.browser
DRAFT = re.compile(r"/\?draft=[\w-]+$")
LISTINGS = re.compile(r"/\?show=listings$")


def test_back_and_forward_lead_through_the_page(serve: Any, visit: Any, files: list[str]) -> None:
    pipeline = FakePipeline(hold_at="draft")
    url = serve(pipeline)
    page = visit(url)
    page.get_by_role("button", name="My listings").click()
    expect(page).to_have_url(LISTINGS)
    page.go_back()
    expect(page).to_have_url(url)
    expect(page.get_by_role("heading", name="What are you selling?")).to_be_visible()
    add(page, files)
    page.locator("#ipl-write").click()
    expect(page).to_have_url(DRAFT)
    expect(page.locator(".work")).to_be_visible()  # the draft had its address before
    draft = page.url
    page.go_back()  # while it is written it stays
    expect(page.get_by_role("alert").filter(has_text="being written right now")).to_be_visible()
    expect(page).to_have_url(draft)
    pipeline.go_on.set()
    expect(publish(page)).to_be_visible()
    page.get_by_role("button", name="My listings").click()
    expect(page).to_have_url(LISTINGS)
    page.go_back()
    expect(page).to_have_url(draft)
    expect(publish(page)).to_be_visible()


def test_back_loses_nothing_that_is_typed(serve: Any, visit: Any, files: list[str]) -> None:
    url = serve(FakePipeline())
    page = visit(url)
    write(page, files)
    expect(page).to_have_url(DRAFT)
    draft = page.url
    page.get_by_role("button", name="My listings").click()
    expect(page).to_have_url(LISTINGS)
    page.go_back()
    expect(page).to_have_url(draft)
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


def test_a_draft_is_reloaded_and_bookmarked(serve: Any, visit: Any, files: list[str]) -> None:
    url = serve(FakePipeline(), sellers=("anna",))
    page = visit(url, seller="anna")
    write(page, files)
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

    page.context.clear_cookies()  # the bookmark leads through the sign-in form
    page.goto(draft)
    sign_in(page, "anna")
    expect(publish(page)).to_be_visible()
    expect(page).to_have_url(draft)
    put_online(page)
    expect(page.get_by_role("heading", name="It is online")).to_be_visible()
    page.goto(draft)
    expect(page.get_by_role("alert")).to_contain_text("It is published already")
    expect(page.locator("[data-listing]")).to_have_count(1)
    expect(page).to_have_url(LISTINGS)
    page.goto(f"{url}?draft=nothing")
    expect(page.get_by_role("alert").filter(has_text="There is no such draft")).to_be_visible()
    expect(page).to_have_url(url)
