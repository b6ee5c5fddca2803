"""Waiting times of a seller in a real browser, with the real model::

    python -m benchmarks.serving.page_latency [--rounds 5] [--pictures FOLDER]

Warm: one draft is written before the clock starts. Printed as one JSON line, in seconds: from the press on "Write my
listing" until the category, the first fact and the whole draft stand on the page (median and worst), and, while that
draft is running, from a second seller's press until the page tells the place in the line. ``--pictures`` keeps
screenshots of the running and of the finished draft, phone and desktop.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from app.accounts.passwords import write_password
from app.services import Services
from app.settings import Settings
from app.setup.external_tools import find_chromium
from benchmarks.common import arguments
from listing.home import ipl_home
from listing.pipeline import build_pipeline
from tests.app.support.page_server import CHROMIUM_ARGS, served
from tests.fakes import FakeIndex

DEMO = Path(__file__).resolve().parents[2] / "demo"
PHOTOS = [str(DEMO / "hoodie.jpg"), str(DEMO / "jeans.jpg")]
SIZES = {"phone": (390, 844), "desktop": (1280, 900)}
PASSWORD = "only for this run"
WATCH = """wanted => {
  const start = performance.now();
  window.seen = {};
  new MutationObserver(() => {
    for (const [name, what] of Object.entries(wanted))
      if (!(name in window.seen) && document.querySelector(what))
        window.seen[name] = (performance.now() - start) / 1000;
  }).observe(document.body, { childList: true, subtree: true });
  document.querySelector('#ipl-write').click();
}"""
DRAFT = {
    "category": "#t-title-live:not(:empty)",
    "first_fact": "#ipl-draft li[data-fact]",
    "draft": "#ipl-draft .bottom .main",
}


def visit(browser: Browser, url: str, seller: str, size: str = "phone") -> Page:
    """A signed-in page with the photos chosen."""
    width, height = SIZES[size]
    page = browser.new_context(viewport={"width": width, "height": height}).new_page()
    page.goto(url)
    page.get_by_label("Name").fill(seller)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.locator("#ipl-sell input[type=file]").set_input_files(PHOTOS)
    expect(page.locator(".shot")).to_have_count(len(PHOTOS))
    return page


def one_round(browser: Browser, url: str) -> dict[str, float]:
    """Two sellers; the second presses as soon as the first one's category stands there."""
    first, second = visit(browser, url, "anna"), visit(browser, url, "ben")
    first.evaluate(WATCH, DRAFT)
    expect(first.locator(DRAFT["category"]).first).to_be_visible()
    second.evaluate(WATCH, {"place_in_line": "#ipl-status .work"})
    expect(second.locator("#ipl-status .work")).to_be_visible()
    expect(first.locator(DRAFT["draft"])).to_be_visible()
    expect(second.locator(DRAFT["draft"])).to_be_visible()
    times: dict[str, float] = {**first.evaluate("window.seen"), **second.evaluate("window.seen")}
    for page in (first, second):
        page.context.close()
    return times


def pictures(browser: Browser, url: str, folder: Path) -> None:
    """Screenshots while the draft is written, and when it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    for size in SIZES:
        page = visit(browser, url, "anna", size)
        page.locator("#ipl-write").click()
        expect(page.locator(DRAFT["first_fact"]).first).to_be_visible()
        page.screenshot(path=folder / f"real-running-{size}.png", animations="disabled")
        expect(page.locator(DRAFT["draft"])).to_be_visible()
        page.evaluate("window.scrollTo(0, 0)")
        page.screenshot(path=folder / f"real-top-{size}.png", animations="disabled")
        page.locator("#f-brand").click()
        page.locator("#f-material").scroll_into_view_if_needed()
        page.screenshot(path=folder / f"real-draft-{size}.png", animations="disabled")
        page.context.close()


def services_of(home: Path, pipeline: Any) -> Services:
    """A fresh store with two sellers, and the real pipeline."""
    passwords = home / "passwords"
    for name in ("anna", "ben"):
        write_password(passwords, name, PASSWORD)
    return Services(Settings(home=home, passwords=passwords), pipeline=pipeline, index=FakeIndex())


def main() -> None:
    parser = arguments(__doc__, rounds=5)
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    expect.set_options(timeout=120_000)
    pipeline = build_pipeline(None, True, ipl_home())
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
        sync_playwright() as play,
        served(services_of(Path(home), pipeline)) as url,
    ):
        browser = play.chromium.launch(executable_path=str(find_chromium()), args=CHROMIUM_ARGS)
        one_round(browser, url)
        rounds = [one_round(browser, url) for _ in range(args.rounds)]
        if args.pictures:
            pictures(browser, url, args.pictures)
        browser.close()
    times = {name: [r[name] for r in rounds] for name in rounds[0]}
    summary = {n: {"median": round(statistics.median(v), 2), "worst": round(max(v), 2)} for n, v in times.items()}
    print(json.dumps({"rounds": args.rounds, "seconds": summary}))


if __name__ == "__main__":
    main()
