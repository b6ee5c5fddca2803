"""The answer to a closed question in a reply of words: the option that it names, and how sure the model was of it.

Where the server lists the alternatives of each token, they are followed along the reply: what was put on words that
name another option is that option's, what was put on anything else is spread evenly and makes no option surer. Where
nothing is listed, the option gets what the model says of itself, or ``STAND_IN``. A reply that names no option is no
answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# Not measured: "the model picked it" and no more. Above ``verify.MIN_SUGGESTION``, below every stating threshold.
STAND_IN = 0.6
_AROUND = " \t\r\n()[]{}*.:,;\"'`"


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
