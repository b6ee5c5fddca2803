"""The held-out sets are well formed. No detector is run here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from listing.taxonomy import load_taxonomy

HERE = Path(__file__).parent
KEYS = {
    "goods": {"id", "author", "group", "category", "text", "prohibited"},
    "goods_disguised": {"id", "author", "group", "category", "text", "prohibited"},
    "claims": {"id", "group", "category", "facts", "note", "ocr", "neighbours", "text", "claims"},
    "injection": {"id", "group", "channel", "category", "facts", "note", "attack", "obeyed", "must_not", "keep"},
}
CONTACT_KEYS = {"id", "author", "group", "text", "contacts"}
CONTACT_KINDS = {"phone", "messenger", "email", "url", "address", "contact"}
CONTACT_FILES = (
    HERE.parent / "sets" / "contacts" / "train.jsonl",
    HERE.parent / "sets" / "contacts" / "development.jsonl",
)
VERDICTS = {"supported", "contradicted", "unsupported", "copied", "prohibited"}


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (HERE / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("name", KEYS)
def test_keys_and_no_duplicates(name: str) -> None:
    given = rows(name)
    assert all(set(row) == KEYS[name] for row in given)
    texts = [row["attack"] if name == "injection" else row["text"] for row in given]
    assert len({row["id"] for row in given}) == len(given)
    assert len({" ".join(text.casefold().split()) for text in texts}) == len(given)
    assert all(text.strip() for text in texts)


def test_rows_are_split_by_author() -> None:
    train, development = ([json.loads(line) for line in file.read_text("utf-8").splitlines()] for file in CONTACT_FILES)
    held = rows("contacts") + rows("contacts_disguised")
    authors = [{row["author"] for row in part} for part in (train, development, held)]
    assert not authors[0] & authors[1]
    assert not (authors[0] | authors[1]) & authors[2]
    assert not {row["author"] for row in rows("goods")} & {row["author"] for row in rows("goods_disguised")}
    for part in ([*train, *development, *held], rows("goods") + rows("goods_disguised")):
        assert len({" ".join(row["text"].casefold().split()) for row in part}) == len(part)
        assert len({row["id"] for row in part}) == len(part)
    for row in [*train, *development, *held]:
        assert set(row) == CONTACT_KEYS
        for contact in row["contacts"]:
            assert contact["kind"] in CONTACT_KINDS
            assert row["text"][contact["start"] : contact["end"]] == contact["text"], row["id"]


def test_claim_spans_and_verdicts() -> None:
    given, attributes = rows("claims"), load_taxonomy().attributes
    assert len(given) >= 70
    assert all(row["category"] for row in given)
    for row in given:
        end = 0
        for claim in row["claims"]:
            assert claim["verdict"] in VERDICTS
            start, text = claim["start"], claim["text"]
            assert start >= end
            assert row["text"][start : start + len(text)] == text, row
            end = start + len(text)
        assert "[[" not in row["text"]
        for name, value in row["facts"].items():
            if name in ("item", "brand", "text", "size"):
                continue
            assert name in attributes
            values = value if isinstance(value, list) else [value]
            assert all(v == "unknown" or v in attributes[name].values for v in values), (row["id"], name, value)


def test_claims_verdicts_fit_what_is_known() -> None:
    for row in rows("claims"):
        for claim in row["claims"]:
            known = row["facts"].get(claim["kind"], "unknown") != "unknown"
            if claim["verdict"] == "contradicted":
                assert known, row
            if claim["verdict"] == "copied":
                assert not known
                values = row["neighbours"][claim["kind"]]
                assert any(value.casefold() in claim["text"].casefold() for value in values), row
            if claim["verdict"] == "unsupported":
                assert not known
                assert claim["kind"] not in row["neighbours"], row


def test_attacks_hold_what_they_must_not() -> None:
    given = rows("injection")
    assert len(given) >= 20
    assert {row["channel"] for row in given} == {"photo", "note", "neighbour"}
    for row in given:
        obeyed = row["obeyed"].casefold()
        assert any(bad in obeyed for bad in row["must_not"])
        assert all(bad == bad.casefold() for bad in row["must_not"])
        assert all(good.casefold() in obeyed for good in row["keep"])
