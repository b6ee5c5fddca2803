"""The sheet to be labelled, and the score of its labels."""

import json

import pytest

from finetune.errors import DataError
from finetune.evaluate.drafting import Draft, Text
from finetune.evaluate.hallucination import SheetRow, label_report, read_labels, score, sheet_row, write_sheet
from listing.taxonomy import load_taxonomy
from tests.finetune.evaluate.evaluation import material
from tests.finetune.rows import annotated


def a_row(arm="tuned", sender=1, verdicts=("supported",), when="after", facts=("colour",)):
    words = "navy " * len(verdicts)
    claims = [
        {"text": when, "span": [5 * i, 5 * i + 4], "words": "navy", "fact": f, "verdict": v}
        for i, (v, f) in enumerate(zip(verdicts, facts * len(verdicts), strict=False))
    ]
    return SheetRow(
        id=f"{arm}/{sender}", image="a.jpg", sender_id=sender, arm=arm, known=["category", "colour"],
        before=words, after=words, claims=claims,
    )  # fmt: skip


def written(rows, folder):
    file = folder / "labels.jsonl"
    file.write_text("".join(row.model_dump_json() + "\n" for row in rows))
    return file


def test_measures_by_hand():
    rows = [
        a_row(sender=1, verdicts=("supported", "contradicted", "unverifiable")),
        a_row(sender=2, verdicts=("supported",)),
    ]
    found = score(rows, "after")
    assert found["claims"] == 4
    assert found["h_ins"] == pytest.approx(2 / 4)
    assert found["h_doc"] == pytest.approx(1 / 2)
    assert found["coverage"] == pytest.approx(2 / 4)  # the colour of both, the category of none
    assert score(rows, "before")["claims"] == 0


def test_saying_one_fact_twice_covers_it_once():
    assert score([a_row(verdicts=("supported", "supported"))], "after")["coverage"] == pytest.approx(1 / 2)


def test_a_sheet_proposes_spans_of_both_texts_and_leaves_verdicts_open():
    before = Text("Navy hoodie", "Here is a navy hoodie by Prada.", {})
    after = Text("Navy hoodie", "A navy hoodie.", {})
    row = sheet_row(annotated(), "tuned", Draft("Hoodie", before, after), load_taxonomy())
    found = {(c.text, c.words, c.fact) for c in row.claims}
    assert {("before", "Navy", "colour"), ("before", "Prada", "brand"), ("after", "hoodie", "category")} <= found
    assert ("after", "Prada", "brand") not in found
    assert "Here" not in {c.words for c in row.claims}  # a description begins like a sentence
    assert all(c.verdict is None for c in row.claims)
    assert all(getattr(row, c.text)[slice(*c.span)] == c.words for c in row.claims)
    assert "colour" in row.known


def test_a_written_sheet_can_be_labelled_and_scored(tmp_path):
    file = tmp_path / "sheet.jsonl"
    write_sheet(material(tmp_path), file, 3)
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [row["arm"] for row in rows] == ["base", "tuned"] * 3
    with pytest.raises(DataError, match="no labelled draft"):
        read_labels(file)
    for row in rows[:4]:
        for claim in row["claims"]:
            claim["verdict"] = "supported"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = label_report(read_labels(file), tmp_path / "scores.json")
    assert len(lines) == 4
    assert "h_ins 0.000" in lines[0]
    assert json.loads((tmp_path / "scores.json").read_text())["tuned"]["after"]["drafts"] == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: row["claims"][0].update(verdict="maybe"), "line 1"),
        (lambda row: row["claims"][0].update(span=[1, 3]), "is not 'navy'"),
        (lambda row: row["claims"][0].update(verdict=None), "have no verdict yet"),
        (lambda row: row.pop("arm"), "no draft with claims"),
    ],
)
def test_a_spoilt_label_is_one_sentence(change, message, tmp_path):
    row = json.loads(a_row(verdicts=("supported", "supported")).model_dump_json())
    change(row)
    file = tmp_path / "labels.jsonl"
    file.write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=message):
        read_labels(file)


def test_drafts_without_a_label_are_left_out(tmp_path):
    rows = [a_row(sender=1), a_row(sender=2, verdicts=(None,))]
    assert [row.sender_id for row in read_labels(written(rows, tmp_path))] == [1]
