"""Texts made to be slow: taking contacts out and looking for refused goods take time by length, not by its square."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from listing.safety.contacts import scrub
from listing.safety.prohibited_goods import check_goods

LENGTH, TIMES = 2000, 4
FAST = 0.05  # seconds of the processor in which a text may be done, however that grows
GROWTH = 2.5 * TIMES  # of the time of a text that is so many times as long; its square would be 4 * TIMES
ATTEMPTS = 6  # on a busy machine one measure says little; what grows with the square fails all of them
BITS = (
    "a-", "a.", "a+", "@a", "0-", "zero ", "a1", "аa", "a@", "a ", "w w w ", "a,", "a:", "1 ", "1.", "(a", "[at]",
    "a at ", "a dot ", "http://", "www.", "/a", "+4", "a_", "@", "-", ".", "a", "0", "1", "ß", "点", "路", "街1", "1路",
    "A-", "A.", "A'", "d-", "mailto:a@", "h t t p ", "whatsapp ", "insta ", "gmail ", "o ", "call ", "A ", "Ab ", "\n",
    " ", "1 Ab ", "www", "a@b.", "first 12 ", "[removed] ", "12 ", "a\u200b", "＠", "微信", "ул. ", "1/", "$1",
    "is my ", "straße", "Karl-Marx-", "a-a at a-a dot ",
)  # fmt: skip


def seconds(work: Callable[[], object]) -> float:
    """The processor's time of one run."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


def grows_with_length(work: Callable[[str], object], text: str) -> bool:
    """Whether in one of several pairs of measures the whole text takes about as many times as long as it is longer."""
    for _ in range(ATTEMPTS):
        shorter, took = seconds(lambda: work(text[: LENGTH // TIMES])), seconds(lambda: work(text))
        if took <= max(FAST, GROWTH * shorter):
            return True
    return False


@pytest.mark.parametrize("work", [scrub, lambda text: check_goods("Hoodie", text)], ids=["scrub", "check_goods"])
def test_no_repetition_is_slow(work):
    assert [bit for bit in BITS if not grows_with_length(work, (bit * LENGTH)[:LENGTH])] == []


@pytest.mark.parametrize("before", ["_", "@", "_@", "a_", "._"])
def test_what_stands_before_an_address_is_read_in_one_way(before):
    assert seconds(lambda: scrub(before * 40 + " anna@gmail.com")) < 1  # a second reading of each doubles the time


def test_time_that_grows_with_the_square_is_noticed():
    assert not grows_with_length(lambda text: sum(a == b for a in text for b in text), "a" * LENGTH)


@pytest.mark.parametrize(
    "text",
    [
        "write to lea.moreau@studio-atelier.example.com",
        "lea-moreau at gmail dot com",
        "see www.my-little-wardrobe-of-nice-things.com/" + "path/" * 40,
        "mailto:lea@moreau.org",
        "l e a m o r e a u @ g m a i l . c o m",
        "Abholung Karl-Marx-Allee 12, 10178 Berlin",
        "Abholung: Carl-von-Ossietzky Straße 5, 26129 Oldenburg",
    ],
)
def test_what_is_long_is_still_taken_out_whole(text):
    left = scrub(text).replace("[removed]", "")
    for word in ("lea", "moreau", "l e a", "wardrobe", "path", "Marx", "Ossietzky", "Carl"):
        assert word not in left
