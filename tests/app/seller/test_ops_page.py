"""The operator's page in a browser: from the seller's page to a visitor's feed, and from a question to its answer."""

from __future__ import annotations

import pytest

from tests.app.feed.test_feed_log import visit as look
from tests.app.ops.worlds import World, fill
from tests.app.seller.conftest import SIZES, add, expect, publish, write
from tests.app.seller.test_seller_page_axe import SMALL, findings
from tests.app.support.clients import client_of, published
from tests.app.support.page_server import served

pytestmark = pytest.mark.browser
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def operator(browser):
    """Opens pages; errors of scripts and refused styles fail the test."""
    errors, contexts = [], []

    def _open(size="desktop", dark=False):
        width, height = SIZES[size]
        scheme = "dark" if dark else "light"
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme))
        contexts[-1].set_default_timeout(60_000)
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if "Content Security Policy" in m.text else None)
        return page

    yield _open
    for context in contexts:
        context.close()
    assert not errors


def test_what_is_published_here_stands_in_a_visitors_feed_there(serve, visit, operator, pipeline, files):
    url = serve(pipeline)
    ops = operator()
    ops.goto(f"{url}ops/?visitor=vera#feed")
    expect(ops.locator("#now")).to_contain_text("Nothing is on sale.")
    seller = visit(url)
    add(seller, files)
    write(seller)
    seller.get_by_label("Price in EUR").fill("15")
    publish(seller).click()
    expect(seller.get_by_role("heading", name="It is online")).to_be_visible()
    row = ops.locator(".stands li").first
    for _ in range(100):  # the feed takes what is new at its next turn
        ops.get_by_role("button", name="Show what they see").click()
        ops.wait_for_load_state()
        if row.is_visible():
            break
        ops.wait_for_timeout(300)
    expect(row).to_contain_text("Navy")
    expect(row.locator("img")).to_have_js_property("complete", True)
    assert row.locator("img").evaluate("e => e.naturalWidth") > 0


def test_a_question_is_three_clicks_from_its_answer_for_everybody(build, operator):
    services = build(feed_per_second=1e6)
    with client_of(services) as client:
        listings = [published(client, price=10 + n) for n in range(7)]
        for n in range(6):
            look(client, f"v{n % 2}", click=[listings[n]["id"]])
    with served(services, page=False) as url:
        page = operator()
        page.goto(f"{url}ops/")
        expect(page.locator(".headline")).to_contain_text("No model serves: popularity ranks")
        expect(page.locator("#health .todo")).to_contain_text("./ipl recommend train")
        expect(page.locator("#models tbody tr").nth(1)).to_contain_text("popularity")
        # Why does this stand here? A visitor; the place; the listing.
        page.get_by_label("A visitor").fill("v1")
        page.get_by_role("button", name="Show what they see").click()
        expect(page.locator(".stands li")).to_have_count(7)
        page.locator(".stands summary").first.click()
        expect(page.locator(".stands .why").first).to_contain_text("Stands 1st")
        page.locator(".stands a").first.click()
        expect(page.locator("#why .says")).to_contain_text("No model ranks: it goes by")
        listing = page.url.partition("/ops/")[2]
        # And on a page that was seen: its place, its score, what came of it.
        page.locator("#feed td a").first.click()
        expect(page.locator(".stands li")).to_have_count(7)
        expect(page.locator(".stands")).to_contain_text("clicked")
        past = page.url.partition("/ops/")[2]
        for size, dark in (("phone", True), ("desktop", False)):
            page = operator(size, dark)
            for query in ("", listing, past, "?visitor=v1", "?find=hoodie"):
                page.goto(f"{url}ops/{query}")
                page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
                assert not findings(page), query
                assert page.evaluate(SMALL) == [], query
                assert page.evaluate(WIDER) <= 0, query


def test_a_healthy_feed_is_green_on_the_page(build, operator):
    services = build()
    fill(services, World())
    with served(services, page=False) as url:
        page = operator("phone")
        page.goto(f"{url}ops/")
        expect(page.locator(".headline.good")).to_contain_text("All is well")
        expect(page.locator("#health")).to_contain_text("Nothing to do.")
