"""A lost connection, a server that is killed under open pages, ten tabs: nothing is lost, nothing is done twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.app.kills.life_server import OneServer, Starter
from tests.app.seller.conftest import add, expect, publish, put_online, sign_in, write
from tests.fakes import FakePipeline

pytestmark = pytest.mark.browser
AWAY = "No connection"
PERU = re.compile("^(?!.*Peru.*Peru).*It has been to Peru", re.DOTALL)  # once


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    """Starts the servers of this module."""
    with Starter(tmp_path_factory.mktemp("servers") / "log") as process:
        yield process


@pytest.fixture
def server(starter: Starter, tmp_path: Path) -> Iterator[OneServer]:
    """A server with pages in a process of its own, to be killed and started again on the same port and home."""
    hold = str(tmp_path / "hold")
    one = OneServer(starter, tmp_path / "home", {"IPL_INDEX": str(tmp_path / "index"), "PAGES": "1", "HOLD": hold})
    one.start()
    yield one
    one.end()


@pytest.fixture
def hold(tmp_path: Path) -> Path:
    """While this file lies there no draft of the server comes to its end."""
    file = tmp_path / "hold"
    file.touch()
    return file


def note(page: Any) -> Any:
    return page.get_by_label("Anything a buyer should know?")


def text(page: Any) -> Any:
    return page.get_by_label("Description", exact=True)


def size(page: Any) -> Any:
    """The question for the size."""
    return page.get_by_role("group", name="Which size is on the label?")


def drafts(page: Any) -> Any:
    """The unfinished drafts on the list that is open."""
    page.locator("#ipl-top").get_by_role("button", name="My listings").click()
    return page.locator(".drafts .item")


def say_more(page: Any, words: str) -> None:
    page.get_by_label("Say more").fill(words)
    page.get_by_role("button", name="Add", exact=True).click()


def lose_answer(page: Any) -> list[str]:
    """The next answer gets lost: what was asked is done, and the browser never hears of it. Returns where it lies."""
    lost: list[str] = []

    def lose(route: Any) -> None:
        lost.append(route.fetch().text())
        route.abort("connectionreset")

    page.route("**/run/predict*", lose, times=1)
    return lost


def test_chosen_photos_and_a_typed_note_outlive_a_killed_server(
    server: OneServer, visit: Any, files: list[str]
) -> None:
    page = visit(f"{server.url}/")
    add(page, files)
    note(page).fill("Worn twice.")
    server.end()
    page.get_by_role("button", name="Write my listing").click()
    expect(page.get_by_text(AWAY)).to_be_visible()
    expect(page.locator(".shot")).to_have_count(2)
    server.start()
    expect(publish(page)).to_be_visible()
    expect(page.get_by_text(AWAY)).to_have_count(0)
    expect(note(page)).to_have_value("Worn twice.")
    expect(text(page)).to_have_value(re.compile("Worn twice."))
    expect(page.locator(".shot")).to_have_count(2)
    expect(drafts(page)).to_have_count(1)


def test_an_open_draft_and_what_is_typed_in_it_outlive_a_killed_server(
    server: OneServer, visit: Any, files: list[str]
) -> None:
    page = visit(f"{server.url}/", "desktop")
    add(page, files)
    write(page)
    title = page.get_by_label("Title", exact=True)
    title.fill("Typed before")
    server.end()
    title.press_sequentially(", typed while it was away")
    say_more(page, "it has been to Peru")
    size(page).get_by_role("button", name="M", exact=True).click()
    expect(page.get_by_text(AWAY)).to_be_visible()
    server.start()
    expect(size(page)).to_have_count(0)
    expect(title).to_have_value("Typed before, typed while it was away")
    expect(text(page)).to_have_value(PERU)
    put_online(page)
    expect(page.locator(".done-page h2")).to_have_text("Typed before, typed while it was away")
    expect(drafts(page)).to_have_count(0)
    expect(page.locator(".item")).to_have_count(1)


def test_a_killed_server_goes_on_with_the_draft_that_it_was_writing(
    server: OneServer, visit: Any, files: list[str], hold: Path
) -> None:
    page = visit(f"{server.url}/")
    add(page, files)
    note(page).fill("Write it slowly.")
    page.get_by_role("button", name="Write my listing").click()
    expect(page.locator("#t-title-live")).to_be_visible()
    server.end()
    hold.unlink()
    expect(page.locator(".work")).to_be_visible()
    server.start()
    expect(publish(page)).to_be_visible()
    expect(text(page)).to_have_value(re.compile("Write it slowly."))
    expect(drafts(page)).to_have_count(1)


def test_a_page_that_is_loaded_again_shows_what_was_chosen_and_typed(
    server: OneServer, visit: Any, files: list[str]
) -> None:
    page = visit(f"{server.url}/", "desktop")
    note(page).fill("Typed before any photo.")
    add(page, files)
    server.end()
    server.start()
    page.reload()
    expect(page.locator(".shot")).to_have_count(2)
    expect(note(page)).to_have_value("Typed before any photo.")
    write(page)
    assert "Typed before any photo." in text(page).input_value()
    page.get_by_label("Price in EUR").press_sequentially("12,50")
    page.get_by_label("Say more").press_sequentially("it has been to")
    page.reload()
    expect(page.get_by_label("Price in EUR")).to_have_value(re.compile("12[,.]50"))
    expect(page.get_by_label("Say more")).to_have_value("it has been to")
    expect(page.locator(".shot")).to_have_count(2)
    put_online(page)
    expect(page.locator(".done-page")).to_contain_text("12.50 EUR")


def test_presses_without_a_network_are_done_in_their_order(serve: Any, visit: Any, files: list[str]) -> None:
    page = visit(serve(FakePipeline(marked=True)), "desktop")
    add(page, files[:1])
    page.context.set_offline(True)
    page.locator("#ipl-sell input[type=file]").set_input_files(files[1:])
    note(page).fill("Typed without a network.")
    page.get_by_role("button", name="Write my listing").click()
    expect(page.get_by_text(AWAY)).to_be_visible()
    page.context.set_offline(False)
    expect(publish(page)).to_be_visible()
    expect(page.locator(".shot")).to_have_count(2)
    assert "Typed without a network." in text(page).input_value()
    page.context.set_offline(True)
    size(page).get_by_role("button", name="S", exact=True).click()
    size(page).get_by_role("button", name="L", exact=True).click()
    page.context.set_offline(False)
    expect(size(page)).to_have_count(0)
    expect(page.locator("#f-size .val")).to_have_text("L")
    expect(drafts(page)).to_have_count(1)


def test_what_is_pressed_without_a_network_outlives_a_reload(serve: Any, visit: Any, files: list[str]) -> None:
    page = visit(serve(FakePipeline(marked=True)), "desktop")
    add(page, files)
    write(page)
    page.route("**/gradio_api/**", lambda route: route.abort("internetdisconnected"))
    say_more(page, "it has been to Peru")
    expect(page.get_by_text(AWAY)).to_be_visible()
    page.wait_for_function("sessionStorage.iplWaiting?.includes('Peru')")  # a tick of before can be what failed first
    page.unroute("**/gradio_api/**")
    page.reload()
    expect(text(page)).to_have_value(PERU)


def test_a_press_whose_answer_is_lost_is_done_once(serve: Any, visit: Any, files: list[str]) -> None:
    page = visit(serve(FakePipeline(marked=True)), "desktop")
    lost = [lose_answer(page)]
    add(page, files)
    lost.append(lose_answer(page))
    write(page)
    lost.append(lose_answer(page))
    say_more(page, "it has been to Peru")
    expect(text(page)).to_have_value(PERU)
    lost.append(lose_answer(page))
    put_online(page)
    expect(page.get_by_role("heading", name="It is online")).to_be_visible()
    assert [len(answers) for answers in lost] == [1, 1, 1, 1]
    expect(drafts(page)).to_have_count(0)
    expect(page.locator(".item")).to_have_count(1)


def test_photos_that_always_fail_do_not_hold_up_the_rest(serve: Any, visit: Any, files: list[str]) -> None:
    page = visit(serve(FakePipeline(marked=True)), "desktop")
    page.route("**/gradio_api/upload*", lambda route: route.abort("connectionreset"))
    page.locator("#ipl-sell input[type=file]").set_input_files(files)
    expect(page.get_by_text(AWAY)).to_be_visible()
    page.locator("#ipl-top").get_by_role("button", name="My listings").click()
    sentence = page.get_by_text("These photos could not be sent; choose them again.", exact=True)
    expect(sentence).to_be_visible()
    expect(page.get_by_role("heading", name="My listings")).to_be_visible()
    expect(page.get_by_text(AWAY)).to_have_count(0)
    page.unroute("**/gradio_api/upload*")
    page.get_by_role("button", name="Sell", exact=True).click()
    page.locator("#ipl-sell input[type=file]").set_input_files([])  # as a click on the button does
    page.locator("#ipl-sell input[type=file]").set_input_files(files)
    expect(page.locator(".shot")).to_have_count(len(files))


def test_what_one_person_typed_is_not_filled_in_for_the_next(serve: Any, visit: Any) -> None:
    page = visit(serve(FakePipeline(), sellers=("anna", "ben")), "desktop", seller="anna")
    note(page).fill("Anna's words.")
    page.reload()
    expect(note(page)).to_have_value("Anna's words.")
    page.get_by_role("link", name="Sign out").click()
    sign_in(page, "ben")
    expect(page.locator("#ipl-top .who")).to_contain_text("ben")
    expect(note(page)).to_have_value("")


@pytest.mark.nightly
def test_ten_tabs_of_one_browser_answer(serve: Any, visit: Any, files: list[str]) -> None:
    url = serve(FakePipeline(marked=True))
    first = visit(url)
    tabs = [first, *(first.context.new_page() for _ in range(9))]
    for tab in tabs[1:]:
        tab.goto(url)
        expect(tab.locator("#ipl-top header")).to_be_visible()
    for tab in (tabs[-1], first):
        add(tab, files)
        write(tab)
    for tab in tabs:
        tab.get_by_role("button", name="My listings").click()
        expect(tab.locator(".drafts .item")).to_have_count(2)
