"""What waits, fails, attacks or is refused ends in one sentence at its place; what can be done is done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.store.db import store_away
from tests.app.support.local_servers import served
from tests.app.support.pages import (
    Page,
    add,
    expect,
    facts,
    more,
    note,
    put_online,
    size_question,
    title,
    write,
)
from tests.fakes import FakePipeline, picture

pytestmark = pytest.mark.browser
BUSY = {"error": {"code": "busy", "message": "The server is busy; ask again in a moment."}}
BROKEN = "Something went wrong on our side; try it again."
LARGE = 25_000_001
DROP = """() => {
  const box = new DataTransfer();
  box.items.add(new File(['%PDF-1.7'], 'bill.pdf', { type: 'application/pdf' }));
  const drop = new DragEvent('drop', { dataTransfer: box, bubbles: true, cancelable: true });
  document.querySelector('#ipl-note').dispatchEvent(drop);
  return drop.defaultPrevented;
}"""
PASTE = """async () => {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 300;
  const draw = canvas.getContext('2d');
  draw.fillStyle = '#246'; draw.fillRect(0, 0, 300, 300); draw.fillStyle = '#fff'; draw.fillRect(40, 40, 90, 60);
  const blob = await new Promise((done) => canvas.toBlob(done, 'image/png'));
  const box = new DataTransfer();
  box.items.add(new File([blob], 'pasted.png', { type: 'image/png' }));
  document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: box, bubbles: true, cancelable: true }));
}"""
ATTACK = "<img src=x onerror='window.hit=1'><script>window.hit=1</script>${window.hit=1}{{7*7}}"


def choose(page: Page, paths: list[str]) -> None:
    field = page.locator("#ipl-sell input[type=file]")
    field.set_input_files([])  # as a click on the button does, so that the same files may be chosen again
    field.set_input_files(paths)


def refuse(page: Page, press: str, status: int, body: object) -> None:
    """The next request that holds the press is answered with an error."""
    text, refused = body if isinstance(body, str) else json.dumps(body), []

    def answer(route: Any) -> None:
        if refused or press not in (route.request.post_data or ""):
            return route.fallback()  # the page looks at its draft
        refused.append(route.request.url)
        return route.fulfill(status=status, body=text)

    page.route("**/gradio_api/run/predict*", answer)


def check_sentence(page: Page, sentence: str) -> Any:
    """It is said once, in view; nothing of a program is."""
    said = page.get_by_role("alert").filter(has_text=sentence)
    expect(said).to_have_count(1)
    expect(said).to_be_in_viewport()
    words = page.locator("body").inner_text()
    assert not any(sign in words for sign in ("{", "HTTP", "Error\n", "error:")), words
    expect(page.locator(".toast-wrap :visible")).to_have_count(0)
    return said


def test_photos_are_refused_one_by_one(serve: Any, visit: Any, tmp_path: Path) -> None:
    page = visit(serve(FakePipeline()))
    paths = [str(tmp_path / f"photo-{n}.jpg") for n in range(13)]
    for n, path in enumerate(paths):
        Path(path).write_bytes(picture(n))
    bad, large = tmp_path / "notes.png", tmp_path / "large.jpg"
    bad.write_text("not a photo")
    large.write_bytes(picture(1).ljust(LARGE, b"\0"))
    page.route("**/gradio_api/upload*", lambda route: route.fulfill(status=429, body=json.dumps(BUSY)), times=1)
    choose(page, paths[:2])
    said = check_sentence(page, BUSY["error"]["message"]).bounding_box()
    button = page.locator("button#ipl-add").bounding_box()
    assert abs(said["y"] - button["y"] - button["height"]) < 100
    choose(page, [str(large)])
    check_sentence(page, "A photo may have 25 MB; choose a smaller one.")
    assert page.evaluate(DROP)
    check_sentence(page, "bill.pdf was not added")
    choose(page, [*paths[:2], str(bad)])
    check_sentence(page, "notes.png was not added")
    expect(page.locator(".shot")).to_have_count(2)
    expect(page.get_by_role("alert").filter(has_text="smaller one")).to_have_count(0)
    page.evaluate(PASTE)
    expect(page.locator(".shot")).to_have_count(3)

    # Of ten as many are taken as there is room for, once the draft is written, too.
    write(page)
    expect(page.locator(".plain .btn")).to_be_visible()
    choose(page, paths[3:])
    expect(page.locator(".shot")).to_have_count(8)
    check_sentence(page, "The first 5 photos were taken: a listing has room for 8.")
    expect(page.locator("#ipl-photos .notice")).to_have_count(1)
    choose(page, paths[-1:])
    check_sentence(page, "A listing has room for 8 photos; remove one first.")
    expect(page.locator(".shot")).to_have_count(8)
    more(page)
    page.locator("#ipl-write").click()
    expect(page.locator("#ipl-photos .notice")).to_have_count(0)


def test_a_refused_press_is_a_sentence_there(serve: Any, visit: Any, files: list[str]) -> None:
    page = visit(serve(FakePipeline()))
    write(page, files)
    answer = size_question(page).get_by_role("button", name="M", exact=True)
    refuse(page, '"do":"answer"', 429, BUSY)
    answer.click()
    said = check_sentence(page, BUSY["error"]["message"]).bounding_box()
    assert abs(said["y"] - answer.bounding_box()["y"]) < 200
    page.route("**/gradio_api/run/predict?look", lambda route: route.fulfill(body="{}"))
    assert page.evaluate("fetch('/gradio_api/run/predict?look', {method: 'POST', body: '{}'}).then((r) => r.ok)")
    check_sentence(page, BUSY["error"]["message"])  # which stays while the page looks at its draft
    answer.click()
    expect(size_question(page)).to_have_count(0)
    expect(page.get_by_role("alert").filter(has_text="busy")).to_have_count(0)
    more(page)
    for tone, status, body in (("Warmer", 500, {"error": None}), ("Shorter", 500, "<html>Bad gateway</html>")):
        refuse(page, '"do":"tone"', status, body)
        page.get_by_role("button", name=tone).click()
        check_sentence(page, BROKEN)
        page.get_by_role("button", name=tone).click()
        expect(page.get_by_role("alert").filter(has_text=BROKEN)).to_have_count(0)


def test_without_a_session_it_is_said(visit: Any, serve: Any) -> None:
    page = visit(serve(FakePipeline(), sellers=("anna",)), seller="anna")
    page.context.clear_cookies()
    page.get_by_role("button", name="My listings").click()
    check_sentence(page, "Please sign in first.").get_by_role("link", name="Sign in").click()
    expect(page.get_by_role("heading", name="Sign in to IPL")).to_be_visible()


def test_without_a_store_it_is_said(build: Any, visit: Any, files: list[str], monkeypatch: Any) -> None:
    def away() -> None:
        raise store_away()

    services = build()
    with served(services) as url:
        page = visit(url)
        add(page, files)
        with monkeypatch.context() as patched:
            patched.setattr(services.store, "read", away)
            patched.setattr(services.store, "write", away)
            page.get_by_role("button", name="Remove photo 2").click()
            check_sentence(page, "The store does not answer")
            with page.expect_response(lambda answer: '"do":"write"' in (answer.request.post_data or "")):
                page.get_by_role("button", name="Write my listing").click()
            check_sentence(page, "The store does not answer")
        write(page)
        expect(page.get_by_role("alert").filter(has_text="The store does not answer")).to_have_count(0)


def test_stopped_failed_or_unknown_is_said(serve: Any, visit: Any, files: list[str]) -> None:
    pipeline = FakePipeline(hold_at="text")
    url = serve(pipeline)
    page = visit(url)
    add(page, files)
    page.get_by_role("button", name="Write my listing").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped before the draft was done")).to_be_visible()
    pipeline.go_on.set()
    expect(page.locator(".shot")).to_have_count(2)

    pipeline.hold_at, pipeline.fail_at = None, "attribute"
    page.locator("#ipl-write").click()
    expect(page.get_by_role("alert").get_by_text("The listing could not be written")).to_be_visible()
    assert "Traceback" not in page.content()
    expect(page.locator(".shot")).to_have_count(2)

    # It asks instead of guessing.
    pipeline.fail_at, pipeline.in_range = None, False
    page.locator("#ipl-write").click()
    unknown, chosen = (
        page.get_by_text("This is outside what I know"),
        page.locator("#ipl-draft .chip[data-do=category][aria-pressed=true]"),
    )
    expect(unknown).to_be_visible()
    expect(chosen).to_have_count(0)
    page.locator("#ipl-draft .chip[data-do=category]").first.click()
    expect(chosen).to_contain_text("your choice")
    expect(unknown).to_have_count(0)
    facts(page)
    page.get_by_text("Something else", exact=True).click()
    page.get_by_label("Say what it is").fill("bird bath")
    page.get_by_role("button", name="Save").click()
    expect(chosen).not_to_contain_text("Hoodie")
    draft = httpx.get(f"{url}v1/drafts/{page.url.partition('draft=')[2]}").json()["draft"]
    assert draft["category"]["value"] == "bird bath"


def test_markup_is_shown_and_never_run(serve: Any, visit: Any, files: list[str]) -> None:
    """Nothing is fetched from elsewhere either."""
    url = serve(FakePipeline())
    page = visit(url)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    expect(page.locator("#ipl-top header")).to_be_visible()
    add(page, files)
    note(page).fill(ATTACK)
    write(page)
    facts(page)
    page.locator("#f-brand").click()
    page.locator("#e-brand").fill(ATTACK[:70])
    page.locator("#p-brand").get_by_role("button", name="Save").click()
    expect(page.locator("#f-brand .val")).to_have_text(ATTACK[:70])
    title(page).fill(ATTACK)
    put_online(page)
    expect(page.locator(".done-page h2")).to_have_text(ATTACK)
    page.get_by_role("button", name="See my listings").click()
    expect(page.locator(".item h3")).to_have_text(ATTACK)
    assert page.evaluate("window.hit") is None
    assert len(asked) > 10
    assert [a for a in asked if not a.startswith((url, "data:", "blob:"))] == []
