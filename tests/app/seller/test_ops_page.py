"""The operator's page in a browser: from a question to its answer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.store.clock import now
from app.store.tables import FeedPageRow
from tests.app.ops.worlds import World, fill
from tests.app.support.clients import client_of, published
from tests.app.support.local_servers import served
from tests.app.support.pages import SMALL, expect, findings
from tests.app.support.shop import report_all, seen

pytestmark = pytest.mark.browser
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def test_a_question_is_three_clicks_from_its_answer(build, open_page):
    services = build(feed_per_second=1e6)
    with client_of(services) as client:
        assert "Nothing is on sale." in client.get("/ops/?visitor=v1").text
        listings = [published(client, price=10 + n) for n in range(7)]
        for n in range(6):
            page = seen(client, f"v{n % 2}")
            clicked = [place["listing"]["id"] == listings[n]["id"] for place in page["places"]]
            report_all(client, f"v{n % 2}", page, ["click" if one else "impression" for one in clicked])
    with served(services, page=False) as url:
        page = open_page("desktop")
        page.goto(f"{url}ops/")
        expect(page.locator(".headline h1")).to_contain_text("Nothing changed beyond chance in 1 day")
        expect(page.locator(".headline")).to_contain_text("No model serves: popularity ranks")
        expect(page.locator("figure .u-over")).to_have_count(2)  # none of what nothing is known of
        expect(page.locator("figure").first.locator(".u-series").nth(1)).to_contain_text("popularity14.3 %")
        page.locator(".more summary").first.click()
        expect(page.locator("#now .stands small").first).to_contain_text("score ")
        expect(page.locator("#health .todo")).to_contain_text("./ipl recommend train")
        expect(page.locator("#models tbody tr").nth(1)).to_contain_text("popularity")
        # Why does this stand here? A visitor; the place; the listing.
        page.get_by_label("A visitor").fill("v1")
        page.get_by_role("button", name="Show what they see").click()
        expect(page.locator(".stands li:visible")).to_have_count(5)
        page.get_by_text("Show all 7").click()
        expect(page.locator(".stands li:visible")).to_have_count(7)
        expect(page.locator(".stands img").first).to_have_js_property("complete", True)
        assert page.locator(".stands img").first.evaluate("e => e.naturalWidth") > 0
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
            page = open_page(size, dark=dark)
            for query in ("", listing, past, "?visitor=v1", "?find=hoodie") if dark else ("", past):
                page.goto(f"{url}ops/{query}")
                page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
                assert not findings(page), query
                assert page.evaluate(SMALL) == [], query
                assert page.evaluate(WIDER) <= 0, query


def test_a_healthy_feed_is_green_on_the_page(build, open_page):
    services = build()
    fill(services, World())
    with served(services, page=False) as url:
        page = open_page("phone")
        page.goto(f"{url}ops/")
        expect(page.locator(".headline.good")).to_contain_text("All is well")
        expect(page.locator("#health")).to_contain_text("Nothing to do.")
        with services.store.write() as session:  # a model that ranked days ago has a line, and no word in the legend
            half = select(FeedPageRow.id).order_by(FeedPageRow.at).limit(200)
            before = {"at": now() - timedelta(days=5), "models": {"ranking": "din 0000"}}
            session.execute(update(FeedPageRow).where(FeedPageRow.id.in_(half)).values(before))
        page.reload()
        clicks = page.locator("figure", has_text="Click rate")
        expect(clicks.locator(".u-series")).to_have_count(3)
        expect(clicks.locator(".u-series:visible")).to_have_count(2)
