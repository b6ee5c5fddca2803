"""The benchmarks around the evaluation, on made-up opinions."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.finetune import brand_recall, leakage, risk_coverage
from finetune.errors import DataError
from listing.calibration import Calibration, QuestionCalibration
from rag_index import IndexRecord
from tests.finetune.rows import annotated


def opinion(colour, p):
    shares = {"navy": 1 - p, "unknown": 0.0} | {colour: p}
    plain = {name: {"unknown": 1.0} for name in ("pattern", "sleeve", "neckline", "closure", "material", "audience")}
    mllm = {"category": {"Hoodie": 1.0}, "colour": shares, **plain}
    return {"mllm": mllm, "classifier": {"label": {"Hoodie": 1.0}}, "pixels": {}}


def test_precision_and_coverage_at_the_other_halfs_threshold():
    rows = [annotated(sender_id=i, guess=["material"]) for i in range(40)]
    said = [opinion("navy", 0.9 - i / 1000) if i % 4 < 2 else opinion("red", 0.6 - i / 1000) for i in range(40)]
    rules = [Calibration(default=QuestionCalibration(weights={"mllm": 1.0}, threshold=0.8))] * 40
    taxonomy = risk_coverage.load_taxonomy()
    pairs = risk_coverage.at_target(rows, said, 1.0, rules, taxonomy)
    found = risk_coverage.precision_and_coverage(rows, pairs)
    assert len(pairs) == 40 * 6  # seven attributes but the guess
    assert found["precision"] == 1.0
    assert found["coverage"] == pytest.approx(20 / 240, abs=2 / 240)
    loose = risk_coverage.precision_and_coverage(rows, risk_coverage.at_target(rows, said, 0.5, rules, taxonomy))
    assert loose["precision"] == pytest.approx(0.5, abs=0.03)
    assert loose["coverage"] == pytest.approx(40 / 240, abs=2 / 240)


def test_a_cache_of_other_photos_is_refused(tmp_path):
    (tmp_path / "annotations.jsonl").write_text(json.dumps(annotated(image="a.jpg", sender_id=14)) + "\n")
    with pytest.raises(DataError, match=r"run ./ipl evaluate first"):
        risk_coverage.load(tmp_path, tmp_path / "none.jsonl")


def test_a_brand_is_legible_where_its_whole_name_stands_in_the_text():
    assert brand_recall.legible(annotated(brand="Puma", text="PUMA 1948"))
    assert not brand_recall.legible(annotated(brand="Tommy Hilfiger", text="TOMMY"))
    assert not brand_recall.legible(annotated(brand="Kappa", text=None))
    assert not brand_recall.legible(annotated(brand="Puma", text="PUMA", guess=["brand"]))


def test_brands_found_missed_and_wrong():
    puma = annotated(brand="Puma", text="PUMA")
    rows = [puma, puma, annotated(brand="Nike", text="TEAM"), annotated()]
    found = brand_recall.measure(rows, [{"brand": "PUMA"}, {}, {"brand": "Adidas"}, {"brand": "Next"}])
    assert (found["found"], found["legible"], found["stated"]) == (1, 2, 3)
    assert found["missed"] == ["Puma"]
    assert [case["stated"] for case in found["wrong"]] == ["Adidas", "Next"]


def test_each_leak_is_seen_by_itself():
    def listing(name, seller, phash):
        return IndexRecord(listing_id=name, seller_id=seller, category="Hat", phashes=[phash], image_vectors=[[1.0]])

    own = listing("a", "s1", "0" * 16)
    others = {
        "same_item": (listing("a", "s9", "f" * 16), [0.0, 1.0]),
        "same_seller": (listing("b", "s1", "f" * 16), [0.0, 1.0]),
        "near_duplicate": (listing("c", "s3", "0" * 15 + "7"), [0.0, 1.0]),
    }
    for kind, (record, vector) in others.items():
        vectors = {record.listing_id: np.array(vector), "a": np.array([1.0, 0.0])}
        assert kind in leakage.violations(own, [SimpleNamespace(record=record)], vectors)
    alike = SimpleNamespace(record=listing("d", "s4", "f" * 16))
    assert leakage.violations(own, [alike], {"a": np.array([1.0, 0.0]), "d": np.array([1.0, 0.1])}) == [
        "near_duplicate"
    ]
    far = {"a": np.array([1.0, 0.0]), "d": np.array([0.0, 1.0])}
    assert leakage.violations(own, [alike], far) == []
