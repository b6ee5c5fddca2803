"""A lost connection, a server that is killed under open pages, ten tabs: nothing is lost, nothing is done twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.app.kills.life_server import OneServer, Starter
from tests.app.support.pages import (
    add,
    description,
    expect,
    more,
    note,
    price,
    publish,
    put_online,
    sign_in,
    size_question,
    title,
    write,
)
from tests.fakes import FakePipeline

pytestmark = pytest.mark.browser
AWAY = "No connection"
PERU = re.compile("^(?!.*Peru.*Peru).*It has been to Peru", re.DOTALL)  # once


@pytest.fixture
def hold(tmp_path: Path) -> Path:
    """While this file lies there no draft of the server comes to its end."""
    return tmp_path / "hold"


@pytest.fixture
def server(tmp_path: Path, hold: Path) -> Iterator[OneServer]:
    """A server with pages in a process of its own, to be killed and started again on the same port and home."""
    settings = {"IPL_INDEX": str(tmp_path / "index"), "PAGES": "1", "HOLD": str(hold)}
    with Starter(tmp_path / "log") as starter:
        one = OneServer(starter, tmp_path / "home", settings)
        one.start()
        yield one
        one.end()


def drafts(page: Any) -> Any:
    """The unfinished drafts on the list that is open."""
    page.locator("#ipl-top").get_by_role("button", name="My listings").click()
    return page.locator(".drafts .item")


def say_more(page: Any, words: str) -> None:
    more(page)
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


@pytest.mark.nightly  # the tests below lose connections and answers in place of servers
def test_an_open_page_outlives_killed_servers(server: OneServer, visit: Any, files: list[str], hold: Path) -> None:
    page = visit(f"{server.url}/", "desktop")
    note(page).fill("Typed before any photo.")
    add(page, files)
    server.end()
    server.start()
    page.reload()  # shows what was chosen and typed
    expect(page.locator(".shot")).to_have_count(2)
    expect(note(page)).to_have_value("Typed before any photo.")
    note(page).fill("Worn twice.")
    server.end()
    page.get_by_role("button", name="Write my listing").click()
    expect(page.get_by_text(AWAY)).to_be_visible()
    expect(page.locator(".shot")).to_have_count(2)
    hold.touch()
    server.start()
    expect(page.locator("#t-title-live")).to_be_visible()
    expect(page.get_by_text(AWAY)).to_have_count(0)
    server.end()  # while it writes
    hold.unlink()
    server.start()
    expect(publish(page)).to_be_visible()
    expect(note(page)).to_have_value("Worn twice.")
    expect(description(page)).to_have_value(re.compile("Worn twice."))
    expect(drafts(page)).to_have_count(1)
    page.get_by_role("button", name="Sell", exact=True).click()

    title(page).fill("Typed before")
    server.end()
    title(page).press_sequentially(", typed while it was away")
    say_more(page, "it has been to Peru")
    size_question(page).get_by_role("button", name="M", exact=True).click()
    expect(page.get_by_text(AWAY)).to_be_visible()
    server.start()
    expect(size_question(page)).to_have_count(0)
    expect(title(page)).to_have_value("Typed before, typed while it was away")
    expect(description(page)).to_have_value(PERU)
    put_online(page)
    expect(page.locator(".done-page h2")).to_have_text("Typed before, typed while it was away")
    expect(drafts(page)).to_have_count(0)
    expect(page.locator(".item")).to_have_count(1)


def test_presses_without_a_network_are_done_once(serve: Any, visit: Any, files: list[str]) -> None:
    """In their order, over a reload, and where only the answer was lost."""
    page = visit(serve(FakePipeline(marked=True)), "desktop")
    lost = [lose_answer(page)]
    add(page, files[:1])
    page.context.set_offline(True)
    page.locator("#ipl-sell input[type=file]").set_input_files(files[1:])
    note(page).fill("Typed without a network.")
    page.get_by_role("button", name="Write my listing").click()
    expect(page.get_by_text(AWAY)).to_be_visible()
    page.context.set_offline(False)
    expect(publish(page)).to_be_visible()
    expect(page.locator(".shot")).to_have_count(2)
    assert "Typed without a network." in description(page).input_value()
    page.context.set_offline(True)
    size_question(page).get_by_role("button", name="S", exact=True).click()
    size_question(page).get_by_role("button", name="L", exact=True).click()
    page.context.set_offline(False)
    expect(size_question(page)).to_have_count(0)
    expect(page.locator("#f-size .val")).to_have_text("L")
    expect(drafts(page)).to_have_count(1)
    page.get_by_role("button", name="Sell", exact=True).click()

    page.route("**/gradio_api/**", lambda route: route.abort("internetdisconnected"))
    say_more(page, "it has been to Peru")
    expect(page.get_by_text(AWAY)).to_be_visible()
    say_more(page, "it was a present")
    page.wait_for_function(
        "sessionStorage.iplWaiting?.includes('present')"
    )  # a tick of before can be what failed first
    page.unroute("**/gradio_api/**")
    page.reload()  # shows what both of them did
    expect(description(page)).to_have_value(re.compile("It was a present"))
    expect(description(page)).to_have_value(PERU)
    price(page).press_sequentially("12,50")
    more(page)
    page.get_by_label("Say more").press_sequentially("side slits")
    page.reload()
    expect(price(page)).to_have_value(re.compile("12[,.]50"))
    more(page)
    expect(page.get_by_label("Say more")).to_have_value("side slits")
    lost.append(lose_answer(page))
    page.get_by_role("button", name="Add", exact=True).click()
    expect(description(page)).to_have_value(re.compile("^(?!.*slits.*slits).*side slits", re.DOTALL))
    lost.append(lose_answer(page))
    put_online(page)
    expect(page.locator(".done-page")).to_contain_text("12.50 EUR")
    assert [len(answers) for answers in lost] == [1, 1, 1]
    expect(drafts(page)).to_have_count(0)
    expect(page.locator(".item")).to_have_count(1)


def test_photos_that_fail_hold_nothing_up(serve: Any, visit: Any, files: list[str]) -> None:
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


def test_typed_words_are_not_shown_to_others(serve: Any, visit: Any) -> None:
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
        write(tab, files)
    for tab in tabs:
        tab.get_by_role("button", name="My listings").click()
        expect(tab.locator(".drafts .item")).to_have_count(2)
