"""No serious finding of axe-core in the main states, light and dark, on a phone and on a desktop."""

from __future__ import annotations

from typing import Any

import pytest

from tests.app.seller.conftest import SIZES, Page, add, expect, facts, publish, write
from tests.fakes import FakePipeline

pytestmark = pytest.mark.browser
axe_module = pytest.importorskip("axe_playwright_python.sync_playwright")


def findings(page: Page) -> list[str]:
    """Serious and critical findings, one line each, with the element, that outlast the drawing."""
    for pause in (0, 500, 1500):
        page.wait_for_timeout(pause)
        found = [
            f"{v['id']}: {node['html'][:160]} ({node.get('failureSummary', '')[:200]})"
            for v in axe_module.Axe().run(page).response["violations"]
            if v["impact"] in ("serious", "critical")
            for node in v["nodes"]
        ]
        if not found:
            break
    return found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_main_states(size: str, dark: bool, serve: Any, visit: Any, files: list[str]) -> None:
    page = visit(serve(FakePipeline()), size, dark=dark)
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") is dark
    seen = {"empty": findings(page)}
    add(page, files)
    seen["photos"] = findings(page)
    write(page)
    seen["draft"] = findings(page)
    facts(page)
    page.locator("#f-brand").click()
    expect(page.locator("#p-brand")).to_be_visible()
    seen["facts"] = findings(page)
    publish(page).click()
    expect(page.get_by_role("heading", name="It is online")).to_be_visible()
    seen["published"] = findings(page)
    page.get_by_role("button", name="See my listings").click()
    page.locator(".item").get_by_role("button", name="Edit").click()
    page.locator(".item").get_by_role("button", name="Delete", exact=True).click()
    seen["listings"] = findings(page)
    assert {state: lines for state, lines in seen.items() if lines} == {}


def test_while_working(serve: Any, visit: Any, files: list[str]) -> None:
    page = visit(serve(FakePipeline(delay=1.0)))
    add(page, files)
    page.get_by_role("button", name="Write my listing").click()
    expect(page.locator("[role=progressbar]")).to_be_visible()
    assert findings(page) == []
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped before the draft was done")).to_be_visible()
    assert findings(page) == []


def test_the_sign_in_form(serve: Any, browser: Any) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(serve(FakePipeline(), sellers=("anna",)))
    expect(page.get_by_label("Password")).to_be_visible()
    assert findings(page) == []
    context.close()
