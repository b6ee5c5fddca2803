"""Addresses, keys and faults of an OpenAI-compatible server: every failure is one sentence that says what to do."""

from __future__ import annotations

import socket
import threading

import pytest

from listing.backends.base import BackendError, ChoiceQuestion
from listing.backends.chat_server import ChatServer, Patience, api_root
from listing.backends.openai import OpenAIBackend
from tests.listing.backends.chat_stub import (
    COLOURS,
    MODEL,
    Answer,
    Request,
    colour_question,
    photo,
    prompt_of,
    reply,
    seeing,
    serving,
)
from tests.servers import free_port

SECRET = "sk-very-secret-0123456789"
QUICK = Patience(connect=2.0, read=5.0, tries=3, pause=0.01, longest_pause=1.0)


# -- models, addresses, keys --


def test_model_is_taken_from_the_fragment() -> None:
    with serving(lambda _: reply("A"), models=["org/a", "org/b"]) as stub:
        with pytest.raises(BackendError, match=r"several models: name one of org/a, org/b"):
            OpenAIBackend(stub.url)
        assert OpenAIBackend(f"{stub.url}#org/b").name == "org/b"
        assert OpenAIBackend(stub.url, "org/a").name == "org/a"
        assert all("#" not in r.path and "org" not in r.path for r in stub.requests)
    with serving(lambda _: reply("A"), models=[]) as stub, pytest.raises(BackendError, match="lists no model"):
        OpenAIBackend(stub.url)


@pytest.mark.parametrize(
    ("address", "root"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1"),
        ("http://localhost:8000/", "http://localhost:8000/v1"),
        ("https://host/v1/", "https://host/v1"),
        ("https://host/api/v3/chat/completions", "https://host/api/v3"),
        ("http://[::1]:8000", "http://[::1]:8000/v1"),
    ],
)
def test_addresses(address: str, root: str) -> None:
    assert api_root(address) == root


@pytest.mark.parametrize(
    ("url", "message"),
    [
        *((url, "not valid") for url in ("file:///etc/passwd", "ftp://host/v1", "localhost:8000", "http://")),
        *((url, "not valid") for url in ("http://host:99999", "http://a b/", "http://[::1")),
        (f"http://me:{SECRET}@host/v1", "IPL_API_KEY"),  # a password
    ],
)
def test_other_addresses_are_refused(url: str, message: str) -> None:
    with pytest.raises(BackendError, match=message) as caught:
        OpenAIBackend(url)
    assert SECRET not in str(caught.value)


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPL_API_KEY", SECRET)
    with serving(seeing(lambda _: reply("A"))) as stub:
        backend = OpenAIBackend(stub.url)
        backend.score(photo(), [colour_question()])
        assert {r.headers.get("authorization") for r in stub.requests} == {f"Bearer {SECRET}"}
        assert SECRET not in f"{backend!r}{backend.describe()}"
    monkeypatch.delenv("IPL_API_KEY")
    with serving(lambda _: reply("A")) as stub:
        OpenAIBackend(stub.url)
        assert "authorization" not in stub.requests[0].headers


@pytest.mark.parametrize("key", ["zwei worte", "kéy", "a\nb"])
def test_a_key_that_cannot_be_one_is_refused(key: str) -> None:
    with pytest.raises(BackendError, match="IPL_API_KEY") as caught:
        OpenAIBackend("http://127.0.0.1:9/v1", api_key=key)
    assert key not in str(caught.value)


# -- faults --


def fault(answer: Answer | list[Answer]) -> tuple[str, int]:
    """(message, number of chat requests) when the server answers so, the last answer for ever."""
    answers = answer if isinstance(answer, list) else [answer]
    with serving(lambda _: answers.pop(0) if len(answers) > 1 else answers[0]) as stub:
        backend = OpenAIBackend(stub.url, api_key=SECRET, patience=QUICK)
        with pytest.raises(BackendError) as caught:
            "".join(backend.write((), "Write."))
        message = str(caught.value)
        assert SECRET not in message
        assert message.endswith(".")
        assert "\n" not in message
        return message, len(stub.chats())


@pytest.mark.parametrize(
    ("status", "server_text", "advice"),
    [
        (401, f"Incorrect API key provided: {SECRET}", "set IPL_API_KEY"),
        (404, "The model `x` does not exist.", "does not serve the model"),
        (404, "Not Found", "no chat server at"),
        (400, f"{MODEL} is not a multimodal model", "takes no photos"),
        (500, "image input is not supported - hint: you may need to provide the mmproj", "takes no photos"),
        (400, "This model's maximum context length is 2048 tokens, images included", "too short a context"),
        (413, "Request entity too large", "raise its limit"),
        (500, "CUDA error: out of memory", "its log says why"),
        (500, "plain\x1b[31m text\nmore", "(HTTP 500: plain[31m text)"),  # short and printable
        (418, "teapot", "refused the request"),
    ],
)
def test_every_refusal_says_what_to_do(status: int, server_text: str, advice: str) -> None:
    message, sent = fault(Answer(status, {"error": {"message": server_text}}))
    assert advice in message
    assert f"HTTP {status}" in message
    assert sent == 1


def test_busy_server_is_waited_for() -> None:
    long_ago = {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}
    answers = [Answer(429, {}, {"retry-after": "7"}), Answer(429, {}), Answer(503, {}, long_ago), reply("A")]
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    with serving(lambda _: answers.pop(0)) as stub:
        server = ChatServer(stub.url, patience=Patience(pause=1.0, tries=4), sleep=sleep)
        server.complete({"model": MODEL, "messages": [{"role": "user", "content": "x"}]})
    assert 7.0 < pauses[0] <= 7.0 * 1.25, "not before the server asks, and not all at the same moment"
    assert 2.0 < pauses[1] <= 2.0 * 1.25
    assert pauses[2] == 0.0


def test_a_server_that_stays_busy_is_given_up() -> None:
    an_hour = {"retry-after": "3600"}  # which is not waited for
    for answer, tries in ((Answer(503, {}), QUICK.tries), (Answer(429, {"error": "quota"}, an_hour), 1)):
        message, sent = fault(answer)
        assert "is busy" in message
        assert sent == tries


def test_redirect_is_refused_other_host_hears_nothing() -> None:
    with serving(lambda _: reply("A")) as other:
        message, sent = fault(Answer(307, {}, {"location": f"{other.url}/chat/completions"}))
        assert "redirects to 127.0.0.1" in message
        assert sent == 1
        assert other.requests == []


def test_a_dropped_connection_is_tried_again() -> None:
    """A server closes idle connections at moments that the client cannot know."""
    listener = socket.create_server(("127.0.0.1", 0))
    body = b'{"data": [{"id": "one"}]}'

    def serve() -> None:
        for turn in range(2):
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                if turn:
                    connection.sendall(
                        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                        % (len(body), body)
                    )

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with listener:
        assert OpenAIBackend(f"http://127.0.0.1:{listener.getsockname()[1]}", patience=QUICK).name == "one"
        thread.join(10)


def test_nobody_there_or_a_silent_server() -> None:
    with pytest.raises(BackendError, match="No server answers at http://127") as caught:
        OpenAIBackend(f"http://127.0.0.1:{free_port()}", api_key=SECRET, patience=QUICK)
    assert SECRET not in str(caught.value)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(BackendError, match="was silent"):
        OpenAIBackend(f"http://127.0.0.1:{silent.getsockname()[1]}", patience=Patience(connect=2.0, read=0.3))


@pytest.mark.parametrize("body", [b"<html>", b"[]", {"choices": []}, {"choices": [{"message": 3}]}, b"\xff"])
def test_an_answer_of_another_kind_is_told(body: object) -> None:
    with serving(lambda _: Answer(body=body)) as stub:
        backend = OpenAIBackend(stub.url)
        with pytest.raises(BackendError, match="does not speak the OpenAI chat protocol"):
            backend.score(photo(), [colour_question()])


def test_one_failing_question_fails_the_score() -> None:
    def script(request: Request) -> Answer:
        return Answer(500, {"error": "broken"}) if "Number 2?" in prompt_of(request) else reply("black")

    asked = [ChoiceQuestion(f"q{i}", f"Number {i}?", COLOURS) for i in range(5)]
    with serving(seeing(script)) as stub:
        backend = OpenAIBackend(stub.url, patience=QUICK)
        with pytest.raises(BackendError, match="HTTP 500: broken"):
            backend.score(photo(), asked)
