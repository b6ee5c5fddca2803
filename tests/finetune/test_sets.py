"""The sets that the checks of texts learn from and are measured on: formats, and that nobody's rows are on both sides.

No detector is run here.
"""

from __future__ import annotations

import functools
from typing import Any

import pytest

from finetune.data.details import ANNOTATIONS
from finetune.data.files import read_lines
from listing.taxonomy import load_taxonomy

CONTACTS = tuple(f"sets/contacts/{part}" for part in ("train", "development", "disguised"))
GOODS = tuple(f"sets/goods/{part}" for part in ("train", "development", "disguised"))
HELD_CONTACTS, HELD_GOODS = ("held/contacts", "held/contacts_disguised"), ("held/goods", "held/goods_disguised")
KEYS = {
    **{name: {"id", "author", "group", "text", "contacts"} for name in (*CONTACTS, *HELD_CONTACTS)},
    **{name: {"id", "author", "group", "category", "text", "prohibited"} for name in (*GOODS, *HELD_GOODS)},
    "held/claims": {"id", "group", "category", "facts", "note", "ocr", "neighbours", "text", "claims"},
    "held/injection": {"id", "group", "channel", "category", "facts", "note", "attack", "obeyed", "must_not", "keep"},
}


@functools.cache
def rows(name: str) -> list[dict[str, Any]]:
    return read_lines(ANNOTATIONS / f"{name}.jsonl")


def text_of(row: dict[str, Any]) -> str:
    return " ".join(str(row.get("attack", row.get("text"))).casefold().split())


def is_bad(row: dict[str, Any]) -> bool:
    return bool(row.get("contacts") or row.get("prohibited"))


@pytest.mark.parametrize("name", KEYS)
def test_rows_have_the_keys_of_their_format(name: str) -> None:
    assert all(set(row) == KEYS[name] and text_of(row) for row in rows(name))


@pytest.mark.parametrize(
    "files", [(*CONTACTS, *HELD_CONTACTS), (*GOODS, *HELD_GOODS), ("held/claims",), ("held/injection",)]
)
def test_no_author_or_text_stands_in_two_files(files: tuple[str, ...]) -> None:
    """Only goods to learn from and to choose limits on may repeat each other."""
    file_of: dict[tuple[str, str], str] = {}
    for name in files:
        for row in rows(name):
            assert ("id", row["id"]) not in file_of
            repeated = file_of.get(("text", text_of(row)))
            assert repeated is None or {repeated, name} <= set(GOODS[:2]), row["id"]
            assert file_of.get(("author", row.get("author", "")), name) == name
            keys = ("id", row["id"]), ("text", text_of(row)), ("author", row.get("author", ""))
            file_of.update(dict.fromkeys(keys, name))


@pytest.mark.parametrize("name", [*CONTACTS, *HELD_CONTACTS])
def test_contacts_lie_in_order_where_the_rows_say(name: str) -> None:
    for row in rows(name):
        end = 0
        for contact in row["contacts"]:
            assert contact.keys() == {"kind", "text", "start", "end"}, row["id"]
            assert contact["kind"] in {"phone", "messenger", "email", "url", "address", "contact"}, row["id"]
            assert row["text"][contact["start"] : contact["end"]] == contact["text"] != "", row["id"]
            assert end <= contact["start"], row["id"]
            end = contact["end"]


@pytest.mark.parametrize("name", [CONTACTS[-1], *GOODS, HELD_CONTACTS[1], HELD_GOODS[1]])
def test_a_row_is_labelled_as_its_group_says(name: str) -> None:
    for row in rows(name):
        harmless = row["group"].partition("-")[0] in ("clean", "ok")
        assert harmless is not is_bad(row), row["id"]


@pytest.mark.parametrize(
    ("name", "count"), [(HELD_CONTACTS[0], 820), (HELD_CONTACTS[1], 185), (HELD_GOODS[0], 704), (HELD_GOODS[1], 175)]
)
def test_held_sets_have_enough_rows_of_both_kinds(name: str, count: int) -> None:
    assert len(rows(name)) == count
    assert 0.3 < sum(map(is_bad, rows(name))) / count < 0.6


@pytest.mark.parametrize("name", [HELD_CONTACTS[1], HELD_GOODS[1]])
def test_disguises_are_named_and_have_look_alikes(name: str) -> None:
    disguises: dict[bool, set[str]] = {True: set(), False: set()}
    for row in rows(name):
        disguises[is_bad(row)].add(row["group"].split("-")[1])
    assert {"spaced", "joined", "leet", "emoji"} <= disguises[True] & disguises[False]
    assert {"lookalike", "styled", "zerowidth"} <= disguises[True]
    assert "unicode" in disguises[False]


def test_claims_lie_in_order_with_known_values() -> None:
    attributes = load_taxonomy().attributes
    assert len(rows("held/claims")) >= 70
    for row in rows("held/claims"):
        end = 0
        for claim in row["claims"]:
            start, text = claim["start"], claim["text"]
            assert claim["verdict"] in {"supported", "contradicted", "unsupported", "copied", "prohibited"}
            assert start >= end, row["id"]
            assert row["text"][start : start + len(text)] == text, row["id"]
            end = start + len(text)
        for name, value in row["facts"].items():
            values = value if isinstance(value, list) else [value]
            if name not in ("item", "brand", "text", "size"):
                assert set(values) <= {"unknown", *attributes[name].values}, (row["id"], name)


def test_verdicts_fit_what_is_known() -> None:
    for row in rows("held/claims"):
        for claim in row["claims"]:
            known = row["facts"].get(claim["kind"], "unknown") != "unknown"
            values = row["neighbours"].get(claim["kind"])
            copied = any(value.casefold() in claim["text"].casefold() for value in values or ())
            fits = {"contradicted": known, "copied": not known and copied, "unsupported": not known and not values}
            assert fits.get(claim["verdict"], True), row["id"]


def test_attacks_hold_what_they_must_not() -> None:
    assert len(rows("held/injection")) >= 20
    assert {row["channel"] for row in rows("held/injection")} == {"photo", "note", "neighbour"}
    for row in rows("held/injection"):
        obeyed = row["obeyed"].casefold()
        assert any(bad in obeyed for bad in row["must_not"]), row["id"]
        assert all(bad == bad.casefold() for bad in row["must_not"])
        assert all(good.casefold() in obeyed for good in row["keep"]), row["id"]
