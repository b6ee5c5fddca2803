"""Closed choices by letter: distributions from log-probabilities, the stand-in without them, many options."""

from __future__ import annotations

import base64
import io
import math
import re
import threading
import time

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from listing import prompts
from listing.backends.base import BackendError, ChoiceQuestion
from listing.backends.letters import STAND_IN, Verdict, by_groups, verdict
from listing.backends.openai import MAX_SIDE, OpenAIBackend, data_url
from listing.facts.ensemble import Calibration, best, over_photos
from listing.facts.questions import Reading
from listing.facts.verify import MIN_SUGGESTION, visible_fact
from listing.taxonomy import load_taxonomy
from tests.listing.backends.chat_stub import (
    COLOURS,
    MODEL,
    Answer,
    Request,
    assert_distribution,
    colour_question,
    photo,
    photo_of,
    prompt_of,
    reply,
    seeing,
    serving,
)


def test_log_probabilities_of_the_letters_are_the_distribution() -> None:
    listed = {"A": math.log(0.1), "B": math.log(0.5), " B": math.log(0.2), "C": math.log(0.1), "D": math.log(0.1)}
    with serving(seeing(lambda _: reply("B", listed))) as stub:
        scores = OpenAIBackend(stub.url).score(photo(), [colour_question()])
    assert scores["colour"] == pytest.approx({"black": 0.1, "navy": 0.7, "red": 0.1, "unknown": 0.1})


def test_what_is_put_on_other_tokens_makes_no_option_surer() -> None:
    """A model that wanted to write "The ..." with 0.9 said next to nothing of the colour."""
    with serving(seeing(lambda _: reply("B", {"The": math.log(0.9), "B": math.log(0.1)}))) as stub:
        scores = OpenAIBackend(stub.url).score(photo(), [colour_question()])
    assert scores["colour"] == pytest.approx({"black": 0.225, "navy": 0.325, "red": 0.225, "unknown": 0.225})


def test_a_request_carries_photo_letters_and_log_probabilities() -> None:
    with serving(seeing(lambda _: reply("A", {"A": -0.01}))) as stub:
        OpenAIBackend(stub.url).score(photo(), [colour_question()])
        asked = stub.chats()[-1]
    assert asked.body["model"] == MODEL
    assert (asked.body["logprobs"], asked.body["top_logprobs"], asked.body["temperature"]) == (True, 20, 0)
    assert prompt_of(asked) == prompts.lettered("What colour is it?", COLOURS)
    assert "\nB. navy\n" in prompt_of(asked)
    assert (photo_of(asked) or "").startswith("data:image/jpeg;base64,")


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("B", "navy"),
        (" B.", "navy"),
        ("**(B)**", "navy"),
        ("B. navy", "navy"),
        ("B)\n", "navy"),
        ("The answer is B", "navy"),
        ("Navy.", "navy"),
        ("D", "unknown"),
        ("The answer is (B).", "navy"),
        ("The answer is a hoodie", None),
        ("The answer is A black one", None),
        ("A black hoodie on a", None),
        ("T", None),
        ("I cannot tell", None),
        ("", None),
    ],
)
def test_without_log_probabilities_the_choice_is_only_a_suggestion(text: str, chosen: str | None) -> None:
    said = verdict(text, [], COLOURS)
    assert not said.measured
    assert_distribution(said.shares, COLOURS)
    if chosen is None:
        assert len(set(said.shares.values())) == 1
    else:
        assert best(said.shares) == (chosen, STAND_IN)


def test_the_stand_in_lies_between_suggesting_and_stating() -> None:
    assert MIN_SUGGESTION < STAND_IN < Calibration().default.threshold
    views = [verdict(t, [], COLOURS).shares for t in ("B", "B", "A")]
    for chosen in (views, views[:2], views[:1]):  # several photos that agree make it no surer
        assert best(over_photos(chosen, [1.0] * len(chosen)))[1] <= STAND_IN + 1e-9


def test_a_choice_without_log_probabilities_becomes_a_suggestion_in_the_draft() -> None:
    colour = load_taxonomy().attributes["colour"]
    with serving(seeing(lambda r: reply("B"))) as stub:
        shares = OpenAIBackend(stub.url).score(photo(), [colour_question(colour.answers)])["colour"]
    fact = visible_fact(Reading(colour, shares, {"mllm": shares}, 0), Calibration())
    assert (fact.value, fact.suggestion, fact.status) == (None, colour.answers[1], "unsupported")


def test_a_server_that_refuses_log_probabilities_is_asked_without() -> None:
    def script(request: Request) -> Answer:
        if "logprobs" in request.body:
            return Answer(400, {"error": {"message": "logprobs are not supported here"}})
        return reply("B")

    with serving(seeing(script)) as stub:
        backend = OpenAIBackend(stub.url, workers=1)
        first = backend.score(photo(), [colour_question()])
        backend.score(photo(), [colour_question()])
        refused = [r for r in stub.chats() if "logprobs" in r.body]
    assert best(first["colour"]) == ("navy", STAND_IN)
    assert len(refused) == 1


def softmax_server(weights: dict[str, float]):
    """Answers every lettered question by the given weights of the options: obeys Luce's axiom."""

    def script(request: Request) -> Answer:
        lines = re.findall(r"^([A-T])\. (.+)$", prompt_of(request), re.MULTILINE)
        total = sum(weights[option] for _, option in lines)
        listed = {letter: math.log(weights[option] / total) for letter, option in lines}
        return reply(max(listed, key=listed.__getitem__), listed)

    return seeing(script)


@pytest.mark.parametrize("count", [2, 20, 21, 45])
def test_any_number_of_options_gives_the_right_distribution(count: int) -> None:
    answers = tuple(f"option {i}" for i in range(count))
    weights = {answer: 1.0 + (i * 7) % 11 for i, answer in enumerate(answers)}
    with serving(softmax_server(weights)) as stub:
        shares = OpenAIBackend(stub.url).score(photo(), [colour_question(answers)])["colour"]
        asked = len(stub.chats()) - 2  # the look-check
    assert_distribution(shares, answers)
    total = sum(weights.values())
    assert shares == pytest.approx({answer: w / total for answer, w in weights.items()})
    assert asked == (1 if count <= 20 else math.ceil(count / 20) + 1)


def test_many_options_without_log_probabilities_give_the_stand_in_once() -> None:
    answers = tuple(f"option {i}" for i in range(45))

    def ask(options):
        picked = "option 30" if "option 30" in options else options[0]
        return Verdict({o: 0.6 if o == picked else 0.4 / (len(options) - 1) for o in options}, measured=False)

    shares = by_groups(answers, ask).shares
    assert_distribution(shares, answers)
    assert best(shares) == ("option 30", STAND_IN)


def test_questions_run_at_the_same_time_but_no_more_than_the_workers() -> None:
    lock, running, most = threading.Lock(), 0, 0

    def script(request: Request) -> Answer:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.05)
        with lock:
            running -= 1
        letter = "ABCD"[int(prompt_of(request).split("?")[0][-1]) % 4]
        return reply(letter, {letter: -0.001})

    asked = [ChoiceQuestion(f"q{i}", f"Number {i}?", COLOURS) for i in range(9)]
    with serving(seeing(script)) as stub:
        scores = OpenAIBackend(stub.url, workers=3).score(photo(), asked)
    assert 2 <= most <= 3
    assert [best(scores[q.name])[0] for q in asked] == [COLOURS[i % 4] for i in range(9)]


def test_a_server_that_drops_the_photo_is_found_out() -> None:
    with serving(lambda _: reply("A", {"A": -0.01}, tokens=10)) as stub:
        backend = OpenAIBackend(stub.url)
        with pytest.raises(BackendError, match="does not see the photo"):
            backend.score(photo(), [colour_question()])


def test_photos_are_sent_as_bare_pixels_of_bounded_size() -> None:
    image = Image.new("RGBA", (3000, 1500), (200, 10, 10, 128))
    image.info.update(comment=b"home address", exif=b"Exif\x00\x00GPS", icc_profile=b"profile")
    note = PngInfo()
    note.add_text("Author", "somebody")
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=note)
    raw = base64.b64decode(data_url(Image.open(buffer)).partition(",")[2])
    sent = Image.open(io.BytesIO(raw))
    assert (sent.format, sent.size) == ("JPEG", (MAX_SIDE, MAX_SIDE // 2))
    assert set(sent.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert b"somebody" not in raw
    original = Image.open(buffer)
    original.info["comment"] = b"home address"
    assert b"home address" not in base64.b64decode(data_url(original).partition(",")[2])
