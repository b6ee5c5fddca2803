"""The backend by URL: a real server (``transformers serve``), streams, and closed questions in words one by one."""

from __future__ import annotations

import base64
import io
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from listing import prompts
from listing.backends import forms
from listing.backends.base import BackendError, ChoiceQuestion, Form
from listing.backends.forms import STAND_IN, Options, Token
from listing.backends.openai import SIDES, OpenAIBackend, data_url
from listing.calibration import Calibration
from listing.decide.views import best
from tests.listing.backends.chat_stub import (
    COLOURS,
    MODEL,
    Answer,
    Request,
    assert_distribution,
    colour_question,
    event,
    photo,
    photo_of,
    prompt_of,
    reply,
    seeing,
    serving,
    spelled,
)
from tests.listing.stubs import decided, on
from tests.servers import free_port

START_LIMIT = 240.0  # seconds; a loaded machine reads the weights slowly


# -- a real server --


@pytest.fixture(scope="module")
def real_url(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``transformers serve`` with the embedded model, on loopback and offline."""
    port = free_port()
    log = tmp_path_factory.mktemp("serve") / "log.txt"
    start = "from transformers.cli.transformers import main; main()"
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-c", start, "serve", str(model_folder), *options],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(log.parent / "hub")},
            start_new_session=True,
        )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}/health", server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def wait_until_ready(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_LIMIT
    while time.monotonic() < end:
        assert server.poll() is None, log.read_text(errors="replace")[-2000:]
        try:
            if httpx.get(url, timeout=5.0, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    pytest.fail(f"the server was not ready after {START_LIMIT:.0f} s: {log.read_text(errors='replace')[-2000:]}")


@pytest.mark.model
@pytest.mark.server
def test_a_real_server_scores_and_streams(real_url: str) -> None:
    asked = [colour_question(), ChoiceQuestion("category", prompts.CATEGORY, ("hoodie", "shirt", "skirt"))]
    backend = OpenAIBackend(real_url, concurrency=2)
    scores = backend.score(photo(), asked)
    for question in asked:
        if question.name in scores:  # else it named no answer
            assert_distribution(scores[question.name], question.answers)
    # This server lists no log-probabilities, so nothing that it says may become a stated fact.
    shares = scores.get("colour") or Options(colour_question().answers).chosen("navy")
    decision = decided([on("seller", "category", "Hoodie", None), on("mllm", "colour", shares)], Calibration())
    assert next(f for f in decision.facts if f.name == "colour").value is None
    pieces = list(backend.write((), "Write a short description of a hoodie.", max_tokens=8))
    assert len(pieces) > 1
    assert "".join(pieces).strip()
    assert "".join(backend.write((), "Write a short description of a hoodie.", max_tokens=8)) == "".join(pieces)


# -- streams --


def streamed(*pieces: bytes) -> str:
    with serving(lambda _: Answer(pieces=pieces)) as stub:
        return "".join(OpenAIBackend(stub.url).write((), "Write."))


def test_stream_is_read_whatever_the_packets() -> None:
    whole = (
        event("Na") + b": a comment\n\n" + event("vy\u2028hood\x85ie é") + event(finish="stop") + b"data: [DONE]\n\n"
    )
    assert streamed(whole) == "Navy\u2028hood\x85ie é"
    assert streamed(*[whole[i : i + 1] for i in range(len(whole))]) == "Navy\u2028hood\x85ie é"
    assert streamed(whole.replace(b"\n", b"\r\n")) == "Navy\u2028hood\x85ie é"
    assert streamed(event("a"), event(finish="length")) == "a"  # no [DONE], as transformers serve ends
    assert streamed(event("a") + event(finish="stop") + b"data: [DONE]") == "a"


@pytest.mark.parametrize(("most", "expected"), [(4, "3"), (1, "1")])
def test_photos_stand_first_as_many_as_accepted(most: int, expected: str) -> None:
    def script(request: Request) -> Answer:
        images = [part for part in request.body["messages"][0]["content"] if part["type"] == "image_url"]
        if len(images) > most:
            return Answer(400, {"error": {"message": "At most 1 image(s) may be provided in one prompt."}})
        return Answer(pieces=[event(str(len(images)), finish="stop")])

    with serving(seeing(script)) as stub:
        photos = [photo((320, 400)), photo((400, 320)), photo((200, 200))]
        assert "".join(OpenAIBackend(stub.url).write(photos, "Write.")) == expected
        content = stub.chats()[-1].body["messages"][0]["content"]
        assert content[-1] == {"type": "text", "text": "Write."}


def test_first_piece_arrives_before_the_last() -> None:
    go_on = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield event("first")
        assert go_on.wait(20)
        yield event("last", finish="stop")

    with serving(lambda _: Answer(pieces=pieces())) as stub:
        writing = OpenAIBackend(stub.url).write((), "Write.")
        assert next(writing) == "first"
        go_on.set()
        assert list(writing) == ["last"]


def test_closing_the_iterator_closes_the_connection() -> None:
    with serving(lambda _: Answer(pieces=iter(lambda: event("word " * 2_000), None))) as stub:
        writing = OpenAIBackend(stub.url).write((), "Write.")
        assert next(writing).startswith("word ")
        assert not stub.dropped.is_set()
        writing.close()
        assert stub.dropped.wait(60)


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        ((event("half"),), "broke off"),
        ((b"data: {not json\n\n",), "does not speak the OpenAI chat protocol"),
        ((event("half"), b'data: {"error": "CUDA error: "device-side assert"\n\n'), "in the middle of an answer"),
        ((event("half"), b'data: {"error": {"message": "out of memory"}}\n\n'), "in the middle of an answer"),
        ((b"data: \xff\xfe\n\n",), "does not speak the OpenAI chat protocol"),
        ((b"<html>hello</html>",), "broke off"),
        ((b"",), "broke off"),
    ],
)
def test_broken_stream_is_an_error(pieces: tuple[bytes, ...], message: str) -> None:
    with pytest.raises(BackendError, match=message):
        streamed(*pieces)


# -- closed questions, one by one --


def scored(answer: Answer, question: ChoiceQuestion | None = None, *, logprobs: bool = True) -> dict[str, float]:
    """What becomes of one question when the server replies so; {} where it is no answer."""
    question = question or colour_question()
    with serving(seeing(lambda _: answer, logprobs=logprobs)) as stub:
        return OpenAIBackend(stub.url).score(photo(), [question]).get(question.name, {})


def test_probabilities_follow_the_words_of_answers() -> None:
    """What tuning teaches: "What colour is it?" "navy"."""
    shares = scored(reply("navy", [("navy", {"navy": 0.9, "black": 0.06, "red": 0.02, "The": 0.02})]))
    assert shares == pytest.approx({"black": 0.065, "navy": 0.905, "red": 0.025, "unknown": 0.005})
    question = colour_question(("light blue", "light grey", "red"))
    tokens = [("light", {"light": 0.8, "red": 0.2}), (" blue", {" blue": 0.75, " grey": 0.25})]
    assert scored(reply("light blue", tokens), question) == pytest.approx(
        {"light blue": 0.6, "light grey": 0.2, "red": 0.2}
    )
    begun = [Token("x", math.log(0.6), [("x", math.log(0.6)), ("l", math.log(0.4))])]  # which several answers share
    shared = Options(("x", "light blue", "light grey")).measured("x", begun, 0, 1)
    assert shared == pytest.approx({"x": 0.6, "light blue": 0.2, "light grey": 0.2})


def test_forms_are_read_by_tokens_or_words() -> None:
    """No detail is less likely because others might have been named first."""
    listed = spelled('{"category": "hoodie", "details": ["', ("cane seat", {"cane seat": 0.1, "worn arms": 0.9}), '"]}')
    tokens = [Token(token, math.log(shares[token])) for token, shares in listed]
    form = Form("", {"category": ("hoodie", "shirt")}, phrases="details")
    filled = forms.read(form, "".join(token for token, _ in listed), tokens, 1)
    assert [(w.text, w.sure) for w in filled.phrases or ()] == [("cane seat", STAND_IN)]
    foreign = [Token("something else", -0.1, [("else", -0.1)])]
    assert forms.read(form, '{"category": "hoodie"}', foreign, 1).choices["category"]["hoodie"] == STAND_IN


@pytest.mark.parametrize("logprobs", [True, False])
def test_reply_without_an_answer_is_none(logprobs: bool) -> None:
    for text in ("I cannot tell", "", "B", "It is black, or navy", "a hoodie"):
        assert scored(reply(text, spelled(text) if logprobs else None), logprobs=logprobs) == {}, text


def test_choice_without_log_probabilities_is_a_suggestion() -> None:
    for text in (
        "navy",
        " Navy.",
        "**navy**\n",
        '"navy"',
        "The answer is navy",
        "It looks navy.\nBlack would be darker.",
    ):
        shares = scored(reply(text), logprobs=False)
        assert_distribution(shares, COLOURS)
        assert best(shares) == ("navy", STAND_IN), text


def test_longer_of_two_answers_is_meant() -> None:
    options = Options(("blue", "light-blue", "navy"), {"midnight blue": "navy"})
    assert options.named("It is light blue") == "light-blue"
    assert options.named("blue") == "blue"
    assert options.named("Midnight-Blue") == "navy"
    assert options.named("blue or navy") is None


@pytest.mark.parametrize("odd", [None, float("nan"), float("-inf"), 3.0])
def test_log_probabilities_that_are_none_count_for_nothing(odd: float | None) -> None:
    tokens = [Token("navy", math.log(0.5), [("black", odd)])]
    shares = Options(COLOURS).measured("navy", tokens, 0, 4)
    assert shares == pytest.approx({"black": 0.125, "navy": 0.625, "red": 0.125, "unknown": 0.125})


def test_a_request_carries_photo_answers_and_log_probabilities() -> None:
    with serving(seeing(lambda _: reply("navy", spelled("navy")))) as stub:
        OpenAIBackend(stub.url).score(photo(), [colour_question()])
        asked = stub.chats()[-1]
    assert asked.body["model"] == MODEL
    assert (asked.body["logprobs"], asked.body["top_logprobs"], asked.body["temperature"]) == (True, 20, 0)
    assert prompt_of(asked) == prompts.worded("What colour is it?", COLOURS)
    assert (photo_of(asked) or "").startswith("data:image/jpeg;base64,")


def test_refused_options_are_left_out_photos_never() -> None:
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
    blind = serving(lambda _: reply("navy", spelled("navy"), tokens=10))
    with blind as stub, pytest.raises(BackendError, match="does not see the photo"):
        OpenAIBackend(stub.url).score(photo(), [colour_question()])


def test_as_many_questions_at_once_as_allowed() -> None:
    meet, lock, running, most = threading.Barrier(3), threading.Lock(), 0, 0

    def script(request: Request) -> Answer:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        meet.wait(60)
        with lock:
            running -= 1
        return reply(COLOURS[int(prompt_of(request).split("?")[0][-1]) % 4])

    asked = [ChoiceQuestion(f"q{i}", f"Number {i}?", COLOURS) for i in range(9)]
    with serving(seeing(script)) as stub:
        scores = OpenAIBackend(stub.url, concurrency=3).score(photo(), asked)
    assert most == 3
    assert [best(scores[q.name])[0] for q in asked] == [COLOURS[i % 4] for i in range(9)]


def test_photos_are_sent_as_bare_pixels() -> None:
    image = Image.new("RGBA", (3000, 1500), (200, 10, 10, 128))
    image.info.update(comment=b"home address", exif=b"Exif\x00\x00GPS", icc_profile=b"profile")
    raw = base64.b64decode(data_url(image).partition(",")[2])
    sent = Image.open(io.BytesIO(raw))
    assert (sent.format, sent.size) == ("JPEG", (SIDES[0], SIDES[0] // 2))
    assert min(SIDES) >= 768, "print has to stay legible"
    assert set(sent.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert b"home address" not in raw
