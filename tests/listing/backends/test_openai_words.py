"""Closed questions to a server, one by one: asked and answered in words, with and without log-probabilities."""

from __future__ import annotations

import base64
import io
import math
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from listing import prompts
from listing.backends import forms
from listing.backends.base import BackendError, ChoiceQuestion, Form
from listing.backends.forms import STAND_IN, Options, Token, spoken
from listing.backends.openai import SIDES, OpenAIBackend, data_url
from listing.calibration import Calibration
from listing.decide.attributes import MIN_SUGGESTION
from listing.decide.views import best, over_photos
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
    spelled,
    text_of,
)
from tests.listing.decide.observed import decided, on

OPTIONS = Options(COLOURS)


def scored(answer: Answer, question: ChoiceQuestion | None = None, *, logprobs: bool = True) -> dict[str, float]:
    """What becomes of one question when the server replies so; {} where it is no answer."""
    question = question or colour_question()
    with serving(seeing(lambda _: answer, logprobs=logprobs)) as stub:
        return OpenAIBackend(stub.url).score(photo(), [question]).get(question.name, {})


def test_a_reply_in_words_is_read_as_the_words_of_an_answer() -> None:
    """What tuning teaches: "What colour is it?" "navy"."""
    shares = scored(reply("navy", [("navy", {"navy": 0.9, "black": 0.06, "red": 0.02, "The": 0.02})]))
    assert shares == pytest.approx({"black": 0.065, "navy": 0.905, "red": 0.025, "unknown": 0.005})


def test_probabilities_follow_the_words_over_several_tokens() -> None:
    question = ChoiceQuestion("colour", "What colour is it?", ("light blue", "light grey", "red"))
    token_chances = [("light", {"light": 0.8, "red": 0.2}), (" blue", {" blue": 0.75, " grey": 0.25})]
    shares = scored(reply("light blue", token_chances), question)
    assert shares == pytest.approx({"light blue": 0.6, "light grey": 0.2, "red": 0.2})


def test_a_beginning_that_several_answers_share_is_shared_between_them() -> None:
    tokens = [Token("x", math.log(0.6), [("x", math.log(0.6)), ("l", math.log(0.4))])]
    shares = Options(("x", "light blue", "light grey")).measured("x", tokens, 0, 1)
    assert shares == pytest.approx({"x": 0.6, "light blue": 0.2, "light grey": 0.2})


@pytest.mark.parametrize("text", ["I cannot tell", "", "B", "It is black, or navy", "a hoodie", "Sorry!"])
@pytest.mark.parametrize("logprobs", [True, False])
def test_a_reply_that_names_no_answer_is_no_answer(text: str, logprobs: bool) -> None:
    assert scored(reply(text, spelled(text) if logprobs else None), logprobs=logprobs) == {}


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("navy", "navy"),
        (" Navy.", "navy"),
        ("**navy**\n", "navy"),
        ('"navy"', "navy"),
        ("The answer is navy", "navy"),
        ("It looks navy to me.\nBlack would be darker.", "navy"),
        ("unknown", "unknown"),
    ],
)
def test_without_log_probabilities_the_choice_is_only_a_suggestion(text: str, chosen: str) -> None:
    shares = scored(reply(text), logprobs=False)
    assert_distribution(shares, COLOURS)
    assert best(shares) == (chosen, STAND_IN)


def test_of_two_answers_the_longer_one_that_holds_the_other_is_meant() -> None:
    options = Options(("blue", "light-blue", "navy"), {"midnight blue": "navy"})
    assert options.named("It is light blue") == "light-blue"
    assert options.named("blue") == "blue"
    assert options.named("Midnight-Blue") == "navy"
    assert options.named("blue or navy") is None


@given(st.lists(st.floats(0.01, 1.0), min_size=4, max_size=4), st.sampled_from(COLOURS))
def test_a_measured_reply_is_a_distribution(weights: list[float], chosen: str) -> None:
    total = sum(weights) * 1.3
    listed = [(colour, math.log(w / total)) for colour, w in zip(COLOURS, weights, strict=True)]
    token = Token(chosen, dict(listed)[chosen], listed)
    assert_distribution(OPTIONS.measured(chosen, [token], 0, len(chosen)), COLOURS)


@pytest.mark.parametrize("odd", [None, float("nan"), float("-inf"), 3.0])
def test_log_probabilities_that_are_none_count_for_nothing(odd: float | None) -> None:
    tokens = [Token("navy", math.log(0.5), [("black", odd)])]
    shares = OPTIONS.measured("navy", tokens, 0, 4)
    assert shares == pytest.approx({"black": 0.125, "navy": 0.625, "red": 0.125, "unknown": 0.125})


def test_the_words_of_a_reply_begin_and_end_where_they_do() -> None:
    text = "\n **navy** \nand more"
    start, end = spoken(text)
    assert text[start:end] == "navy"


def test_the_stand_in_lies_between_suggesting_and_stating() -> None:
    assert MIN_SUGGESTION < STAND_IN < Calibration().default.threshold
    views = [OPTIONS.chosen(answer) for answer in ("navy", "navy", "black")]
    for chosen in (views, views[:2], views[:1]):  # several photos that agree make it no surer
        assert best(over_photos(dict(enumerate(chosen)), [1.0] * len(chosen)))[1] <= STAND_IN + 1e-9


def test_a_choice_without_log_probabilities_becomes_a_suggestion_in_the_draft() -> None:
    colour = load_taxonomy().attributes["colour"]
    shares = scored(reply("white"), colour_question(colour.answers), logprobs=False)
    decision = decided([on("seller", "category", "Hoodie", None), on("mllm", "colour", shares)], Calibration())
    fact = next(f for f in decision.facts if f.name == "colour")
    assert (fact.value, fact.suggestion, fact.status) == (None, "white", "unsupported")


def test_a_request_carries_photo_answers_and_log_probabilities() -> None:
    with serving(seeing(lambda _: reply("navy", spelled("navy")))) as stub:
        OpenAIBackend(stub.url).score(photo(), [colour_question()])
        asked = stub.chats()[-1]
    assert asked.body["model"] == MODEL
    assert (asked.body["logprobs"], asked.body["top_logprobs"], asked.body["temperature"]) == (True, 20, 0)
    assert prompt_of(asked) == prompts.worded("What colour is it?", COLOURS)
    assert (photo_of(asked) or "").startswith("data:image/jpeg;base64,")


def test_a_server_that_refuses_log_probabilities_is_asked_without() -> None:
    def script(request: Request) -> Answer:
        if "logprobs" in request.body:
            return Answer(400, {"error": {"message": "logprobs are not supported here"}})
        return reply("navy", tokens=60 if photo_of(request) else 10)

    with serving(script) as stub:
        backend = OpenAIBackend(stub.url, concurrency=1)
        first = backend.score(photo(), [colour_question()])
        backend.score(photo(), [colour_question()])
        refused = [r for r in stub.chats() if "logprobs" in r.body]
    assert best(first["colour"]) == ("navy", STAND_IN)
    assert len(refused) == 1


def test_questions_run_at_the_same_time_but_no_more_than_allowed() -> None:
    lock, running, most = threading.Lock(), 0, 0

    def script(request: Request) -> Answer:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.05)
        with lock:
            running -= 1
        return reply(COLOURS[int(prompt_of(request).split("?")[0][-1]) % 4])

    asked = [ChoiceQuestion(f"q{i}", f"Number {i}?", COLOURS) for i in range(9)]
    with serving(seeing(script)) as stub:
        scores = OpenAIBackend(stub.url, concurrency=3).score(photo(), asked)
    assert 2 <= most <= 3
    assert [best(scores[q.name])[0] for q in asked] == [COLOURS[i % 4] for i in range(9)]


def test_a_server_that_drops_the_photo_is_found_out() -> None:
    with serving(lambda _: reply("navy", spelled("navy"), tokens=10)) as stub:
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
    assert (sent.format, sent.size) == ("JPEG", (SIDES[0], SIDES[0] // 2))
    assert min(SIDES) >= 768, "print has to stay legible"
    assert set(sent.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert b"somebody" not in raw
    original = Image.open(buffer)
    original.info["comment"] = b"home address"
    assert b"home address" not in base64.b64decode(data_url(original).partition(",")[2])


def test_a_detail_is_no_less_likely_because_others_might_have_been_named_first() -> None:
    form = Form("", {"category": ("hoodie",)}, phrases="details")
    answer_text = spelled(
        '{"category": "hoodie", "details": ["', ("cane seat", {"cane seat": 0.1, "worn arms": 0.9}), '"]}'
    )
    filled = forms.read(
        form, text_of(answer_text), [Token(token, math.log(shares[token])) for token, shares in answer_text], 1
    )
    assert [(w.text, w.sure) for w in filled.phrases or ()] == [("cane seat", STAND_IN)]


def test_a_form_without_tokens_of_its_own_text_falls_back_to_its_words() -> None:
    form = Form("", {"category": ("hoodie", "shirt")})
    tokens = [Token("something else", -0.1, [("else", -0.1)])]
    assert forms.read(form, '{"category": "hoodie"}', tokens, 1).choices["category"]["hoodie"] == STAND_IN
