"""Sellers' taps move how far a model is heard: five facts of each, once a day, as another version of the rules."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from app.drafting.hearing import TAPS
from listing.backends.openai import OpenAIBackend
from listing.calibration import PRIOR_WEIGHT, Calibration, QuestionCalibration, beside
from listing.observe.source import Source
from listing.pipeline import Pipeline
from listing.rules import Rules
from tests.app.support.clients import client_of, draft
from tests.listing.backends.chat_stub import reply, seeing, serving
from tests.listing.stubs import TAXONOMY, on, parts

WEIGHTS = QuestionCalibration(weights={"classifier": 1.0}, threshold=0.8)
PRIOR = beside(Calibration(questions=dict.fromkeys(("category", "closure", "sleeve"), WEIGHTS)))
FORM = json.dumps({k: {"value": v, "sure": 0.9} for k, v in (("category", "hoodie"), ("closure", "buttons"))})


class Tower(Source):
    """Half sees a zip."""

    name = "evidence_tower"

    def observe(self, photos, context):
        return [
            on("evidence_tower", "category", "Hoodie"),
            on("evidence_tower", "closure", {"zip": 0.6, "buttons": 0.4}),
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
