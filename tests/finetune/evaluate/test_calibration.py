"""Whose calibration is whose: merging keeps it, evaluating writes it to the model that was asked, drafts go by it."""

from __future__ import annotations

import argparse
import json
import logging
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

import finetune
from app.cli import evaluate
from app.cli.main import main
from finetune.evaluate.cached_model import weights_stamp
from finetune.evaluate.calibrate import fit_form_category
from finetune.train.loading import load_base, with_lora
from listing.observe.neighbours import Neighbours
from listing.intake.photos import intake
from listing.pipeline import build_pipeline
from listing.request import DraftRequest
from listing.schema import NeighbourRef
from tests.finetune.evaluate.evaluation import material
from tests.finetune.rows import annotated
from tests.listing.backends.chat_stub import MODEL, Answer, event, prompt_of, reply, seeing, serving, spelled

FORM = '{"category": "hoodie", "colour": "black", "closure": "zip", "details": []}'
EVERYTHING = {"default": {"weights": {"mllm": 1.0}, "threshold": 0.0}}  # any likeliest value is stated
MODEL_SOURCES = {"mllm", "classifier"}


@pytest.fixture
def merged(models, tmp_path, capsys):
    """A model folder that ``tune merge`` wrote from a calibrated base."""
    base = tmp_path / "base"
    shutil.copytree(models("ipl-mini"), base)
    (base / "calibration.json").write_text(json.dumps(EVERYTHING))
    loaded, _, family = load_base(base, pixels={})
    with_lora(loaded, family, 2, 4, 0.0, ()).save_pretrained(tmp_path / "adapter")
    given = ["--base", str(base), "--adapter", str(tmp_path / "adapter"), "--out", str(tmp_path / "merged")]
    assert main(["tune", "merge", *given]) == 0
    return tmp_path / "merged"


def draft_of(model: str | Path, tmp_path: Path):
    photo = tmp_path / "photo.png"
    Image.effect_mandelbrot((300, 200), (-2, -1, 1, 1), 20).convert("RGB").save(photo)
    pipeline = build_pipeline(str(model), False, tmp_path / "home")
    return list(pipeline.run(DraftRequest(photos=intake([photo]))))[-1].draft


def stated(draft) -> list[str]:
    """Names of the facts that the draft states on the model's word."""
    return [a.name for a in draft.attributes if a.value and {e.source for e in a.evidence} & MODEL_SOURCES]


def test_a_merged_model_drafts_by_the_calibration_of_its_base(merged, tmp_path, capsys):
    assert json.loads((merged / "calibration.json").read_text()) == EVERYTHING
    assert f"./ipl evaluate --calibrate --model {merged}" in capsys.readouterr().out  # its own would be better
    draft = draft_of(merged, tmp_path)
    assert stated(draft)
    assert "uncalibrated" not in {flag.code for flag in draft.flags}


def test_a_model_without_a_calibration_states_nothing(merged, tmp_path, caplog):
    (merged / "calibration.json").unlink(missing_ok=True)
    with caplog.at_level(logging.WARNING):
        draft = draft_of(merged, tmp_path)
    assert stated(draft) == []
    assert draft.category.value is not None
    flag = next(flag for flag in draft.flags if flag.code == "uncalibrated")
    assert re.fullmatch(r"[^.]+\.", flag.message)
    assert f"./ipl evaluate --calibrate --model {merged}" in caplog.text


def test_a_sure_but_uncalibrated_server_states_nothing(tmp_path, caplog):
    """It fills in every form at probability 1."""

    def answer(request):
        if request.body.get("stream"):
            return Answer(pieces=[event("A good one."), event("", "stop")])
        return reply(FORM, spelled(FORM))

    with serving(seeing(answer)) as stub:
        draft = draft_of(stub.url, tmp_path)
        prompts = [prompt_of(request) for request in stub.chats() if request.body.get("stream")]
        address = stub.url
    assert stated(draft) == []
    assert any(a.suggestion and a.confidence > 0.99 for a in draft.attributes)
    assert f"./ipl evaluate --calibrate --model {address}" in caplog.text
    assert prompts
    assert draft.spans
    assert {span.status for span in draft.spans} == {"check"}  # whatever is said is marked


# -- evaluate --calibrate -------------------------------------------------------------------------------------------


@pytest.fixture
def calibrate(tmp_path, monkeypatch, capsys):
    """Runs the command on a model that answers as it is told; returns what was printed."""
    (tmp_path / "shipped").mkdir()
    (tmp_path / "photos").mkdir()
    monkeypatch.setattr(finetune, "WEIGHTS", tmp_path / "shipped")
    monkeypatch.setattr(finetune, "gather_material", lambda *_, **__: material(tmp_path / "photos"))
    monkeypatch.setenv("IPL_HOME", str(tmp_path / "home"))

    def run(*given: str) -> str:
        parser = argparse.ArgumentParser()
        evaluate.register(parser)
        assert evaluate.run(parser.parse_args(["--calibrate", "--arms", "tuned", "--texts", "0", *given])) == 0
        return capsys.readouterr().out

    return run


def written(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*.json"))


def test_a_folder_gets_its_own_calibration(calibrate, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    said = calibrate("--model", str(own))
    assert written(tmp_path / "shipped") == []
    assert written(own) == ["calibration.json"]
    assert str(own / "calibration.json") in said


def test_the_embedded_model_gets_the_shipped_one(calibrate, tmp_path):
    embedded = tmp_path / "home" / "models" / "ipl-mini"
    embedded.mkdir(parents=True)
    for given in ((), ("--model", "ipl-mini"), ("--model", str(embedded))):
        said = calibrate(*given)
        assert written(tmp_path / "shipped") == ["calibration.json"], given
        assert written(embedded) == []
        assert str(tmp_path / "shipped" / "calibration.json") in said
        (tmp_path / "shipped" / "calibration.json").unlink()


def test_a_hub_model_and_a_server_get_one_in_the_home(calibrate, tmp_path):
    said = calibrate("--model", "Somebody/Some-Model")
    assert written(tmp_path / "shipped") == []
    (file,) = written(tmp_path / "home")
    assert re.fullmatch(r"calibrations/Somebody-Some-Model-[0-9a-f]{8}\.json", file)
    assert file in said
    with serving(lambda _: reply(FORM)) as stub:
        calibrate("--model", stub.url.removesuffix("/v1"))
        assert len(written(tmp_path / "home")) == 2
        pipeline = build_pipeline(f"{stub.url}#{MODEL}", False, tmp_path / "home")  # another way to write it
    assert pipeline.parts.calibration.of("colour").threshold == 0.95  # as fitted on too few photos


def test_answers_of_one_model_are_never_taken_for_those_of_another(tmp_path):
    """Both folders have the same name, and no manifest."""
    names = set()
    for content in (b"one", b"other"):
        folder = tmp_path / content.decode() / "merged"
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(content)
        names.add(weights_stamp(folder))
    names |= {weights_stamp("one/model"), weights_stamp("other/model")}
    assert len(names) == 4
    assert all(re.fullmatch(r"[\w.-]+", name) for name in names)


def test_a_server_is_calibrated_from_photos_to_drafts(garments, tmp_path, monkeypatch, capsys):
    """With the quick arms, though it has no heads of its own."""
    monkeypatch.setenv("IPL_HOME", str(tmp_path / "home"))
    with serving(seeing(lambda _: reply(FORM, spelled(FORM)))) as stub:
        asked = ["evaluate", "--calibrate", "--data", str(garments), "--model", stub.url]
        assert main(asked) == 0
        said = capsys.readouterr().out
        questions = len(stub.chats())
        assert main(asked) == 0  # its answers are kept
        assert len(stub.chats()) == questions
        pipeline = build_pipeline(stub.url, False, tmp_path / "home")
    assert [line.split()[0] for line in said.splitlines()] == ["tuned", "classifier", "system", "calibration"]
    assert pipeline.parts.calibration.fitted
    assert "category" in pipeline.parts.calibration.questions


def sayings(count, right):
    """Rows, and what a model says of their category at .8: right in that share of the rows."""
    rows = [annotated(label="Hoodie", sender_id=i) for i in range(count)]
    said = ["Hoodie" if i < right * count else "Shirt" for i in range(count)]
    others = {"Hoodie": 0.1, "Shirt": 0.1, "Dress": 0.1}
    return rows, [{"mllm": {"category": {**others, name: 0.8}}, "form": True} for name in said]


def test_past_listings_vote_as_far_as_they_are_right():
    rows, predictions = sayings(60, right=0.7)
    some = [NeighbourRef(listing_id=str(i), score=0.9) for i in range(8)]
    good, bad = (
        fit_form_category(rows, predictions, [Neighbours(some, {name: 1.0})] * len(rows))
        for name in ("Hoodie", "Dress")
    )
    assert bad.weights["neighbours"] == 0.0
    assert 0.0 < good.weights["neighbours"] <= good.weights["mllm"]
    assert fit_form_category(rows, predictions, []).weights["neighbours"] == 0.0


def test_a_model_that_is_too_sure_of_itself_gets_a_weight_below_one():
    """The weight is the inverse of a temperature: right in 6 of 10 at .8, it is taken for less sure."""
    weights = [fit_form_category(*sayings(60, right), []).weights["mllm"] for right in (0.6, 0.98)]
    assert weights[0] < 1.0 < weights[1]
