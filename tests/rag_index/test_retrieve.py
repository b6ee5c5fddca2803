"""Fusion, leakage rules, votes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rag_index import ListingIndex, Neighbour, Query, Rules, build, retrieve, vote
from rag_index.retrieval import fuse
from tests.rag_index.listings import IMAGE, INFO, make


def near(number: int, similarity: float = 0.9, **changes: object) -> Neighbour:
    return Neighbour(make(number, **changes), similarity, similarity, None)


def test_fusion_by_hand() -> None:
    fused = fuse([["a", "b"], ["b", "c"]])
    assert list(fused) == ["b", "a", "c"]
    assert fused["b"] == pytest.approx((1 / 62 + 1 / 61) / (2 / 61))
    assert fused["a"] == pytest.approx((1 / 61) / (2 / 61))
    assert list(fuse([["a", "b"], []]).values()) == pytest.approx([1.0, 61 / 62])
    assert fuse([[], []]) == {}


@pytest.fixture
def index(tmp_path: Path) -> Iterator[ListingIndex]:
    """The item itself, its seller's other piece, two near-duplicates, and strangers."""
    item = make(0, category="Hat")
    vector = np.array(item.image_vectors[0])
    off = np.random.default_rng(1).standard_normal(IMAGE)
    off -= (off @ vector) * vector
    off /= np.linalg.norm(off)

    def at(cosine: float) -> list[list[float]]:
        return [(cosine * vector + np.sqrt(1 - cosine**2) * off).tolist()]

    five_bits = f"{int(item.phashes[0], 16) ^ 0b11111:016x}"
    seven_bits = f"{int(item.phashes[0], 16) ^ 0b1111111:016x}"
    records = [
        item,
        make(1, category="Hat", seller_id="s0", image_vectors=at(0.93)),
        make(2, category="Hat", image_vectors=at(0.9), phashes=[five_bits]),
        make(3, category="Hat", image_vectors=at(0.96)),
        make(4, category="Hat", image_vectors=at(0.94), phashes=[seven_bits]),
        make(5, category="Dress", image_vectors=at(0.92)),
        *(make(n, category="Hat") for n in range(6, 12)),
    ]
    build(records, tmp_path / "index", INFO)
    with ListingIndex.open(tmp_path / "index", INFO) as opened:
        yield opened


def query(**changes: object) -> Query:
    item = make(0)
    fields: dict[str, object] = {
        "image_vectors": item.image_vectors,
        "text_vector": item.text_vector,
        "phashes": item.phashes,
        "listing_id": "l0",
        "seller_id": "s0",
        "category": "Hat",
    }
    return Query(**{**fields, **changes})  # type: ignore[arg-type]


def test_nothing_leaks(index: ListingIndex) -> None:
    assert retrieve(index, query(text_vector=None), 1)[0].record.listing_id == "l4"
    neighbours = retrieve(index, query(), limit=20)
    assert {n.record.listing_id for n in neighbours} == {"l4", *(f"l{n}" for n in range(6, 12))}


@pytest.mark.parametrize(
    ("rules", "allowed"),
    [
        (Rules(same_item=False, same_seller=False), {"l1"}),
        (Rules(near_duplicate=False), {"l2", "l3"}),
        (Rules(same_item=False, same_seller=False, near_duplicate=False), {"l0", "l1", "l2", "l3"}),
    ],
)
def test_each_rule_bites_and_can_be_switched_off(index: ListingIndex, rules: Rules, allowed: set[str]) -> None:
    ids = {n.record.listing_id for n in retrieve(index, query(), 20, rules)}
    assert ids & {"l0", "l1", "l2", "l3"} == allowed


def test_near_duplicates_by_text_are_kept_out(index: ListingIndex) -> None:
    neighbours = retrieve(index, query(image_vectors=[], listing_id=None, seller_id=None, category=None), 20)
    names = {n.record.listing_id for n in neighbours}
    assert not names & {"l0", "l2"}
    assert {"l1", "l5"} <= names


def test_dominant_seller_hides_nobody(tmp_path: Path) -> None:
    item = make(0)
    crowd = [make(n, category="Hat", seller_id="s0", image_vectors=item.image_vectors) for n in range(1500)]
    build([*crowd, make(2001), make(2003)], tmp_path / "big", INFO)
    with ListingIndex.open(tmp_path / "big", INFO) as opened:
        neighbours = retrieve(opened, query(), 5)
    assert {n.record.listing_id for n in neighbours} == {"l2001", "l2003"}


def test_votes_are_weighted_supported_and_never_instance_level() -> None:
    facts = [
        {"colour": "red", "size": "M", "brand": "Acme"},
        {"colour": "red", "size": "M", "brand": "Acme"},
        {"colour": "blue", "sleeve": "long", "size": "M"},
        {"colour": "blue", "sleeve": "long", "size": "M"},
        {"colour": "green"},
    ]
    around = [near(n, 0.95 if n < 2 else 0.7, attributes=f) for n, f in enumerate(facts)]
    votes = vote(around, {"size", "brand"})
    assert set(votes) == {"colour", "sleeve"}
    assert [value for value, *_ in votes["colour"]] == ["red", "blue"]
    assert votes["colour"][0][1] > 3 * votes["colour"][1][1]
    assert votes["colour"][0][2] == ["l0", "l1"]
    assert votes["sleeve"] == [("long", 1.0, ["l2", "l3"])]
    one_seller = [near(n, attributes={"colour": "red"}, seller_id="same") for n in range(4)]
    assert vote(one_seller, ()) == {}
    assert vote([], ()) == {}
