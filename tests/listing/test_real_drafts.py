"""Whole drafts by the embedded model, on rendered and on real photos."""

from __future__ import annotations

import pytest
from PIL import Image

from finetune.data.photosets import read_annotations
from finetune.data.splits import split_rows
from listing.intake.photos import intake
from listing.request import DraftPipeline, DraftRequest
from listing.schema import Draft

pytestmark = pytest.mark.model


def draft(pipeline: DraftPipeline, *sources, **request) -> Draft:
    return list(pipeline.run(DraftRequest(photos=intake(sources), **request)))[-1].draft


def stated(drafted: Draft) -> dict[str, str]:
    return {a.name: a.value for a in drafted.attributes if a.value is not None}


def test_the_demo_photo_gives_a_complete_draft(real_pipeline, repository):
    drafted = draft(real_pipeline, repository / "demo" / "hoodie.jpg")
    assert "Hoodie" in {c.value for c in drafted.category.candidates}
    assert drafted.title
    assert drafted.description
    assert drafted.questions
    assert drafted.attribute("text").value.startswith("HARBOUR")
    assert Draft.model_validate_json(drafted.model_dump_json()) == drafted
    assert drafted.neighbours, "past listings were looked up"
    assert drafted.price is None, "sample listings carry no price"


def test_a_label_close_up_is_read_and_the_order_of_photos_does_not_matter(real_pipeline, repository):
    hoodie, label = repository / "demo" / "hoodie.jpg", repository / "demo" / "hoodie_label.jpg"
    one, two = draft(real_pipeline, hoodie, label), draft(real_pipeline, label, hoodie)
    assert stated(one) == stated(two)
    assert one.category.value == two.category.value
    assert stated(one)["brand"] == "Wrangler"
    assert stated(one)["size"] == "M"
    assert one.attribute("brand").evidence[0].photo == 1
    assert two.attribute("brand").evidence[0].photo == 0


def test_something_else_than_a_garment_is_marked_as_outside_the_tuned_range(real_pipeline, repository):
    drafted = draft(real_pipeline, repository / "demo" / "mug.jpg")
    assert drafted.flags[0].code in ("outside-tuned", "outside-known")
    assert "sleeve" not in {a.name for a in drafted.attributes}


def test_a_grey_picture_states_next_to_nothing(real_pipeline, tmp_path):
    grey = tmp_path / "grey.png"
    Image.new("RGB", (320, 320), (127, 127, 127)).save(grey)
    drafted = draft(real_pipeline, grey, category="Hoodie")
    assert set(stated(drafted)) <= {"colour", "condition", "pattern", "sleeve", "neckline"}
    assert len(stated(drafted)) <= 2


@pytest.mark.data
def test_real_photos_give_valid_drafts_that_depend_on_the_photo(real_pipeline, data_folder):
    _, rows = split_rows(read_annotations(data_folder / "clothing_cc0"))
    drafts = [draft(real_pipeline, row["image"], category="T-Shirt") for row in rows[::80]]
    for drafted in drafts:
        Draft.model_validate_json(drafted.model_dump_json())
        for fact in drafted.attributes:
            assert fact.value is None or fact.evidence
        brand = drafted.attribute("brand")
        assert brand.value is None or brand.evidence[0].source == "ocr"
        for name in ("size", "condition_grade", "authenticity"):
            assert drafted.attribute(name).value is None or drafted.attribute(name).evidence[0].source == "ocr"
    assert len({tuple(sorted(stated(drafted).items())) for drafted in drafts}) > 1, "another photo, other facts"
