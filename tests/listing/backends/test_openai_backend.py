"""The backend by URL, against a real server on loopback (``transformers serve``) and in streams from a scripted one."""

from __future__ import annotations

import json
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

from listing import prompts
from listing.backends.base import BackendError, ChoiceQuestion
from listing.backends.forms import Options
from listing.backends.openai import OpenAIBackend
from listing.calibration import Calibration
from tests.listing.backends.chat_stub import (
    Answer,
    Request,
    assert_distribution,
    colour_question,
    event,
    free_port,
    photo,
    seeing,
    serving,
)
from tests.listing.decide.observed import decided, on

START_LIMIT = 240.0  # seconds; a loaded machine reads the weights slowly


# -- a real server --


@pytest.fixture(scope="module")
def endless_folder(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded model with another end token, which it never chooses: its answers run to the given length."""
    folder = tmp_path_factory.mktemp("models") / "endless"
    folder.mkdir()
    for file in model_folder.iterdir():
        if file.name != "generation_config.json":
            (folder / file.name).symlink_to(file)
    vocabulary = json.loads((model_folder / "config.json").read_text(encoding="utf-8"))["text_config"]["vocab_size"]
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": vocabulary - 1}), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def real_url(endless_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``transformers serve`` with the embedded model, on loopback and offline."""
    port = free_port()
    log = tmp_path_factory.mktemp("serve") / "log.txt"
    start = "from transformers.cli.transformers import main; main()"
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-c", start, "serve", str(endless_folder), *options],
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
class TestRealServer:
    def test_scores_give_valid_distributions_that_are_never_stated(self, real_url: str) -> None:
        colour_options = Options(colour_question().answers)
        asked = [colour_question(), ChoiceQuestion("category", prompts.CATEGORY, ("hoodie", "shirt", "skirt"))]
        scores = OpenAIBackend(real_url, concurrency=2).score(photo(), asked)
        for question in asked:
            if question.name in scores:  # else it named no answer
                assert_distribution(scores[question.name], question.answers)
        # This server lists no log-probabilities, so nothing that it says may become a stated fact.
        shares = scores.get("colour") or colour_options.chosen("navy")
        hoodie = on("seller", "category", "Hoodie", None)
        decision = decided([hoodie, on("mllm", "colour", shares)], Calibration())
        fact = next(f for f in decision.facts if f.name == "colour")
        assert fact.value is None

    def test_text_streams_in_pieces_and_is_the_same_twice(self, real_url: str) -> None:
        backend = OpenAIBackend(real_url)
        pieces = list(backend.write((), "Write a short description of a hoodie.", max_tokens=8))
        assert len(pieces) > 1
        assert "".join(pieces).strip()
        assert "".join(backend.write((), "Write a short description of a hoodie.", max_tokens=8)) == "".join(pieces)

    def test_closing_stops_the_server(self, real_url: str) -> None:
        """A long answer would keep the model busy for minutes; after a cancel the next one is served at once."""
        backend = OpenAIBackend(real_url)
        long = backend.write((), "Tell a long story about the sea.", max_tokens=7000)
        first = next(long)
        began = time.monotonic()
        long.close()
        assert first
        assert "".join(backend.write((), "Tell me about wool.", max_tokens=2))
        assert time.monotonic() - began < 60.0


# -- streams --


def streamed(*pieces: bytes) -> str:
    with serving(lambda _: Answer(pieces=pieces)) as stub:
        return "".join(OpenAIBackend(stub.url).write((), "Write."))


def test_a_stream_is_read_piece_by_piece_whatever_the_packets() -> None:
    whole = (
        event("Na") + b": a comment\n\n" + event("vy\u2028hood\x85ie é") + event(finish="stop") + b"data: [DONE]\n\n"
    )
    assert streamed(whole) == "Navy\u2028hood\x85ie é"
    assert streamed(*[whole[i : i + 1] for i in range(len(whole))]) == "Navy\u2028hood\x85ie é"
    assert streamed(whole.replace(b"\n", b"\r\n")) == "Navy\u2028hood\x85ie é"
    assert streamed(event("a"), event(finish="length")) == "a"  # no [DONE], as transformers serve ends
    assert streamed(event("a") + event(finish="stop") + b"data: [DONE]") == "a"


@pytest.mark.parametrize(("most", "expected"), [(4, "3"), (1, "1")])
def test_all_photos_stand_before_the_prompt_and_a_server_that_takes_one_gets_the_first(
    most: int, expected: str
) -> None:
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


def test_the_first_piece_arrives_before_the_last_is_written() -> None:
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
    def pieces() -> Iterator[bytes]:
        while True:
            yield event("word ")
            time.sleep(0.01)

    with serving(lambda _: Answer(pieces=pieces())) as stub:
        writing = OpenAIBackend(stub.url).write((), "Write.")
        assert next(writing) == "word "
        assert not stub.dropped.is_set()
        writing.close()
        assert stub.dropped.wait(20)


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        ((event("half"),), "broke off"),
        ((event("half"), b"data: {not json\n\n"), "does not speak the OpenAI chat protocol"),
        ((event("half"), b'data: {"error": {"message": "out of memory"}}\n\n'), "in the middle of an answer"),
        ((b"data: \xff\xfe\n\n",), "does not speak the OpenAI chat protocol"),
        ((b"<html>hello</html>",), "broke off"),
        ((b"",), "broke off"),
    ],
)
def test_a_broken_stream_is_an_error_and_not_a_short_text(pieces: tuple[bytes, ...], message: str) -> None:
    with pytest.raises(BackendError, match=message):
        streamed(*pieces)
