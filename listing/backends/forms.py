"""A form as a JSON schema, and a server's reply as answers: a filled form, or the option that its words name.

What stands around the JSON or the words makes no difference. Where the server lists the alternatives of each token,
they are followed along the reply: what was put on words that name another option is that option's, what was put on
anything else is spread evenly and makes no option surer. Where nothing is listed, the option gets what the model says
of itself, or ``STAND_IN``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from listing.backends.base import Filled, Form, Words

MAX_ENUM = 500  # values of one key; more than that servers refuse or compile for minutes: the prompt names them anyway
MAX_PHRASES = 8
_THOUGHTS = re.compile(r"<think>.*?</think>", re.DOTALL)
_VALUE_KEYS, _SURE_KEYS = ("value", "words", "there"), ("sure", "confidence", "probability")
# Not measured: "the model picked it" and no more. Above ``MIN_SUGGESTION``, below every stating threshold.
STAND_IN = 0.6
_AROUND = " \t\r\n()[]{}*.:,;\"'`"


class Unreadable(ValueError):
    """The reply is no filled form; the message says to the model what is wrong with it."""


def schema(form: Form, photos: int, confident: bool) -> dict[str, Any]:
    """The JSON schema of a form; ``confident``: each value carries the model's own probability.

    Only the first key is required: a model that was tuned on forms leaves out what it was never told.
    """
    confident = confident or bool(form.value_key)
    sure = {"sure": {"type": "number", "minimum": 0, "maximum": 1}} if confident else {}

    def of(value: dict[str, Any], **more: Any) -> dict[str, Any]:
        keys = {form.value_key or "value": value, **more, **sure}
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


def read(form: Form, text: str, tokens: Sequence[Token], photos: int, *, strict: bool = True) -> Filled:
    """The form that a reply fills in. ``tokens``: of the whole reply, or none.

    Raises:
        Unreadable: there is no JSON object, or its first key has no usable value (without ``strict``: none has).
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
    if first is not None and first not in choices and (strict or not choices):
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


@dataclass(frozen=True)
class Token:
    """A token of a reply, its natural log-probability, and those that might have stood there instead."""

    text: str
    logprob: float | None = None
    others: Sequence[tuple[str, float | None]] = ()


@dataclass(frozen=True)
class Options:
    """The answers of a closed question; ``also``: other words -> the answer that they mean."""

    answers: Sequence[str]
    also: Mapping[str, str] = field(default_factory=dict)

    def named(self, text: str) -> str | None:
        """The answer that a text is, or the only one that it names; None where it names none or several."""
        words = _folded(text)
        for answer in self.answers:
            if _folded(answer) == words:
                return answer
        means = {_folded(other): answer for other, answer in self.also.items()}
        if words in means:
            return means[words]
        named = {a for a in self.answers if re.search(rf"(?<!\w){re.escape(_folded(a))}(?!\w)", words)}
        inside = {a for a in named if any(_folded(a) in _folded(b) and a != b for b in named)}  # blue in light-blue
        return (named - inside).pop() if len(named - inside) == 1 else None

    def chosen(self, answer: str, sure: float = STAND_IN) -> dict[str, float]:
        """All answers, the chosen one with probability ``sure``, the rest evenly."""
        rest = (1.0 - sure) / max(1, len(self.answers) - 1)
        return {a: (sure if len(self.answers) > 1 else 1.0) if a == answer else rest for a in self.answers}

    def measured(self, answer: str, tokens: Sequence[Token], start: int, end: int) -> dict[str, float]:
        """All answers by the tokens of a reply, whose characters ``start`` to ``end`` say ``answer``."""
        mass = dict.fromkeys(self.answers, 0.0)
        reach, written, at = 1.0, "", 0
        for token in tokens:
            first, at = at, at + len(token.text)
            if at <= start:
                continue
            if first >= end:
                break
            lead = token.text[: max(0, start - first)]
            for other, logprob in token.others:
                if other != token.text and other.startswith(lead):
                    fitting = self._begun(written + other[len(lead) :])
                    for option in fitting:
                        mass[option] += reach * _probability(logprob) / len(fitting)
            reach *= _probability(token.logprob)
            written += token.text[len(lead) : len(token.text) - max(0, at - end)]
        mass[answer] += reach
        total = sum(mass.values())
        rest = max(0.0, 1.0 - total) / len(mass)
        return {option: (share + rest) / max(1.0, total) for option, share in mass.items()}

    def _begun(self, text: str) -> list[str]:
        """The answers that go on like this, or of which this is all and the closing quote."""
        words = text.lstrip(_AROUND).casefold()
        if not words:
            return []
        return [a for a in self.answers if a.casefold().startswith(words) or words.startswith(f'{a.casefold()}"')]


def sureness(tokens: Sequence[Token], start: int, end: int) -> float | None:
    """Probability of the characters ``start`` to ``end`` of a reply, word for word; None without log-probabilities."""
    product, at = 1.0, 0
    for token in tokens:
        first, at = at, at + len(token.text)
        if at > start and first < end:
            if token.logprob is None:
                return None
            product *= _probability(token.logprob)
    return product if tokens else None


def spoken(text: str) -> tuple[int, int]:
    """Where the words of a bare reply begin and end: its first line, without what stands around them."""
    start = len(text) - len(text.lstrip(_AROUND))
    line = text[start:].partition("\n")[0]
    return start, start + len(line.rstrip(_AROUND))


def _probability(logprob: float | None) -> float:
    # -inf, null and NaN all mean: as good as never
    return math.exp(logprob) if logprob is not None and logprob <= 0.0 else 0.0


def _folded(text: str) -> str:
    return " ".join(re.sub(r"[-_\s]+", " ", text.casefold()).strip(_AROUND).split())
