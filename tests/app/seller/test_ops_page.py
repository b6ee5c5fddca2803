"""From the seller's page to the operator's in a browser: what is published is in a visitor's feed within seconds."""

from __future__ import annotations

import time

import pytest

from app.market.promotions import today
from tests.app.seller.conftest import SIZES, add, expect, publish, write
from tests.app.seller.test_seller_page_axe import findings

pytestmark = pytest.mark.browser


def operations(browser, url):
    """The operator's page beside the seller's."""
    width, height = SIZES["desktop"]
    context = browser.new_context(viewport={"width": width, "height": height})
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(url + "ops/")
    expect(page.locator(".card")).to_have_count(3)
    return page


def test_published_here_and_in_a_visitors_feed_there_within_five_seconds(serve, visit, browser, pipeline, files):
    url = serve(pipeline)
    ops = operations(browser, url)
    ops.locator("#ops-visitor input").fill("vera")
    ops.locator("#ops-visitor input").press("Enter")
    expect(ops.locator("#ops-slate")).to_contain_text("Nothing is on sale.")
    seller = visit(url)
    add(seller, files)
    write(seller)
    seller.get_by_label("Price in EUR").fill("15")
    began = time.monotonic()
    publish(seller).click()
    row = ops.locator("#ops-slate tbody tr").first
    while time.monotonic() < began + 5 and not row.is_visible():
        ops.get_by_role("button", name="Show what they would see now").click()
        ops.wait_for_timeout(400)
    taken = time.monotonic() - began
    expect(row).to_contain_text("Navy")
    assert taken < 5
    ops.context.close()


def test_the_operators_page_is_readable_by_everybody(serve, browser, pipeline):
    ops = operations(browser, serve(pipeline))
    assert not findings(ops)
    for name in ("New listings", "Model health", "Promotions", "Listing assistant"):
        ops.get_by_role("tab", name=name).click()
        expect(ops.get_by_role("link", name="CSV").locator("visible=true").first).to_be_visible()
    assert not findings(ops)
    expect(ops.locator(".ops-table").locator("visible=true").first).to_contain_text("stated facts kept")
    ops.context.close()


def test_a_promotion_is_declared_after_a_second_look(serve, browser, pipeline):
    ops = operations(browser, serve(pipeline))
    ops.get_by_role("tab", name="Promotions").click()
    sure = ops.get_by_role("button", name="Do it")
    ops.get_by_label("Name of a new promotion").fill("Black Friday")
    ops.get_by_label("First day (UTC)").fill("Friday")
    look = ops.locator("#ops-promotion-look")
    look.click()
    expect(ops.locator("#ops-promotion-said")).to_contain_text("is no day")
    expect(sure).to_be_hidden()
    ops.get_by_label("First day (UTC)").fill(str(today()))
    look.click()
    expect(ops.locator("#ops-promotion-said")).to_contain_text("would be declared")
    assert not findings(ops)
    sure.click()
    expect(ops.locator("#ops-promotion-said")).to_contain_text("is declared, as number 1")
    expect(sure).to_be_hidden()
    table = ops.locator(".ops-table").locator("visible=true").first
    expect(table).to_contain_text("Black Friday")
    expect(table).to_contain_text("no copy")
    ops.context.close()


def test_the_operators_page_is_closed_to_sellers(serve, browser, pipeline):
    url = serve(pipeline, sellers=("ann", "olga"), operators="olga")
    context = browser.new_context()
    page = context.new_page()
    page.goto(url + "ops/")
    assert page.url.endswith("/sign-in")
    for name, allowed in (("ann", False), ("olga", True)):
        page.goto(url + "sign-in")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill("correct horse")
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("#ipl-top header")).to_be_visible()
        page.goto(url + "ops/")
        if allowed:
            expect(page.locator(".card")).to_have_count(3)
        else:
            page.wait_for_timeout(500)
            assert page.locator(".card").count() == 0
        page.goto(url + "sign-out")
    context.close()
