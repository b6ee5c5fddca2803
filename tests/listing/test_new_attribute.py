"""An attribute is declared once: what is added to the taxonomy is asked, stated, written, checked and shown."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import yaml
from PIL import Image

from app.seller.draft_part import draft_html
from app.views import DraftView
from listing import taxonomy
from listing.intake.photos import intake
from listing.pipeline import Pipeline
from listing.request import DraftRequest
from listing.say.claims import Claim
from listing.say.render import render
from listing.schema import Draft
from tests.listing.stubs import StubBackend, parts

CUFFS = {
    "label": "cuffs",
    "known": "seen",
    "in_text": 13,
    "values": ["ribbed", "folded", "scalloped"],
    "asked": "What cuffs does it have?",
    "question": "Which cuffs does it have?",
    "value_labels": {"scalloped": "in waves"},
    "forms": {"ribbed": {"with": ["ribbed cuffs"]}},
    "phrases": {"ribbed": ["ribbed cuffs"], "folded": ["folded cuffs"], "scalloped": ["scalloped cuffs"]},
}
ANSWERS = {"category": "hoodie", "colour": "navy", "neckline": "hood", "cuffs": "ribbed"}


@pytest.fixture
def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The taxonomy that comes with the package, with one more attribute of what is worn above."""
    raw = yaml.safe_load(taxonomy.DEFAULT_FILE.read_text(encoding="utf-8"))
    raw["attributes"]["cuffs"] = CUFFS
    raw["schemas"]["upper"]["attributes"].append("cuffs")
    file = tmp_path / "taxonomy.yaml"
    file.write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
    monkeypatch.setattr(taxonomy, "DEFAULT_FILE", file)
    taxonomy.load_taxonomy.cache_clear()
    yield taxonomy.load_taxonomy()
    taxonomy.load_taxonomy.cache_clear()


def drafted(backend: StubBackend) -> Draft:
    photo = io.BytesIO()
    Image.new("RGB", (200, 240), (20, 30, 90)).save(photo, "JPEG")
    return list(Pipeline(parts(backend)).run(DraftRequest(photos=intake([photo.getvalue()]))))[-1].draft


def test_it_is_asked_stated_and_written(declared) -> None:
    texts = ("Navy hoodie with ribbed cuffs", "A navy hoodie with ribbed cuffs.")
    backend = StubBackend(ANSWERS, texts=["\n".join(texts)])
    draft = drafted(backend)
    asked = {question.name: question for question in backend.asked}
    assert asked["cuffs"].prompt == "What cuffs does it have?"
    assert asked["cuffs"].answers == ("ribbed", "folded", "scalloped", "unknown")
    assert draft.attribute("cuffs").value == "ribbed"
    assert all("cuffs: ribbed" in prompt for prompt in backend.prompts)
    assert (draft.title, draft.description) == texts
    assert {s.attribute for s in draft.spans} == {"colour", "category", "cuffs"}


def test_a_text_that_claims_another_value_is_not_shown(declared) -> None:
    draft = drafted(StubBackend(ANSWERS, texts=["Navy hoodie with folded cuffs\nA navy hoodie with scalloped cuffs."]))
    assert draft.title == "Navy hoodie with ribbed cuffs"
    assert "ribbed cuffs" in draft.description
    assert "scalloped" not in draft.description
    assert {flag.code for flag in draft.flags} >= {"claim-contradicted"}


def test_a_value_without_forms_stands_behind_its_label(declared) -> None:
    claims = [Claim("category", "Hoodie"), Claim("colour", "navy"), Claim("cuffs", "folded")]
    assert "Cuffs: folded." in render(claims, declared, key="0").description


def test_the_form_shows_it_with_its_choices(declared) -> None:
    draft = drafted(StubBackend({**ANSWERS, "cuffs": "scalloped"}))
    view = DraftView("one", "ready", category=draft.category, attributes=tuple(draft.attributes), draft=draft)
    page = draft_html(view, [], retrieval=False)
    assert "Cuffs" in page
    assert "in waves" in page
    assert all(choice in page for choice in CUFFS["values"])
