"""A model behind any OpenAI-compatible chat server: vLLM, transformers serve, llama.cpp, a hosted one.

Everything about an item is asked at once, with all its photos, as one JSON form; a model that cannot fill it in is
asked question by question, in the words that tuning teaches. What a server refuses (a schema, log-probabilities, large
photos, several of them) it is not asked for again.
"""

from __future__ import annotations

import base64
import io
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any
from urllib.parse import urldefrag

from openai.types.chat import ChatCompletion
from PIL import Image

from listing import prompts
from listing.backends import forms
from listing.backends.base import BackendError, ChoiceQuestion, Form, ServerError
from listing.backends.chat_server import SHORT_CONTEXT, ChatServer, Patience
from listing.backends.filling import FORM_TOKENS, MAX_PHOTOS, SIDE, FormFilling, Reply
from listing.backends.forms import Options, Token, spoken

log = logging.getLogger(__name__)
KEY_VARIABLE = "IPL_API_KEY"
CONCURRENCY = 8
SIDES = (SIDE, 768)  # px of a photo's longest side; the second where the first is too much
_JPEG_QUALITY = 90
_ALTERNATIVES = 20  # most servers list no more
_WORD_TOKENS = 16
_TOO_MUCH = frozenset({400, 413, 422})  # how servers refuse more photos than they take in one prompt
MAX_LISTED = 10  # models named in a message
_TOO_MANY = re.compile(r"at most (\d+) image", re.IGNORECASE)


@dataclass(frozen=True)
class _Taken:
    """Features of the server, as far as it has refused none: a schema, log-probabilities, photos of which size."""

    schema: bool = True
    logprobs: bool = True
    side: int = SIDES[0]
    photos: int = MAX_PHOTOS

    def without(self, error: ServerError, *, form: bool) -> _Taken | None:
        """Features to ask for after a refusal; None: nothing less would help."""
        words = str(error)
        few = _TOO_MANY.search(words)
        if few and 1 <= int(few[1]) < self.photos:
            return replace(self, photos=int(few[1]))
        if _too_long(error):
            if self.side > SIDES[-1]:
                return replace(self, side=SIDES[-1])
            return replace(self, photos=1) if self.photos > 1 else None
        if error.status not in (400, 422, 500, 501):
            return None
        if self.logprobs and "logprob" in words:
            return replace(self, logprobs=False)
        if self.schema and form and (error.status != 500 or re.search(r"format|schema|json|grammar", words)):
            return replace(self, schema=False)
        return None


class OpenAIBackend(FormFilling):
    """Implements ``Backend``, ``FormBackend`` and ``QuestionBackend``; BackendError where the server cannot be used.

    url: like ``http://localhost:8000/v1``; ``#MODEL`` behind it names the model. model: None takes the only one.
    api_key: sent to this server only; None takes ``IPL_API_KEY``. concurrency: requests under way at the same time.
    Safe to use from several threads.
    """

    def __init__(
        self,
        url: str,
        model: str | None = None,
        api_key: str | None = None,
        *,
        concurrency: int = CONCURRENCY,
        patience: Patience | None = None,
    ) -> None:
        address, named = urldefrag(url)
        key = api_key if api_key is not None else os.environ.get(KEY_VARIABLE)
        self._server = ChatServer(address, key, patience or Patience(), most=concurrency)
        self.name = self._choose_model(model or named or None)
        self.concurrency = concurrency
        self._taken = _Taken()
        self._sees = self._warned = False
        self._looking = Lock()

    @property
    def sent(self) -> int:
        """How many requests were sent so far."""
        return self._server.sent

    def _choose_model(self, requested: str | None) -> str:
        try:
            listed = self._server.models()
        except ServerError as error:
            if requested is None or error.status not in (404, 405):  # some gateways list nothing
                raise
            return requested
        if requested is not None and (requested in listed or not listed):
            return requested
        if requested is None and len(listed) == 1:
            return listed[0]
        url = self._server.url
        if not listed:
            raise BackendError(f"The server at {url} lists no model: name one, like --model {url}#MODEL.")
        choices = ", ".join(listed[:MAX_LISTED]) + (", ..." if len(listed) > MAX_LISTED else "")
        what = f"does not serve {requested!r}" if requested is not None else "serves several models"
        raise BackendError(f"The server at {url} {what}: name one of {choices}, like --model {url}#{listed[0]}.")

    # -- everything at once -----------------------------------------------------------------------------------------

    def reply(self, images: Sequence[Image.Image], prompt: str, form: Form) -> Reply:
        """See ``FormFilling.reply``; bound to the form's schema where the server can."""
        self._check_sight(images[0])
        try:
            completion, taken = self._complete(images, prompt, FORM_TOKENS, form)
        except ServerError as error:
            _check_can_do_without(error)
            return Reply("", (), 0, cut=True)
        tokens = _tokens(completion)
        if taken.logprobs and not tokens and self._taken is taken and not form.value_key:
            self._taken = replace(taken, logprobs=False)  # from the next form on it is asked how sure it is
        cut = completion.choices[0].finish_reason == "length"
        return Reply(_text(completion), tokens, min(len(images), taken.photos), cut)

    # -- question by question ---------------------------------------------------------------------------------------

    def score(self, image: Image.Image, questions: Sequence[ChoiceQuestion]) -> dict[str, dict[str, float]]:
        """See ``QuestionBackend.score``; without log-probabilities the chosen answer gets ``words.STAND_IN``."""
        if not questions:
            return {}
        self._check_sight(image)
        with ThreadPoolExecutor(self.concurrency) as pool:
            asked = [pool.submit(copy_context().run, self._ask, image, question) for question in questions]
            try:
                answers = {q.name: answer.result() for q, answer in zip(questions, asked, strict=True)}
            except BackendError:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return {name: shares for name, shares in answers.items() if shares}

    def _ask(self, image: Image.Image, question: ChoiceQuestion) -> dict[str, float]:
        """The distribution of one question; {} where the reply names none of its answers."""
        completion, _ = self._complete([image], prompts.worded(question.prompt, question.answers), _WORD_TOKENS)
        options, tokens = Options(question.answers), _tokens(completion)
        text = "".join(token.text for token in tokens) or _text(completion)
        start, end = spoken(text)
        answer = options.named(text[start:end])
        if answer is None:
            return {}
        if any(token.others for token in tokens) and text[start:end].casefold() == answer.casefold():
            return options.measured(answer, tokens, start, end)
        return options.chosen(answer)

    # -- requests ---------------------------------------------------------------------------------------------------

    def _complete(
        self, images: Sequence[Image.Image], prompt: str, max_tokens: int, form: Form | None = None
    ) -> tuple[ChatCompletion, _Taken]:
        """A whole answer, and what was asked for: less each time that the server refuses a part of it."""
        while True:
            taken = self._taken
            try:
                return self._once(taken, images, prompt, max_tokens, form), taken
            except ServerError as error:
                less = taken.without(error, form=form is not None)
                if less is None:
                    raise
                if self._taken is taken:  # another thread may have found out as much
                    self._taken = less

    def _once(
        self, taken: _Taken, images: Sequence[Image.Image], prompt: str, max_tokens: int, form: Form | None
    ) -> ChatCompletion:
        confident = form is not None and not taken.logprobs
        asked = f"{prompt}\n{prompts.HOW_SURE}" if confident and form is not None and not form.value_key else prompt
        body = {**self._body(taken, images, asked, max_tokens)}
        if taken.logprobs:
            body |= {"logprobs": True, "top_logprobs": _ALTERNATIVES}
        if form is not None and taken.schema:
            schema = forms.schema(form, min(len(images), taken.photos), confident)
            body["response_format"] = {"type": "json_schema", "json_schema": {"name": "item", "schema": schema}}
        completion = self._server.complete(body)
        model = getattr(completion, "model", None)
        if model and not self._warned and not (model in self.name or self.name in model):
            self._warned = True
            log.warning("%s answers as %s and not as %s: is it the model you mean?", self._server.url, model, self.name)
        return completion

    def _body(self, taken: _Taken, images: Sequence[Image.Image], prompt: str, max_tokens: int) -> Mapping[str, Any]:
        urls = [data_url(image, taken.side) for image in images[: taken.photos]]
        content: str | list[dict[str, Any]] = prompt
        if urls:
            content = [*({"type": "image_url", "image_url": {"url": url}} for url in urls)]
            content.append({"type": "text", "text": prompt})
        messages = [{"role": "user", "content": content}]
        return {"model": self.name, "messages": messages, "max_tokens": max_tokens, "temperature": 0}

    def _check_sight(self, image: Image.Image) -> None:
        """Refuse (BackendError) a server that drops the photo without a word because its model only reads.

        The prompt then has as many tokens with the photo as without. It shows as well whether log-probabilities are
        listed.
        """
        with self._looking:
            if self._sees:
                return
            sighted, taken = self._complete([image], "?", 1)
            blind, _ = self._complete([], "?", 1)
            if taken.logprobs and not _tokens(sighted):
                self._taken = replace(taken, logprobs=False)
            counts = [getattr(answer.usage, "prompt_tokens", None) or 0 for answer in (sighted, blind)]
            if all(counts) and counts[0] <= counts[1]:
                raise BackendError(
                    f"The model {self.name!r} at {self._server.url} does not see the photo: "
                    "serve an image-text-to-text model."
                )
            self._sees = True

    # -- text -------------------------------------------------------------------------------------------------------

    def write(self, images: Sequence[Image.Image], prompt: str, *, max_tokens: int = 120) -> Iterator[str]:
        """See ``Backend.write``; greedy; closing the iterator closes the connection, which stops the server."""
        if images:
            self._check_sight(images[0])
        for photos in (images, images[:1]):
            try:
                yield from self._server.stream(self._body(self._taken, photos, prompt, max_tokens))
                return
            except ServerError as error:  # before the first piece
                if not photos:
                    raise
                if len(photos) < 2 or error.status not in _TOO_MUCH:
                    _check_can_do_without(error)
                    return

    # -- the rest ---------------------------------------------------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """Model and server; what it computes with is the server's business."""
        return {"model": self.name, "device": self._server.url, "precision": "the server's"}

    def close(self) -> None:
        """Close the connections."""
        self._server.close()


def _too_long(error: ServerError) -> bool:
    return error.status == 413 or re.search(SHORT_CONTEXT, str(error), re.IGNORECASE) is not None


def _check_can_do_without(error: ServerError) -> None:
    """Raises ``error``, unless the request was too long alone: shorter questions and our own text take its place."""
    if not _too_long(error):
        raise error
    log.warning("A draft does with less of its model. %s", error)


def _text(completion: ChatCompletion) -> str:
    return completion.choices[0].message.content or ""


def _tokens(completion: ChatCompletion) -> list[Token]:
    """The tokens of the reply with their alternatives; none where the server lists none."""
    logprobs = getattr(completion.choices[0], "logprobs", None)
    return [
        Token(
            position.token,
            getattr(position, "logprob", None),
            [(other.token, other.logprob) for other in getattr(position, "top_logprobs", None) or []],
        )
        for position in getattr(logprobs, "content", None) or []
    ]


def data_url(image: Image.Image, side: int = SIDES[0]) -> str:
    """The photo as a JPEG in a data URL: longest side at most ``side`` px, bare pixels, no metadata."""
    bare = Image.new("RGB", image.size)
    bare.paste(image.convert("RGB"))  # a comment or profile of the original stays with the original
    bare.thumbnail((side, side))
    buffer = io.BytesIO()
    bare.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
