"""A model is measured in the background; sellers' taps on what they were asked move how far it is heard."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from threading import Thread

import pytest
from PIL import Image

from app.drafting.hearing import TAPS
from listing.backends.openai import OpenAIBackend
from listing.backends.rationed import Rationed
from listing.calibration import PRIOR_WEIGHT, Calibration, QuestionCalibration, beside
from listing.measure.photos import calibrate
from listing.observe.source import Source
from listing.pipeline import Pipeline
from listing.rules import Rules
from listing.say.ask import AWAY
from tests.app.support.clients import client_of, draft
from tests.listing.backends.chat_stub import MODEL, reply, seeing, serving
from tests.listing.stubs import TAXONOMY, on, parts

WEIGHTS = QuestionCalibration(weights={"classifier": 1.0}, threshold=0.8)
PRIOR = beside(Calibration(questions=dict.fromkeys(("category", "closure", "sleeve"), WEIGHTS)))
SAID = {"category": "hoodie", "closure": "buttons", "sleeve": "long"}
FORM = json.dumps({k: {"value": v, "sure": 0.9} for k, v in SAID.items()})


class Tower(Source):
    """Rather sees a zip."""

    name = "evidence_tower"

    def observe(self, photos, context):
        return [
            on("evidence_tower", "category", "Hoodie"),
            on("evidence_tower", "closure", {"zip": 0.8, "buttons": 0.2}),
            on("evidence_tower", "sleeve", {"long": 0.99, "short": 0.01}),
        ]


@pytest.fixture
def heard(build, monkeypatch):
    """(client, services) with a model that says buttons, and a calibration below the home."""
    monkeypatch.setattr("app.drafting.hearing.calibration_of", with_prior)
    with serving(seeing(lambda request: reply("{}" if request.body.get("stream") else FORM), logprobs=False)) as stub:
        found = parts(OpenAIBackend(stub.url), sources=[Tower()], writes=False)
        pipeline = Pipeline(replace(found, rules=Rules(TAXONOMY, PRIOR)))
        services = build(pipeline=pipeline, model=stub.url, calibrate=False)
        services.hearing.begin(pipeline)
        yield client_of(services), services


def with_prior(file, home, *, shop=None, replaced=None):
    """As in a home whose embedded model has these questions."""
    own = Calibration.load(file)
    questions = dict(replaced) if replaced is not None else own.questions if own.fitted else {}
    return PRIOR.model_copy(update={"questions": {**PRIOR.questions, **questions}, "measured_on": own.measured_on})


def weight(services, question="closure"):
    return services.hearing.pipeline.parts.rules.calibration.of(question).weights["mllm"]


def test_what_sellers_set_right_lowers_a_model_and_what_they_confirm_raises_it(heard) -> None:
    client, services = heard
    version = services.hearing.pipeline.parts.rules.version
    for closure, lower in (("zip", True), ("buttons", False)):
        made = [draft(client).json()["id"] for _ in range(4)]
        for draft_id in made:
            answer = client.post(f"/v1/drafts/{draft_id}/claims", json={"facts": {"closure": closure}})
            assert answer.status_code == 200
        assert services.hearing.move() == len(made)
        assert (weight(services) < PRIOR_WEIGHT) is lower
        assert services.hearing.pipeline.parts.rules.version != version
        assert "4 corrections" in services.hearing.says
        for draft_id in made:
            client.delete(f"/v1/drafts/{draft_id}")


def test_a_seller_counts_for_five_taps_and_silence_for_none(heard) -> None:
    client, services = heard
    ids = [draft(client).json()["id"] for _ in range(TAPS + 3)]
    assert services.hearing.move() == 0
    assert weight(services) == PRIOR_WEIGHT
    for draft_id in ids:
        client.post(f"/v1/drafts/{draft_id}/claims", json={"facts": {"closure": "buttons"}})
    assert services.hearing.move() == TAPS
    assert weight(services) > PRIOR_WEIGHT
    before = weight(services)
    assert services.hearing.move() == TAPS
    assert weight(services) == before, "the same taps move nothing twice"


def test_corrections_of_what_nobody_was_asked_count_for_nothing(heard) -> None:
    client, services = heard
    for _ in range(3):
        made = draft(client).json()
        client.post(f"/v1/drafts/{made['id']}/claims", json={"facts": {"sleeve": "short"}})
    assert services.hearing.move() == 0
    assert weight(services, "sleeve") == PRIOR_WEIGHT


def test_a_model_is_measured_once_and_operators_read_on_what(heard, build, tmp_path, monkeypatch) -> None:
    client, services = heard
    lines = ["photo,category,closure"]
    for number in range(3):
        Image.new("RGB", (40, 40 + number)).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,hoodie,buttons")
    (tmp_path / "own.csv").write_text("\n".join(lines))
    monkeypatch.setattr("app.drafting.hearing.calibrate", partial(calibrate, table=tmp_path / "own.csv"))
    hearing = services.hearing
    assert "is heard by its prior" in client.get("/ops/").text
    hearing.wanted = True
    hearing.begin(hearing.pipeline)
    assert "was measured on 3 photos" in client.get("/ops/").text
    assert weight(services) > PRIOR_WEIGHT
    monkeypatch.setattr("app.drafting.hearing.calibrate", None)
    hearing.begin(hearing.pipeline)
    assert "was measured on 3 photos" in hearing.says


def test_a_server_that_is_away_at_the_start_is_waited_for(build, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("app.drafting.hearing.calibration_of", with_prior)
    monkeypatch.setattr("app.drafting.hearing.AWAY_SECONDS", 0.01)
    with serving(seeing(lambda request: reply(FORM), logprobs=False)) as stub:
        port = stub.server_address[1]
    backend = Rationed(stub.url, tmp_path / "requests", 0, 5.0)
    found = replace(parts(backend, sources=[Tower()], writes=False), alone=Rules(TAXONOMY, PRIOR))
    services = build(pipeline=Pipeline(found), model=stub.url, calibrate=False)
    used = []
    services.hearing.use = used.append
    made = draft(client_of(services)).json()["draft"]
    assert made["model"] == "ipl-mini"
    assert [f["code"] for f in made["flags"]].count(AWAY) == 1
    waiting = Thread(target=services.hearing.begin, args=(services.pipeline,))
    waiting.start()
    assert not used
    with serving(seeing(lambda request: reply(FORM), logprobs=False), port=port):
        waiting.join(5)
    assert used[0].parts.backend.name == MODEL
    assert "heard by its prior" in services.hearing.says
