"""The operator's pages in a browser: from the seller's page to a visitor's feed, and from a question to its answer."""

from __future__ import annotations

import pytest

from tests.app.feed.test_feed_log import visit as look
from tests.app.ops.worlds import World, fill
from tests.app.seller.conftest import SIZES, add, expect, publish, write
from tests.app.seller.test_seller_page_axe import SMALL, findings
from tests.app.support.clients import client_of, published
from tests.app.support.page_server import served

pytestmark = pytest.mark.browser
TABS = ("", "feed", "new", "models", "assistant", "reviews", "promotions")
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
    ops.goto(f"{url}ops/feed?visitor=vera")
    expect(ops.locator("#now")).to_contain_text("Nothing is on sale.")
    seller = visit(url)
    add(seller, files)
    write(seller)
    seller.get_by_label("Price in EUR").fill("15")
    publish(seller).click()
    expect(seller.get_by_role("heading", name="It is online")).to_be_visible()
    ops.get_by_role("button", name="Show what they see").click()
    row = ops.locator(".stands li").first
    expect(row).to_contain_text("Navy")
    expect(row.locator("img")).to_have_js_property("complete", True)
    expect(row.locator("img")).not_to_have_js_property("naturalWidth", 0)


def test_a_question_is_three_clicks_from_its_answer_on_every_page_for_everybody(build, operator):
    services = build(feed_per_second=1e6)
    with client_of(services) as client:
        listings = [published(client, price=10 + n) for n in range(7)]
        for n in range(6):
            look(client, f"v{n % 2}", click=[listings[n]["id"]])
    with served(services, page=False) as url:
        page = operator()
        page.goto(f"{url}ops/")
        expect(page.locator(".headline")).to_contain_text("No model serves: popularity ranks")
        expect(page.locator("#to-do")).to_contain_text("./ipl recommend train")
        assert page.locator(".card").count() == 3
        # Why does this stand here? One: the feed; two: the listing.
        page.get_by_role("link", name="Feed", exact=True).first.click()
        expect(page.locator(".stands li")).to_have_count(7)
        page.locator(".stands a").first.click()
        expect(page.locator("#why .says")).to_contain_text("Stands ")
        expect(page.locator("#why .says")).to_contain_text("No model ranks: it goes by")
        # And on a page that was seen: its place, its score, what came of it.
        page.locator("td a").first.click()
        expect(page.locator(".stands li")).to_have_count(7)
        expect(page.locator(".stands")).to_contain_text("clicked")
        listing, past = f"listing/{listings[0]['id']}", page.url.partition("/ops/")[2]
        # Which model is off? One.
        page.goto(f"{url}ops/?over=7d")
        page.get_by_role("link", name="Which model is off?").click()
        expect(page.locator("h1")).to_contain_text("No model serves")
        # Tables sort and filter.
        page.goto(f"{url}ops/new")
        table = page.locator("table", has_text="published (UTC)")
        table.get_by_role("button", name="clicks").click()
        counts = [int(t) for t in table.locator("tbody tr td:nth-child(8)").all_inner_texts()]
        assert counts == sorted(counts)
        table.get_by_role("button", name="clicks").click()
        assert table.locator("tbody tr td:nth-child(8)").first.inner_text() == str(max(counts))
        page.get_by_label("Filter New listings").fill("no such words")
        assert table.locator("tbody tr:visible").count() == 0
        for size, dark in (("phone", True), ("desktop", False)):
            page = operator(size, dark)
            for tab in (*TABS, listing, past):
                page.goto(f"{url}ops/{tab}")
                assert not findings(page), tab
                assert page.evaluate(SMALL) == [], tab
                assert page.evaluate(WIDER) <= 0, tab


def test_a_healthy_feed_is_green_on_the_page(build, operator):
    services = build()
    fill(services, World())
    with served(services, page=False) as url:
        page = operator("phone")
        page.goto(f"{url}ops/")
        expect(page.locator(".headline.good")).to_contain_text("All is well")
        assert page.locator(".card.good").count() == 3
        expect(page.locator("#to-do")).to_contain_text("Nothing.")
