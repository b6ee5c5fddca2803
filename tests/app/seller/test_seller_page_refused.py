"""What is refused or fails ends in one sentence at its place: no JSON, no box of Gradio's; what can be done is done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.store.db import store_away
from tests.app.seller.conftest import Page, add, expect, write
from tests.app.support.page_server import served
from tests.app.support.pictures import picture
from tests.fakes import FakePipeline

pytestmark = pytest.mark.browser
BUSY = {"error": {"code": "busy", "message": "The server is busy; ask again in a moment."}}
LARGE = 25_000_001
DROP = """() => {
  const box = new DataTransfer();
  box.items.add(new File(['%PDF-1.7'], 'bill.pdf', { type: 'application/pdf' }));
  const drop = new DragEvent('drop', { dataTransfer: box, bubbles: true, cancelable: true });
  document.querySelector('#ipl-note').dispatchEvent(drop);
  return drop.defaultPrevented;
}"""


def photos(folder: Path, count: int) -> list[str]:
    """Different photos as files."""
    paths = [folder / f"photo-{n}.jpg" for n in range(count)]
    for n, path in enumerate(paths):
        path.write_bytes(picture(n))
    return [str(path) for path in paths]


def choose(page: Page, paths: list[str]) -> None:
    field = page.locator("#ipl-sell input[type=file]")
    field.set_input_files([])  # as a click on the button does, so that the same files may be chosen again
    field.set_input_files(paths)


def refuse(page: Page, address: str, press: str, status: int = 429, body: object = BUSY) -> None:
    """The next request to the address that holds the press is answered with an error."""
    text, refused = body if isinstance(body, str) else json.dumps(body), []

    def answer(route: Any) -> None:
        if refused or press not in (route.request.post_data or ""):
            return route.fallback()  # the page looks at its draft
        refused.append(route.request.url)
        return route.fulfill(status=status, body=text)

    page.route(address, answer)


def check_sentence(page: Page, sentence: str) -> Any:
    """It is said once, in view; nothing of a program is."""
    said = page.get_by_role("alert").filter(has_text=sentence)
    expect(said).to_have_count(1)
    expect(said).to_be_in_viewport()
    words = page.locator("body").inner_text()
    assert not any(sign in words for sign in ("{", "HTTP", "Error\n", "error:")), words
    expect(page.locator(".toast-wrap :visible")).to_have_count(0)
    return said


@pytest.mark.parametrize("before", [0, 3])
def test_of_ten_photos_as_many_are_taken_as_there_is_room_for(
    before: int, serve: Any, visit: Any, tmp_path: Path
) -> None:
    page = visit(serve(FakePipeline()))
    paths = photos(tmp_path, before + 10)
    if before:
        add(page, paths[:before])
        write(page)
        expect(page.locator(".plain .btn")).to_be_visible()
    choose(page, paths[before:])
    expect(page.locator(".shot")).to_have_count(8)
    check_sentence(page, f"The first {8 - before} photos were taken: a listing has room for 8.")
    expect(page.locator("#ipl-photos .notice")).to_have_count(1)
    choose(page, paths[-1:])
    check_sentence(page, "A listing has room for 8 photos; remove one first.")
    expect(page.locator(".shot")).to_have_count(8)
    page.locator("#ipl-write").click()
    expect(page.locator("#ipl-photos .notice")).to_have_count(0)


def test_a_refused_upload_is_a_sentence_at_the_button(serve: Any, visit: Any, tmp_path: Path) -> None:
    page = visit(serve(FakePipeline()))
    paths = photos(tmp_path, 2)
    page.route("**/gradio_api/upload*", lambda route: route.fulfill(status=429, body=json.dumps(BUSY)), times=1)
    choose(page, paths)
    said = check_sentence(page, "The server is busy; ask again in a moment.").bounding_box()
    button = page.locator("button#ipl-add").bounding_box()
    assert abs(said["y"] - button["y"] - button["height"]) < 100
    large = tmp_path / "large.jpg"
    with large.open("wb") as file:
        file.write(picture(1))
        file.truncate(LARGE)
    choose(page, [str(large)])
    check_sentence(page, "A photo may have 25 MB; choose a smaller one.")
    choose(page, paths)
    expect(page.locator(".shot")).to_have_count(2)
    expect(page.get_by_role("alert").filter(has_text="smaller one")).to_have_count(0)


def test_what_is_dropped_and_is_no_photo_is_named_and_the_page_stays(serve: Any, visit: Any) -> None:
    page = visit(serve(FakePipeline()))
    assert page.evaluate(DROP)
    check_sentence(page, "bill.pdf was not added")


@pytest.mark.parametrize("answer", [(429, BUSY), (500, {"error": None}), (500, "<html>Bad gateway</html>")])
def test_a_refused_press_is_a_sentence_where_it_was_pressed(
    answer: tuple[int, object], serve: Any, visit: Any, files: list[str]
) -> None:
    page = visit(serve(FakePipeline()))
    add(page, files)
    write(page)
    sentence = BUSY["error"]["message"] if answer[1] == BUSY else "Something went wrong on our side; try it again."
    answers = page.get_by_role("group", name="Which size is on the label?")
    refuse(page, "**/gradio_api/run/predict*", '"do":"answer"', *answer)
    answers.get_by_role("button", name="M", exact=True).click()
    said = check_sentence(page, sentence).bounding_box()
    button = answers.get_by_role("button", name="M", exact=True).bounding_box()
    assert abs(said["y"] - button["y"]) < 200
    page.route("**/gradio_api/run/predict?look", lambda route: route.fulfill(body="{}"))
    assert page.evaluate("fetch('/gradio_api/run/predict?look', {method: 'POST', body: '{}'}).then((r) => r.ok)")
    check_sentence(page, sentence)  # which stays while the page looks at its draft
    answers.get_by_role("button", name="M", exact=True).click()
    expect(answers).to_have_count(0)
    expect(page.get_by_role("alert").filter(has_text=sentence)).to_have_count(0)

    refuse(page, "**/gradio_api/run/predict*", '"do":"tone"', *answer)
    page.get_by_role("button", name="Warmer").click()
    check_sentence(page, sentence)


def test_whoever_is_signed_out_is_led_to_the_form(serve: Any, visit: Any) -> None:
    page = visit(serve(FakePipeline(), sellers=("anna",)), seller="anna")
    page.context.clear_cookies()
    page.get_by_role("button", name="My listings").click()
    check_sentence(page, "Please sign in first.").get_by_role("link", name="Sign in").click()
    expect(page.get_by_role("heading", name="Sign in to IPL")).to_be_visible()


def test_without_the_store_the_page_says_so(build: Any, visit: Any, files: list[str], monkeypatch: Any) -> None:
    services = build()

    def away() -> None:
        raise store_away()

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
