"""The part of the OpenAI chat protocol that is used here; unknown fields are ignored, as servers add their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import BaseModel, Field

LONGEST_LINE = 1 << 20  # bytes; a stream without line breaks would otherwise fill the memory
DONE = "[DONE]"


class Alternative(BaseModel):
    """A token that could have stood at a position; ``logprob`` is natural, null where the server says nothing."""

    token: str
    logprob: float | None = None


class Position(Alternative):
    """The token that was chosen, and its likeliest alternatives (itself among them)."""

    top_logprobs: list[Alternative] = []


class Logprobs(BaseModel):
    content: list[Position] | None = None


class Message(BaseModel):
    content: str | None = None


class Choice(BaseModel):
    """One reply: whole (``message``) or a piece of a stream (``delta``)."""

    message: Message = Message()
    delta: Message = Message()
    logprobs: Logprobs | None = None
    finish_reason: str | None = None


class Usage(BaseModel):
    prompt_tokens: int = 0


class Completion(BaseModel):
    """The answer to one request."""

    choices: list[Choice] = Field(min_length=1)
    usage: Usage | None = None


class Chunk(BaseModel):
    """One event of a stream; the last ones may carry no choice."""

    choices: list[Choice] = []
    error: object | None = None


class ModelEntry(BaseModel):
    id: str


class ModelList(BaseModel):
    data: list[ModelEntry] = []


def sse_data(pieces: Iterable[bytes]) -> Iterator[str]:
    """The data of each server-sent event.

    Lines end at a line feed alone: ``str.splitlines`` also breaks at characters that may stand inside JSON text.

    Raises:
        ValueError: a line is longer than ``LONGEST_LINE``, or it is not UTF-8.
    """
    buffer = b""
    data: list[str] = []
    for piece in pieces:
        buffer += piece
        *lines, buffer = buffer.split(b"\n")
        if len(buffer) > LONGEST_LINE:
            raise ValueError("a line of the stream is too long")
        for raw in lines:
            line = raw.rstrip(b"\r").decode()
            if line.startswith("data:"):
                data.append(line[5:].removeprefix(" "))
            elif not line and data:
                yield "\n".join(data)
                data = []
    if last := buffer.rstrip(b"\r").decode():
        data += [last[5:].removeprefix(" ")] if last.startswith("data:") else []
    if data:
        yield "\n".join(data)
