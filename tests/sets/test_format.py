"""Format of the rows that the checks of contacts and goods learn from: ids, spans, labels, authors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

SETS = Path(__file__).parent
FILES = ("train", "development", "disguised")


def rows(check: str, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SETS / check / f"{name}.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("name", FILES)
def test_contacts_are_substrings_in_order(name: str) -> None:
    for row in rows("contacts", name):
        assert row.keys() == {"id", "author", "group", "text", "contacts"}, row["id"]
        end = 0
        for contact in row["contacts"]:
            assert contact.keys() == {"kind", "text", "start", "end"}, row["id"]
            assert contact["kind"] in {"phone", "messenger", "email", "url", "address", "contact"}, row["id"]
            assert row["text"][contact["start"] : contact["end"]] == contact["text"] != "", row["id"]
            assert end <= contact["start"], f"{row['id']}: contacts overlap"
            end = contact["end"]


def test_a_disguised_row_is_clean_as_its_group_says() -> None:
    for row in rows("contacts", "disguised"):
        assert row["group"].startswith("clean") == (not row["contacts"]), row["id"]


@pytest.mark.parametrize("name", FILES)
def test_goods_are_prohibited_as_their_group_says(name: str) -> None:
    for row in rows("goods", name):
        assert row.keys() == {"id", "author", "group", "category", "text", "prohibited"}, row["id"]
        assert row["prohibited"] is (row["group"] != "ok"), row["id"]
        assert row["category"] is None or row["category"].strip(), row["id"]


@pytest.mark.parametrize("check", ["contacts", "goods"])
def test_ids_are_unique_and_an_author_stands_in_one_file(check: str) -> None:
    files = [rows(check, name) for name in FILES]
    ids = [row["id"] for file in files for row in file]
    assert len(ids) == len(set(ids))
    authors = [author for file in files for author in {row["author"] for row in file}]
    assert len(authors) == len(set(authors))


@pytest.mark.parametrize("check", ["contacts", "goods"])
def test_no_disguised_text_stands_twice_or_in_another_file(check: str) -> None:
    others = {row["text"].casefold() for name in FILES[:-1] for row in rows(check, name)}
    texts = [row["text"].casefold() for row in rows(check, "disguised")]
    assert len(texts) == len(set(texts))
    assert not others & set(texts)
