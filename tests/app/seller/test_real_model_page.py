"""The page with the real model: photos in, a draft appears piece by piece, and it can be published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.app.seller.conftest import add, expect, facts, publish, put_online, write
from tests.fakes import label_photo

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.timeout(600)]
# Notes in which order things first stood on the page.
WATCH = """wanted => {
  window.order = [];
  new MutationObserver(() => {
    for (const [name, what] of Object.entries(wanted))
      if (!window.order.includes(name) && document.querySelector(what)) window.order.push(name);
  }).observe(document.body, { childList: true, subtree: true, characterData: true });
  document.querySelector('#ipl-write').click();
}"""
PIECES = {
    "category": "#t-title-live:not(:empty)",
    "fact": "#ipl-draft li[data-fact]",
    "text": "#t-description-live:not(:empty)",
    "done": "#ipl-draft .bottom .main",
}


def test_six_taps_with_the_real_model(serve: Any, visit: Any, repository: Path, real_pipeline: Any) -> None:
    page = visit(serve(real_pipeline))
    page.evaluate("addEventListener('pointerdown', () => { window.taps = (window.taps ?? 0) + 1; }, true)")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Add photos").click()
    chooser.value.set_files(str(repository / "demo" / "hoodie.jpg"))
    expect(page.locator(".shot")).to_have_count(1)
    write(page)
    expect(page.get_by_label("Title", exact=True)).to_be_in_viewport()
    page.get_by_role("button", name="All of this is right").click()
    expect(page.locator(".mirror mark.check")).to_have_count(0)
    grade = page.get_by_role("group", name="How would you grade its condition?")
    grade.get_by_role("button", name="very good").click()
    expect(grade).to_have_count(0)
    page.get_by_label("Price in EUR").click()
    page.keyboard.type("15")
    publish(page).click()
    expect(page.get_by_role("heading", name="It is online")).to_be_visible()
    assert page.evaluate("window.taps") <= 6
    expect(page.locator(".done-page h2")).to_contain_text("hoodie")


def test_a_real_draft_streams_into_the_page(
    serve: Any, visit: Any, repository: Path, real_pipeline: Any, tmp_path: Path
) -> None:
    page = visit(serve(real_pipeline))
    label = tmp_path / "label.jpg"
    label.write_bytes(label_photo("Wrangler", "M", "100% cotton"))
    add(page, [str(repository / "demo" / "hoodie.jpg"), str(label)])
    page.get_by_label("Anything a buyer should know?").fill("Worn twice.")
    page.evaluate(WATCH, PIECES)
    expect(publish(page)).to_be_visible()
    order = page.evaluate("window.order")  # what comes between two looks of the page is shown together
    assert order == [piece for piece in PIECES if piece in order]
    assert len(order) > 1
    assert order[-1] == "done"
    facts(page)
    expect(page.locator("#f-brand")).to_contain_text("Wrangler")
    expect(page.locator("#f-brand")).to_contain_text("read on the label")
    page.locator("#f-brand").click()
    expect(page.locator("#p-brand .crop .box")).to_be_visible()
    text = page.get_by_label("Description", exact=True).input_value()
    assert text.endswith("Worn twice."), "the seller's own words stand there unchanged"
    page.get_by_label("Price in EUR").fill("12")
    put_online(page)
    expect(page.get_by_role("heading", name="It is online")).to_be_visible()
