"""A model's server that is away, hangs, refuses, talks nonsense, or has no requests left: the small draft comes."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.services import Services
from listing.backends.rationed import Rationed
from listing.calibration import Calibration, QuestionCalibration
from listing.observe.source import Source
from listing.pipeline import Pipeline
from listing.rules import Rules
from listing.say.ask import AWAY
from listing.say.clauses import joints
from tests.app.support.clients import client_of, draft
from tests.listing.backends.chat_stub import Answer, Request, Script, event, prompt_of, reply, seeing, serving
from tests.listing.stubs import OPEN, TAXONOMY, on, parts

SEEN = Calibration(default=QuestionCalibration(weights={"classifier": 1.0}, threshold=0.8))
FORM = json.dumps({k: {"value": v, "sure": 0.95} for k, v in (("category", "hoodie"), ("closure", "buttons"))})
LIMIT = 0.4  # seconds of a test's slow server


class Tower(Source):
    """Sees a hoodie with a zip."""

    name = "evidence_tower"

    def observe(self, photos, context):
        return [
            on("evidence_tower", "category", "Hoodie"),
            on("evidence_tower", "closure", {"zip": 0.97, "buttons": 0.03}),
        ]


@pytest.fixture
def door(build: Callable[..., Services], tmp_path: Path) -> Iterator[Callable]:
    """A client of services whose model is the server of a script, with a limit of a day."""

    def open_door(url: str, daily: int = 0):
        backend = Rationed(url, tmp_path / "calibrations" / "requests", daily, LIMIT)
        found = parts(backend, sources=[Tower()], calibration=OPEN)
        return client_of(build(pipeline=Pipeline(replace(found, alone=Rules(TAXONOMY, SEEN)))))

    return open_door


def good(request: Request) -> Answer:
    """A model that sees buttons and writes of a red hoodie."""
    if request.body.get("stream"):
        return Answer(
            headers={"content-type": "text/event-stream"},
            pieces=[event("Red hoodie\nA red hoodie."), event(finish="stop"), b"data: [DONE]\n\n"],
        )
    if "claim" in prompt_of(request):
        lines = re.findall(r"^(\d+)\. (.+)$", prompt_of(request), re.M)
        judged = {n: {"there": "no" if line in joints().never else "yes", "sure": 0.95} for n, line in lines}
        return reply(json.dumps(judged))
    return reply(FORM)


released = threading.Event()


def hangs(request: Request) -> Answer:
    released.wait(3)
    return reply(FORM)


FAILING: dict[str, Script] = {
    "hangs": hangs,
    "fails": lambda request: Answer(500, {"error": "out of memory"}),
    "refuses": lambda request: Answer(403, {"error": "no"}),
    "no JSON": lambda request: Answer(body=b"<html>hello</html>"),
    "nonsense": lambda request: reply("I like turtles."),
}


def small(made: dict) -> bool:
    """True of the draft that does without the model, and says so."""
    body = made["draft"]
    facts = {a["name"]: a["value"] for a in body["attributes"]}
    return (
        [f["code"] for f in body["flags"]].count(AWAY) == 1
        and body["category"]["value"] == "Hoodie"
        and facts["closure"] == "zip"
        and set(body["writer"].values()) == {"renderer"}
        and body["model"] == "ipl-mini"
    )


@pytest.mark.parametrize("how", FAILING)
def test_a_server_that_fails_costs_no_draft_and_is_asked_when_it_is_written_again(how: str, door: Callable) -> None:
    broken = [True]

    def script(request: Request) -> Answer:
        return FAILING[how](request) if broken[0] else good(request)

    released.clear()
    with serving(seeing(script, logprobs=False)) as stub:
        client = door(stub.url)
        began = time.monotonic()
        made = draft(client, note="Worn twice.").json()
        assert time.monotonic() - began < 10 * LIMIT
        released.set()
        assert small(made)
        assert "Worn twice." in made["draft"]["description"]
        broken[0], asked = False, len(stub.chats())
        if how in ("hangs", "fails", "no JSON"):
            assert small(draft(client).json())
            assert len(stub.chats()) == asked, "a server that failed a moment ago is left alone"
        answer = client.post(f"/v1/drafts/{made['id']}/write", json={})
        again = answer.json()["draft"]
    assert AWAY not in [f["code"] for f in again["flags"]]
    assert again["model"] == "stub/vision-1"
    assert again["writer"]["title"] == "model"


def test_a_server_that_hangs_up_and_is_gone_then(door: Callable) -> None:
    with serving(seeing(lambda request: Answer(pieces=[b""]), logprobs=False)) as stub:
        client = door(stub.url)
        assert small(draft(client).json())
    assert small(draft(client).json())


def test_a_text_that_breaks_off_is_rendered_from_what_the_model_saw(door: Callable) -> None:
    def script(request: Request) -> Answer:
        return Answer(500, {"error": "gone"}) if request.body.get("stream") else good(request)

    with serving(seeing(script, logprobs=False)) as stub:
        made = draft(door(stub.url)).json()["draft"]
    assert set(made["writer"].values()) == {"renderer"}
    assert made["model"] == "stub/vision-1"
    assert [f["code"] for f in made["flags"]].count(AWAY) == 1


def test_a_day_s_requests_are_kept_across_a_restart(door: Callable, tmp_path: Path) -> None:
    with serving(seeing(good, logprobs=False)) as stub:
        first = draft(door(stub.url, daily=6)).json()
        sent = len(stub.chats())
        assert first["draft"]["model"] == "stub/vision-1"
        later = draft(door(stub.url, daily=sent)).json()
        assert small(later)
        assert len(stub.chats()) == sent
    assert json.loads((tmp_path / "calibrations" / "requests").read_text())["requests"] == sent
