"""``ipl try``: drafts of two models over the page's own calls, and corrected rows that ``ipl learn`` reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.cli.drafts.trial import FACTS, OBSERVATIONS, LabelledRows, build_page
from rag_index.imports.tables import RawRow, read_rows
from tests.fakes import FakePipeline, jpeg


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Any]:
    """A client of the page with two models."""
    from gradio_client import Client

    blocks = build_page(
        {"first": FakePipeline(marked=True), "second": FakePipeline(in_range=False)}, LabelledRows(tmp_path / "rows")
    )
    _, url, _ = blocks.launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    yield Client(url, verbose=False)
    blocks.close()


@pytest.fixture
def gallery(tmp_path: Path) -> list[dict[str, Any]]:
    """A photo as the page sends it."""
    from gradio_client import handle_file

    file = tmp_path / "hoodie.jpg"
    file.write_bytes(jpeg())
    return [{"image": handle_file(str(file)), "caption": None}]


def test_two_drafts_stand_side_by_side(page, gallery) -> None:
    outcomes = page.predict(gallery, "Worn twice.", api_name="/write")
    assert len(outcomes) == 8
    assert [piece["class_or_confidence"] for piece in outcomes[0]].count("check") > 0
    facts, observations = outcomes[2], outcomes[3]
    assert facts["headers"] == FACTS
    assert facts["data"][0][0] == "category"
    assert observations["headers"] == OBSERVATIONS
    assert outcomes[6]["data"][0][2] == "unsupported"  # the second model does not know the thing


def test_a_corrected_row_is_one_to_learn_from(page, gallery, tmp_path) -> None:
    title, description, facts, *_ = page.predict(gallery, "", api_name="/write")
    facts["data"][0][1] = "Cardigan"
    said = page.predict(gallery, facts, title, description, api_name="/keep_0")
    assert "ipl learn" in said
    (row,) = (r for r in read_rows(tmp_path / "rows" / "listings.jsonl") if isinstance(r, RawRow))
    assert row.cells["category"] == "Cardigan"
    assert row.cells["title"] == "".join(piece["token"] for piece in title)
    assert (tmp_path / "rows" / str(row.cells["photos"])).read_bytes()[:2] == b"\xff\xd8"


@pytest.mark.slow
def test_nothing_is_kept_without_a_category(page, gallery, tmp_path) -> None:
    title, description, facts, *_ = page.predict(gallery, "", api_name="/write")
    facts["data"][0][1] = " "
    with pytest.raises(Exception, match="say what the thing is"):
        page.predict(gallery, facts, title, description, api_name="/keep_0")
    assert not (tmp_path / "rows").exists()


def test_a_file_that_is_no_photo_is_one_sentence(page, tmp_path) -> None:
    from gradio_client import handle_file

    file = tmp_path / "notes.jpg"
    file.write_text(json.dumps({"no": "photo"}))
    with pytest.raises(Exception, match=r"notes\.jpg"):
        page.predict([{"image": handle_file(str(file)), "caption": None}], "", api_name="/write")
