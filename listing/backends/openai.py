"""A model behind any OpenAI-compatible chat server: vLLM, transformers serve, llama.cpp, a hosted one.

Closed questions are asked with lettered options, one request each, a few at a time; the photo stands first in every
request, so that a server with a prefix cache looks at it once.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Lock
from typing import Any
from urllib.parse import urldefrag

from openai.types.chat import ChatCompletion
from PIL import Image

from listing import prompts
from listing.backends.base import BackendError, ChoiceQuestion
from listing.backends.chat_server import ChatServer, Patience, Refusal
from listing.backends.letters import AROUND, Alternative, Verdict, by_groups, verdict

KEY_VARIABLE = "IPL_API_KEY"
MAX_SIDE = 1024  # px; more costs tokens and shows no more of a garment
_JPEG_QUALITY = 90
_LETTER_TOKENS = 8  # room for "The answer is B" from servers without log-probabilities
_TOO_MUCH = frozenset({400, 413, 422})  # how servers refuse more photos than they take in one prompt
MAX_LISTED = 10  # models named in a message


class OpenAIBackend:
    """Implements ``listing.backends.base.Backend``; BackendError where the server cannot be used.

    url: like ``http://localhost:8000/v1``; ``#MODEL`` behind it names the model. model: None takes the only one.
    api_key: sent to this server only; None takes ``IPL_API_KEY``. workers: questions asked at the same time.
    """

    def __init__(
        self,
        url: str,
        model: str | None = None,
        api_key: str | None = None,
        *,
        workers: int = 4,
        patience: Patience | None = None,
    ) -> None:
        address, named = urldefrag(url)
        key = api_key if api_key is not None else os.environ.get(KEY_VARIABLE)
        self._server = ChatServer(address, key, patience or Patience())
        self.name = self._choose_model(model or named or None)
        self._workers = workers
        self._lists_logprobs = True
        self._sees = False
        self._looking = Lock()

    def _choose_model(self, wanted: str | None) -> str:
        try:
            listed = self._server.models()
        except Refusal as error:
            if wanted is None or error.status not in (404, 405):  # some gateways list nothing
                raise
            return wanted
        if wanted is not None and (wanted in listed or not listed):
            return wanted
        if wanted is None and len(listed) == 1:
            return listed[0]
        url = self._server.url
        if not listed:
            raise BackendError(f"The server at {url} lists no model: name one, like --model {url}#MODEL.")
        choices = ", ".join(listed[:MAX_LISTED]) + (", ..." if len(listed) > MAX_LISTED else "")
        what = f"does not serve {wanted!r}" if wanted is not None else "serves several models"
        raise BackendError(f"The server at {url} {what}: name one of {choices}, like --model {url}#{listed[0]}.")

    # -- closed choices ---------------------------------------------------------------------------------------------

    def score(self, image: Image.Image, questions: Sequence[ChoiceQuestion]) -> dict[str, dict[str, float]]:
        """See ``Backend.score``; without log-probabilities the chosen answer gets ``letters.STAND_IN``."""
        if not questions:
            return {}
        photo = data_url(image)
        self._check_sight(photo)
        with ThreadPoolExecutor(min(self._workers, len(questions)), thread_name_prefix="ask") as pool:
            # Each thread takes along what belongs to this draft, the wish to stop among it.
            asked = [pool.submit(copy_context().run, self._ask, photo, question) for question in questions]
            try:
                return {q.name: answer.result() for q, answer in zip(questions, asked, strict=True)}
            except BackendError:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _ask(self, photo: str, question: ChoiceQuestion) -> dict[str, float]:
        def ask(options: Sequence[str]) -> Verdict:
            completion = self._complete(photo, prompts.lettered(question.prompt, options), _LETTER_TOKENS)
            return verdict(completion.choices[0].message.content or "", _first_alternatives(completion), options)

        return by_groups(question.answers, ask).shares

    def _complete(self, photo: str | None, prompt: str, max_tokens: int) -> ChatCompletion:
        body = self._body((photo,) if photo else (), prompt, max_tokens)
        if not self._lists_logprobs:
            return self._server.complete(body)
        try:
            return self._server.complete({**body, "logprobs": True, "top_logprobs": len(prompts.LETTERS)})
        except Refusal as error:
            if error.status not in (400, 422) or "logprob" not in str(error):
                raise
        self._lists_logprobs = False  # this server refuses to list them: ask without from now on
        return self._server.complete(body)

    def _check_sight(self, photo: str) -> None:
        """Refuse (BackendError) a server that drops the photo without a word because its model only reads.

        The prompt then has as many tokens with the photo as without.
        """
        with self._looking:
            if self._sees:
                return
            answers = [self._server.complete(self._body(p, "?", 1)) for p in ((photo,), ())]
            counts = [getattr(answer.usage, "prompt_tokens", None) or 0 for answer in answers]
            if all(counts) and counts[0] <= counts[1]:
                raise BackendError(
                    f"The model {self.name!r} at {self._server.url} does not see the photo: "
                    "serve an image-text-to-text model."
                )
            self._sees = True

    # -- text -------------------------------------------------------------------------------------------------------

    def write(self, images: Sequence[Image.Image], prompt: str, *, max_tokens: int = 120) -> Iterator[str]:
        """See ``Backend.write``; greedy, and closing the iterator closes the connection, which stops the server."""
        photos = [data_url(image) for image in images]
        if photos:
            self._check_sight(photos[0])
        try:
            yield from self._server.stream(self._body(photos, prompt, max_tokens))
        except Refusal as error:  # before the first piece
            if len(photos) < 2 or error.status not in _TOO_MUCH:
                raise
            yield from self._server.stream(self._body(photos[:1], prompt, max_tokens))

    def _body(self, photos: Sequence[str], prompt: str, max_tokens: int) -> Mapping[str, Any]:
        content: str | list[dict[str, Any]] = prompt
        if photos:
            shown = [{"type": "image_url", "image_url": {"url": photo}} for photo in photos]
            content = [*shown, {"type": "text", "text": prompt}]
        messages = [{"role": "user", "content": content}]
        return {"model": self.name, "messages": messages, "max_tokens": max_tokens, "temperature": 0}

    # -- the rest ---------------------------------------------------------------------------------------------------

    def opinions(self, image: Image.Image) -> dict[str, dict[str, float]]:
        """See ``Backend.opinions``; a server shows no heads."""
        return {}

    def describe(self) -> dict[str, Any]:
        """Model and server; what it computes with is the server's business."""
        return {"model": self.name, "device": self._server.url, "precision": "the server's"}

    def close(self) -> None:
        """Close the connections."""
        self._server.close()


def _first_alternatives(completion: ChatCompletion) -> list[Alternative]:
    """The alternatives at the first token that is more than blanks or brackets; none where the server lists none."""
    logprobs = getattr(completion.choices[0], "logprobs", None)
    for position in getattr(logprobs, "content", None) or []:
        if position.token.strip(AROUND):
            return [(other.token, other.logprob) for other in getattr(position, "top_logprobs", None) or []]
    return []


def data_url(image: Image.Image) -> str:
    """The photo as a JPEG in a data URL: longest side at most ``MAX_SIDE`` px, bare pixels, no metadata."""
    bare = Image.new("RGB", image.size)
    bare.paste(image.convert("RGB"))  # a comment or profile of the original stays with the original
    bare.thumbnail((MAX_SIDE, MAX_SIDE))
    buffer = io.BytesIO()
    bare.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
