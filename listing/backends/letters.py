"""A reply to a lettered question, as a probability for every option.

Where the server lists the alternatives of the first token, the letters' probabilities are the answer. What the model
put on anything else is spread evenly: it never makes an option surer than the model was. Where nothing is listed, the
chosen option gets ``STAND_IN``, which is below the threshold at which a fact is stated, so that it is a suggestion.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from listing.prompts import LETTERS

# Not measured: "the model picked it" and no more. Above ``checks.MIN_SUGGESTION``, below every stating threshold.
STAND_IN = 0.6
AROUND = " \t\r\n()[]*.:\"'`"
_LETTER = rf"([{LETTERS[0]}-{LETTERS[-1]}])"
_PATTERNS = (
    re.compile(rf"[\W_]*{_LETTER}(?:[\W_]*$|[.):\]*])"),
    re.compile(rf".*\b(?i:answer|option|letter)\b(?:\s+is)?[\W_]*{_LETTER}(?:[\W_]*$|[.):\]*])", re.DOTALL),
)


Alternative = tuple[str, float | None]  # a token and its natural log-probability


@dataclass(frozen=True)
class Verdict:
    """Probability of every option; ``measured`` false means that it is the stand-in or a shrug."""

    shares: dict[str, float]
    measured: bool


def verdict(text: str, listed: Sequence[Alternative], options: Sequence[str]) -> Verdict:
    """What a reply says of the options; they stood in the question in this order, at most ``len(LETTERS)``.

    ``listed``: the alternatives at the first token that is more than ``AROUND``; none where the server lists none.
    """
    if listed:
        return Verdict(_from_alternatives(listed, options), measured=True)
    return Verdict(stand_in(_chosen(text, options), options), measured=False)


def stand_in(chosen: str | None, options: Sequence[str]) -> dict[str, float]:
    """The documented probabilities of a bare choice; all alike when nothing was chosen."""
    others = len(options) - 1
    if chosen is None or not others:
        return dict.fromkeys(options, 1 / len(options))
    # With two options the stand-in still beats its rival; with many the rest is shared evenly.
    return {option: STAND_IN if option == chosen else (1 - STAND_IN) / others for option in options}


def by_groups(options: Sequence[str], ask: Callable[[Sequence[str]], Verdict], most: int = len(LETTERS)) -> Verdict:
    """Any number of options, ``most`` at a time: even groups first, then their winners against each other.

    The ratio of two options is taken not to depend on what else stands in the list (Luce's choice axiom): inside a
    group it comes from the group's question, between groups from the winners' question.
    """
    if len(options) <= most:
        return ask(options)
    count = math.ceil(len(options) / most)
    heats = [ask(options[i::count]) for i in range(count)]
    winners = [min(heat.shares, key=lambda option: (-heat.shares[option], option)) for heat in heats]
    final = by_groups(winners, ask, most)
    if not final.measured or not all(heat.measured for heat in heats):
        top = max(final.shares.values())
        chosen = [winner for winner, share in final.shares.items() if share == top]
        return Verdict(stand_in(chosen[0] if len(chosen) == 1 else None, options), measured=False)
    raw = {
        option: final.shares[winner] * share / heat.shares[winner]
        for heat, winner in zip(heats, winners, strict=True)
        for option, share in heat.shares.items()
    }
    total = sum(raw.values())
    return Verdict({option: raw[option] / total for option in options}, measured=True)


def _from_alternatives(listed: Sequence[Alternative], options: Sequence[str]) -> dict[str, float]:
    mass = _letter_mass(listed)
    shares = [mass.get(LETTERS[i], 0.0) for i in range(len(options))]
    rest = max(0.0, 1.0 - sum(shares)) / len(options)
    total = sum(shares) + rest * len(options)
    return {option: (share + rest) / total for option, share in zip(options, shares, strict=True)}


def _letter_mass(listed: Sequence[Alternative]) -> dict[str, float]:
    """``A``, `` A`` and ``(A`` are different tokens that say the same."""
    mass: dict[str, float] = {}
    for token, logprob in listed:
        letter = token.strip(AROUND)
        # -inf, null and NaN all mean: as good as never
        if len(letter) == 1 and logprob is not None and logprob <= 0.0:
            mass[letter] = mass.get(letter, 0.0) + math.exp(logprob)
    return mass


def _chosen(text: str, options: Sequence[str]) -> str | None:
    """The option that a reply in words names: by its letter, or by the very words of the option."""
    for pattern in _PATTERNS:
        if (match := pattern.match(text)) and (place := LETTERS.find(match[1])) < len(options):
            return options[place]
    words = text.strip().strip(AROUND).casefold()
    return next((option for option in options if option.casefold() == words), None)
