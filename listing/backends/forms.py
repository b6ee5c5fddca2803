"""A form as a JSON schema, and a server's reply as a filled form; what stands around the JSON makes no difference."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from listing.backends.base import Filled, Form, Words
from listing.backends.words import STAND_IN, Options, Token, sureness

MAX_ENUM = 500  # values of one key; more than that servers refuse or compile for minutes: the prompt names them anyway
MAX_PHRASES = 8
_THOUGHTS = re.compile(r"<think>.*?</think>", re.DOTALL)
_VALUE_KEYS, _SURE_KEYS = ("value", "words"), ("sure", "confidence", "probability")


class Unreadable(ValueError):
    """The reply is no filled form; the message says to the model what is wrong with it."""


def schema(form: Form, photos: int, confident: bool) -> dict[str, Any]:
    """The JSON schema of a form; ``confident``: each value carries the model's own probability.

    Only the first key is required: a model that was tuned on forms leaves out what it was never told.
    """
    sure = {"sure": {"type": "number", "minimum": 0, "maximum": 1}} if confident else {}

    def of(value: dict[str, Any], **more: Any) -> dict[str, Any]:
        keys = {"value": value, **more, **sure}
        return {"type": "object", "properties": keys, "required": list(keys), "additionalProperties": False}

    keys: dict[str, Any] = {}
    for name, answers in form.choices.items():
        value = {"type": "string", "enum": list(answers)} if len(answers) <= MAX_ENUM else {"type": "string"}
        keys[name] = of(value) if confident else value
    for name in form.words:
        photo = {"type": "integer", "minimum": 1, "maximum": photos}
        keys[name] = {"anyOf": [of({"type": "string"}, photo=photo), {"type": "null"}]}
    if form.phrases:
        phrase = of({"type": "string"}) if confident else {"type": "string"}
        keys[form.phrases] = {"type": "array", "items": phrase, "maxItems": MAX_PHRASES}
    return {"type": "object", "properties": keys, "required": list(keys)[:1], "additionalProperties": False}


def read(form: Form, text: str, tokens: Sequence[Token], photos: int) -> Filled:
    """The form that a reply fills in. ``tokens``: of the whole reply, or none.

    Raises:
        Unreadable: there is no JSON object, or its first key has no usable value.
    """
    whole = "".join(token.text for token in tokens)
    listed = tokens if whole.strip() == text.strip() else ()
    data, at = _object(whole if listed else text, form)
    reader = _Reader(whole if listed else text, at, listed, photos)
    choices = {}
    for name, answers in form.choices.items():
        if name in data and (chances := reader.choice(name, data[name], Options(answers, form.also.get(name, {})))):
            choices[name] = chances
    first = next(iter(form.choices), None)
    if first is not None and first not in choices:
        raise Unreadable(f'The key "{first}" needs one of the listed values, not {json.dumps(data.get(first))[:80]}.')
    words = {name: read for name in form.words if (read := reader.words(name, data.get(name)))}
    phrase_list = data.get(form.phrases)
    if not isinstance(phrase_list, list):
        return Filled(choices, words)
    phrases = [read for item in phrase_list[:MAX_PHRASES] if (read := reader.words("", item))]
    return Filled(choices, words, phrases)


def _object(text: str, form: Form) -> tuple[dict[str, Any], int]:
    """The JSON object with the most keys of the form, the last of equals, and where it begins."""
    plain = _THOUGHTS.sub(lambda match: " " * len(match[0]), text)
    decoder = json.JSONDecoder()
    best: tuple[int, dict[str, Any], int] | None = None
    keys, at = {*form.choices, *form.words, form.phrases}, plain.find("{")
    while at >= 0:
        end = at + 1
        try:
            parsed, end = decoder.raw_decode(plain, at)
            count = len(keys & parsed.keys())
            if count and (best is None or count >= best[0]):
                best = (count, parsed, at)
        except (ValueError, RecursionError):
            pass
        at = plain.find("{", end)
    if best is None:
        raise Unreadable("It holds no whole JSON object with the keys that were asked for.")
    return best[1], best[2]


class _Reader:
    def __init__(self, text: str, start: int, tokens: Sequence[Token], photos: int) -> None:
        self.text, self.start, self.tokens, self.photos = text, start, tokens, photos

    def choice(self, name: str, reply: Any, options: Options) -> dict[str, float]:
        """The distribution of a closed key; {} where the value is none of its own."""
        value, sure, _ = _parts(reply)
        answer = options.named(value) if value is not None else None
        if answer is None:
            return {}
        place = self._place(name, value or "")
        if place is not None and any(token.others for token in self.tokens):
            return options.measured(answer, self.tokens, place[0], place[1] + 1)  # with the quote that ends it
        return options.chosen(answer, STAND_IN if sure is None else sure)

    def words(self, name: str, reply: Any) -> Words | None:
        """Free words; None where there are none."""
        value, sure, photo = _parts(reply)
        value = " ".join((value or "").split())
        if not value or value.casefold() in ("unknown", "none", "null", "n/a"):
            return None
        if photo is None and self.photos == 1:
            photo = 1
        exists = photo is not None and 1 <= photo <= self.photos
        # Of a list, the likelihood of a phrase is that of being named at all, and says little of its being right.
        place = self._place(name, value) if name else None
        measured = sureness(self.tokens, *place) if place is not None else None
        sure = measured if measured is not None else sure
        return Words(value, STAND_IN if sure is None else sure, photo - 1 if photo is not None and exists else None)

    def _place(self, name: str, value: str) -> tuple[int, int] | None:
        """Where the value stands in the reply; None where it is written otherwise (escapes), or nothing is listed."""
        if not self.tokens:
            return None
        quoted = re.escape(json.dumps(value, ensure_ascii=False))
        key = rf'"{re.escape(name)}"\s*:\s*(?:\{{\s*"(?:{"|".join(_VALUE_KEYS)})"\s*:\s*)?'
        match = re.compile(rf"{key}({quoted})").search(self.text, self.start)
        return (match.start(1) + 1, match.end(1) - 1) if match else None


def _parts(reply: Any) -> tuple[str | None, float | None, int | None]:
    """(value, how sure, photo) of a bare value or of an object with them."""
    if not isinstance(reply, Mapping):
        return _text(reply), None, None
    value = next((reply[key] for key in _VALUE_KEYS if key in reply), None)
    sure = next((reply[key] for key in _SURE_KEYS if isinstance(reply.get(key), int | float)), None)
    photo = reply.get("photo")
    if sure is not None and 1 < sure <= 100:
        sure = sure / 100  # percent
    usable = sure is not None and 0 <= sure <= 1
    return _text(value), float(sure) if sure is not None and usable else None, photo if type(photo) is int else None


def _text(value: Any) -> str | None:
    if isinstance(value, list):
        value = value[0] if value else None
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
