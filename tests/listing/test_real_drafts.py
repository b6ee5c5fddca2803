"""Whole drafts by the embedded model."""

from __future__ import annotations

import pytest
from PIL import Image

from finetune.data.photosets import read_annotations
from finetune.data.splits import split_rows
from listing.intake.photos import intake
from listing.request import DraftPipeline, DraftRequest
from listing.schema import Draft
from tests.fakes import label_photo

pytestmark = pytest.mark.model


def draft(pipeline: DraftPipeline, *sources, **request) -> Draft:
    return list(pipeline.run(DraftRequest(photos=intake(sources), **request)))[-1].draft


def stated(drafted: Draft) -> dict[str, str]:
    return {a.name: a.value for a in drafted.attributes if a.value is not None}


def test_the_demo_photo_gives_a_complete_draft(real_pipeline, repository):
    made = draft(real_pipeline, repository / "demo" / "hoodie.jpg")
    assert "Hoodie" in {c.value for c in made.category.candidates}
    assert made.title
    assert made.description
    assert made.questions
    assert Draft.model_validate_json(made.model_dump_json()) == made
    assert made.neighbours, "past listings were looked up"
    assert made.price is None, "sample listings carry no price"


def test_a_print_is_read(real_pipeline, repository):
    made = draft(real_pipeline, repository / "demo" / "t-shirt.jpg")
    assert made.attribute("text").value == "FEMME FOREVER"
    assert "FEMME FOREVER" in made.title


def test_a_label_close_up_is_read_and_the_order_of_photos_does_not_matter(real_pipeline, repository):
    hoodie, label = repository / "demo" / "hoodie.jpg", label_photo("Wrangler", "M", "100% cotton")
    one, two = draft(real_pipeline, hoodie, label), draft(real_pipeline, label, hoodie)
    assert stated(one) == stated(two)
    assert one.category.value == two.category.value
    assert stated(one)["brand"] == "Wrangler"
    assert stated(one)["size"] == "M"
    assert one.attribute("brand").evidence[0].photo == 1
    assert two.attribute("brand").evidence[0].photo == 0


@pytest.mark.data
def test_something_else_than_a_garment_is_marked_as_outside_the_tuned_range(real_pipeline, data_folder):
    made = draft(real_pipeline, data_folder / "ikea_interior" / "images" / "000.379.80.jpg")
    assert made.flags[0].code in ("outside-tuned", "outside-known")
    assert "sleeve" not in {a.name for a in made.attributes}


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
