"""Contact data that the words beside them give away: names on other sites, links in words, numbers cut by letters.

Each is asked for in a form that ordinary words do not have, so that "seen on Vinted" and "30x40x50 cm" are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import phonenumbers
import yaml

from listing.safety.fold import Folded
from listing.safety.tagger import Mark

CUES = Path(__file__).with_name("cues.yaml")
_CUES = yaml.safe_load(CUES.read_text(encoding="utf-8"))
_LEET = str.maketrans("01345@$!€", "oieasasie")  # one letter for one sign: places stay


def _any(words: list[str]) -> str:
    spelt = {*words, *(word.replace("ss", "ß") for word in words)}
    return "|".join(re.escape(word) for word in sorted(spelt, key=lambda word: (-len(word), word)))


_NETWORK = rf"(?<!\w)(?:{_any(_CUES['networks'])})(?!\w)"
_NAMED = re.compile(rf"{_NETWORK}|[{''.join(_CUES['pictures'])}]")
_NEXT_WORD = re.compile(r"[^\w\n.]{1,4}([^\W_][\w.@$#-]{2,38}\w|\w{1,3}(?!\w))")
MOST_BETWEEN = 3  # words between a network and the name
_NAME_MARK = re.compile(
    r"[^\W_]_+[^\W_]|[^\W\d_][0-9@$]{1,2}[^\W\d_]|[^\W_]#[0-9]{4}$|[^\W\d_]{2}\.[^\W\d_A-Z]|^[^\W\d_]{4,}[0-9]{1,4}$"
)
LEAST_LETTERS = 5  # of a name with marks: "W32.L30" is a size
_ON, _SELF, _SEARCH, _FOR, _ACCOUNT, _UNDER = (
    f"(?:{_any(_CUES[key])})" for key in ("on", "self", "search", "search_for", "account", "under")
)
_PLAIN_NAME = r"(?P<name>[^\W_][\w.'-]{2,30}(?: [\w.'&-]{1,20}){0,2}(?=[ ]?(?:[,.;!?()\n]|$))|[^\W_][\w.'-]{3,30}(?= ))"
_INTRODUCED = [
    re.compile(rf"(?<!\w){_ON} (?:the )?{_NETWORK} {_SELF} {_PLAIN_NAME}"),
    re.compile(rf"(?<!\w){_SEARCH}(?: {_ON})? {_NETWORK}[ :,]{{1,2}}{_FOR}[ :]{{0,2}}{_PLAIN_NAME}"),
    re.compile(rf"(?<!\w){_ON} {_NETWORK} {_SEARCH} (?:{_FOR} )?{_PLAIN_NAME}"),
    re.compile(rf"(?<!\w){_SEARCH} (?P<name>[^\W_][\w.'-]{{3,30}}) {_ON} {_NETWORK}"),
    re.compile(rf"{_NETWORK} {_ACCOUNT}(?: is| ist|:|=| est| es| to){{0,2}} {_PLAIN_NAME}"),
    re.compile(rf"(?<!\w){_ON} {_NETWORK} {_UNDER} {_PLAIN_NAME}"),
    re.compile(rf"{_NETWORK} ?[{''.join(_CUES['pictures'])}][ :=→👉-]{{0,3}}{_PLAIN_NAME}"),
    re.compile(rf"{_NETWORK}(?: {_ACCOUNT}| shop)? (?:{_any(_CUES['called'])}) {_PLAIN_NAME}"),
]
_MINE = _any([word.replace(" ", "") for word in _CUES["mine"]])
_STRONG, _NAME_END = f"(?:{_any(_CUES['strong'])})", r"\w{4,30}(?:[._-]\w{1,20}){0,3}"
_RUN_TOGETHER = re.compile(
    rf"(?<!\w)(?:\w{{0,12}}?(?:{_MINE}){_STRONG}(?:is|ist|es|to|as|als|name)?{_NAME_END}"
    rf"|\w{{5,30}}(?:on|at|auf|bei|sur){_STRONG}(?!\w)"
    rf"|\w{{3,30}}(?:{_any(_CUES['signs']['@'])})(?:{_any(_CUES['providers'])})(?:{_any(_CUES['signs']['.'])})[a-z]{{2,3}}(?!\w))"
)
_APP_AND_NAME = re.compile(rf"(?<!\w)(?:{_any(_CUES['networks'])}){_NAME_END}")
_NAME_AND_APP = re.compile(rf"(?<!\w)([^\W_][\w.@$-]{{2,38}}\w) {_ON} {_NETWORK}")
_SPOKEN = {sign: _any(words) for sign, words in _CUES["signs"].items()}
_SIGN = re.compile(
    "|".join(
        rf"(?P<s{n}>(?<=[^\W_]) ?[ ({{\[] ?(?:{words}) ?[ )}}\]] ?(?=[^\W_]))"
        for n, words in enumerate(_SPOKEN.values())
    )
)
_PROVIDER = rf"(?:{_any(_CUES['providers'])})"
_ADDRESS = re.compile(
    rf"(?<!\w)[a-z0-9][\w.+-]{{1,40}}@(?:{_PROVIDER}(?:\.[a-z]{{2,3}}){{1,2}}(?!\w)|g(?:oogle)?mail(?![\w.]))"
)
_PATH = re.compile(r"(?<!\w)[\w-]{1,30}\.(?:me|мэ|ме|com|ly|gg|ee|fr|de|es|it|pl|ru|ру|net|org)/[\w.-]{3,40}")
_CUT_NUMBER = re.compile(r"(?<!\w)\+?\d{1,5}([^\W\d_]|[*~])\d{2,5}(?:\1\d{1,5}){1,4}(?!\w|\s?(?:cm|mm|m)\b)")
_THEN = rf"[^\d\n]{{0,24}}?(?<!\w)(?:{_any(_CUES['then'])})(?!\w)[^\d\n]{{1,16}}"
_PART = r"\d{2,6}(?: \d{2,4}){0,2}"
_IN_PARTS = re.compile(rf"(?<![\w.,])\+?{_PART}(?:{_THEN}{_PART}){{1,4}}(?![\w%€£$]|[.,]\d)")
_REGIONS = ("GB", "DE", "FR", "ES", "IT", "PL", "RU", "NL", "US")


def cue_matches(folded: Folded) -> Iterator[Mark]:
    """Contact data by their cue: ``messenger``, ``email``, ``url`` and ``phone``."""
    for number in (*_CUT_NUMBER.finditer(folded.lower), *_IN_PARTS.finditer(folded.lower)):
        if is_phone(re.sub(r"\D", "", number[0])):
            yield "phone", *number.span()
    places = _with_signs(folded.lower)
    text = "".join(sign or folded.lower[place] for place, sign in places)
    spelled = Spelled(text, [place for place, _ in places], folded)
    for start, end in spelled.names():
        yield "messenger", spelled.places[start], spelled.places[end - 1] + 1
    if len(text) < len(folded.lower):
        for kind, pattern in (("url", _PATH), ("email", _ADDRESS)):
            for match in pattern.finditer(text):
                yield kind, spelled.places[match.start()], spelled.places[match.end() - 1] + 1


def _with_signs(text: str) -> list[tuple[int, str]]:
    """Places of the text, words for signs taken together as the sign that they stand for ("t dot me slash anna")."""
    result, last, signs = list[tuple[int, str]](), 0, tuple(_SPOKEN)
    for match in _SIGN.finditer(text):
        result += [(place, "") for place in range(last, match.start())]
        result.append((match.start(), signs[int((match.lastgroup or "s0")[1:])]))
        last = match.end()
    return [*result, *((place, "") for place in range(last, len(text)))]


@dataclass(frozen=True)
class Spelled:
    """A folded text with signs for the words that name them; character i stands at ``places[i]`` of ``folded``."""

    text: str
    places: list[int]
    folded: Folded

    def names(self) -> Iterator[tuple[int, int]]:
        """Names of accounts beside what says so."""
        plain = self.text.translate(_LEET)
        for cue in _NAMED.finditer(plain):
            word = _NEXT_WORD.match(self.text, cue.end())
            for _ in range(MOST_BETWEEN):
                if word is None or self._is_name(*word.span(1)):
                    break
                word = _NEXT_WORD.match(self.text, word.end())
            if word is not None and self._is_name(*word.span(1)):
                yield word.span(1)
        for pattern in _INTRODUCED:
            yield from (match.span("name") for match in pattern.finditer(plain))
        yield from (match.span() for match in _RUN_TOGETHER.finditer(self.text))
        yield from (match.span(1) for match in _NAME_AND_APP.finditer(plain) if self._is_name(*match.span(1)))
        # Letters that stood apart.
        yield from (m.span() for m in _APP_AND_NAME.finditer(plain) if all(self._odd(m.start() + 1, m.end())))

    def _odd(self, start: int, end: int) -> list[bool]:
        return [self.folded.odd[place] for place in self.places[start:end]]

    def _is_name(self, start: int, end: int) -> bool:
        """True if a word is written as names of accounts are, or in a disguise that ordinary words have no use for."""
        written = [self.folded.cased[place] for place in self.places[start:end]]
        # A spoken underscore makes a name, a spoken dot may be a print: "snaps, polka dot dress".
        word = "".join("_" if sign == "_" else char for char, sign in zip(written, self.text[start:end], strict=True))
        letters = sum(map(str.isalpha, word))
        return letters >= LEAST_LETTERS and (bool(_NAME_MARK.search(word)) or any(self._odd(start, end)))


@lru_cache(maxsize=1_000)
def is_phone(digits: str) -> bool:
    """True if the digits are a number that may be dialled in one of ``_REGIONS``."""
    if not 9 <= len(digits) <= 13:
        return False
    return any(phonenumbers.is_valid_number(phonenumbers.parse(digits, region)) for region in _REGIONS)
