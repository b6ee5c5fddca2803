"""Contact data in texts: found and taken out, before a text is indexed and again before it is shown.

Libraries find what has a standard form: ``phonenumbers`` numbers with a country code, ``linkify_it`` e-mail addresses
and links; ``cues.yaml`` what the words beside it give away (names on other sites, links in words, numbers cut by
letters), in forms that ordinary words do not have; ``numbers`` phone numbers. A learned tagger (``tagger``, weights in
``contacts.safetensors``) finds the rest: national numbers, spelled-out numbers, handles, disguised addresses, streets
with a house number. Figures: ``docs/safety.md``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

import numpy as np
import phonenumbers
import yaml
from linkify_it import LinkifyIt

from listing.safety.fold import MARKUP, Folded, fold
from listing.safety.numbers import Numbers
from listing.safety.plans import is_number
from listing.safety.tagger import MASK, Floats, Mark, Tagger, Token, tokenise

__all__ = [
    "MASK",
    "ContactSpan",
    "contacts_version",
    "find_contacts",
    "names_network",
    "scrub",
    "scrub_for_index",
    "sure_contact",
]

WEIGHTS = Path(__file__).with_name("contacts.safetensors")
# A second handle beside a removed one may only now stand out; texts settle after one or two passes.
_MAX_PASSES = 5
_NOTHING = np.zeros((0, 1), np.float32)
MOST_JOINED = 40  # tokens by which a span grows on either side to end with a word
SURE = 0.97  # probability of the tagger
MAYBE = 0.1  # probability of the tagger for what has a phone number's shape
SHORT = 40  # characters of a text whose contacts are remembered
_LINKED = frozenset(("messenger", "email", "url"))
_LINKED_CHARACTER = "[a-zа-яα-ω0-9_@]"
_LINK_START = re.compile(rf"{_LINKED_CHARACTER}(?:{_LINKED_CHARACTER}|[./#-]{{1,2}}(?![./#-]))*\Z")
_LINK_END = re.compile(r"(?:[._@/#-]{0,2}[a-zа-яα-ω0-9_@]){1,40}")
_CHUNK = re.compile(r"[^\s<>]{4,300}")  # linkify's time grows with the square of the length: one word at a time
_BARE_DOMAIN = re.compile(r"\b([\w-]{2,})\.(?:com|net|org)\b", re.IGNORECASE)
_NUMBER_OR_AT = re.compile(r"\d{5}|@")
_PHONE_DIGITS = re.compile(r"[+]\s?\d")
CUES = Path(__file__).with_name("cues.yaml")
_CUES = yaml.safe_load(CUES.read_text(encoding="utf-8"))
_LEET = str.maketrans("01345@$!€", "oieasasie")  # one letter for one sign: places stay


@cache
def contacts_version() -> str:
    """A digest that changes with everything that decides what is found: code, weights, libraries."""
    digest = hashlib.sha256()
    for file in sorted(p for p in WEIGHTS.parent.iterdir() if p.suffix == ".py" or p in (WEIGHTS, CUES)):
        digest.update(file.read_bytes())
    for library in ("phonenumberslite", "linkify-it-py"):
        digest.update(version(library).encode())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class ContactSpan:
    """Contact data in a text: ``kind``, and ``start``/``end`` as character offsets of the text as written."""

    kind: str
    start: int
    end: int
    text: str


_LINKIFY = LinkifyIt(options={"fuzzy_ip": True})
_JOINING = frozenset("-_'’")  # marks within words
_OPENING, _CLOSING = frozenset("@+(#/＠"), frozenset(")_")  # marks that may be the first or last of contact data


@cache
def _tagger() -> Tagger:
    return Tagger(WEIGHTS)


def library_matches(folded: Folded) -> list[Mark]:
    """Matches of libraries, in order, without overlaps: ``email``; ``url`` with a scheme or a path; ``phone`` with a
    country code; ``domain``, a bare name of a site, which may be a brand's.
    """
    text = folded.cased
    matches = list[Mark]()
    for chunk in _CHUNK.finditer(text):
        if "." not in chunk[0] and "://" not in chunk[0]:
            continue
        for link in _LINKIFY.match(chunk[0]) or ():
            kind = "email" if link.schema == "mailto:" else "url" if link.schema or "/" in link.raw else "domain"
            if kind == "domain" and link.raw.rpartition(".")[2].istitle():
                continue  # a missing space: "Jacket.It has pockets"
            matches.append((kind, chunk.start() + link.index, chunk.start() + link.last_index))
    if _PHONE_DIGITS.search(text):
        leniency = phonenumbers.Leniency.POSSIBLE
        matches += [("phone", m.start, m.end) for m in phonenumbers.PhoneNumberMatcher(text, None, leniency)]
    result = list[Mark]()
    for match in sorted(matches, key=lambda m: (m[1], -m[2])):
        if not result or match[1] >= result[-1][2]:
            result.append(match)
    return result


def _joined(left: Token, right: Token) -> bool:
    """True if both belong to one word ("Carl-von-Ossietzky")."""
    both = (left, right)
    return left.end == right.start and all(t.text in _JOINING if t.is_separator else t.text != MASK for t in both)


def _part(tokens: Sequence[Token], first: int, last: int) -> range:
    """Tokens ``first`` to ``last`` without the sentence's marks on either side, with words that they cut made whole."""
    while first <= last and tokens[first].is_separator and tokens[first].text not in _OPENING:
        first += 1
    while first <= last and tokens[last].is_separator and tokens[last].text not in _CLOSING:
        last -= 1
    if all(t.is_separator for t in tokens[first : last + 1]):
        return range(0)
    least, most = max(0, first - MOST_JOINED), min(len(tokens) - 1, last + MOST_JOINED)
    while first > least and _joined(tokens[first - 1], tokens[first]):
        first -= 1
    while last < most and _joined(tokens[last], tokens[last + 1]):
        last += 1
    return range(first, last + 1)


def decode(
    tokens: Sequence[Token], probabilities: Floats, classes: Sequence[str], threshold: float, extend: float
) -> list[Mark]:
    """Spans of tokens that are contact data with a probability of ``extend`` each and ``threshold`` somewhere."""
    score = 1 - probabilities[:, 0]
    inside = [s >= extend and t.text != MASK for s, t in zip(score, tokens, strict=True)]
    result = list[Mark]()
    for is_contact, group in groupby(range(len(tokens)), inside.__getitem__):
        numbers = list(group)
        sure = is_contact and score[numbers].max() >= threshold  # asked first: making words whole takes its time
        part = _part(tokens, numbers[0], numbers[-1]) if sure else range(0)
        if part and score[part.start : part.stop].max() >= threshold:
            kind = classes[1 + int(probabilities[part.start : part.stop, 1:].sum(0).argmax())]
            result.append((kind, tokens[part.start].start, tokens[part.stop - 1].end))
    return result


def find_contacts(text: str, threshold: float | None = None) -> list[ContactSpan]:
    """Phone numbers, messenger handles, e-mail addresses, links and street addresses, in order, without overlaps.

    Offsets are characters of ``text``; ``threshold`` is the tagger's, by default its own.
    """
    return list((_cached if len(text) <= SHORT else _located)(text, threshold))


def _located(text: str, threshold: float | None) -> Sequence[ContactSpan]:
    tagger, (folded, tokens, libraries, probabilities) = _tagger(), _read(text)
    if not tokens:
        return []
    matches = decode(tokens, probabilities, tagger.classes, threshold or tagger.threshold, tagger.extend)
    matches = _NUMBERS.unexplained(folded, matches)
    score = 1 - probabilities[:, 0]
    for kind, start, end in _NUMBERS.matches(folded):
        inside = [s for s, token in zip(score, tokens, strict=True) if start <= token.start < end]
        if kind == "phone" or max(inside, default=0) >= MAYBE:
            matches.append(("phone", start, end))
    return merge(folded, [*matches, *(m for m in libraries if m[0] != "domain"), *cue_matches(folded)])


@lru_cache(maxsize=2 * 64)  # a group of rows of an import is scrubbed, then checked
def _read(text: str) -> tuple[Folded, Sequence[Token], Sequence[Mark], Floats]:
    """The folded text, its tokens, what libraries find, and the tagger's probabilities: what no threshold changes."""
    folded = fold(text)
    # Of markup only what a library finds in it counts: the tagger has seen next to none.
    skipped = bytearray(len(folded.cased) + 1)
    for markup in MARKUP.finditer(folded.cased):
        if not _NUMBER_OR_AT.search(markup[0]):
            skipped[slice(*markup.span())] = b"\1" * len(markup[0])
    tokens = [token for token in tokenise(folded) if not skipped[token.start]]
    libraries = library_matches(folded) if tokens else []
    return folded, tokens, libraries, _tagger().probabilities(folded, tokens, libraries) if tokens else _NOTHING


# Facts ("cotton", "very good") come again and again: in a draft, when it is published, in the index.
_cached = lru_cache(maxsize=4096)(_located)


def merge(folded: Folded, matches: Iterable[Mark]) -> list[ContactSpan]:
    """Matches as spans of the source, names and links made whole; those that overlap become one with the kind of the
    longest.
    """
    merged = list[Mark]()
    for kind, start, end in sorted((_whole(folded.lower, match) for match in matches), key=lambda m: (m[1], -m[2])):
        if merged and start < merged[-1][2]:
            old = merged[-1]
            longest = old[0] if old[2] - old[1] >= end - start else kind
            merged[-1] = (longest, old[1], max(end, old[2]))
        else:
            merged.append((kind, start, end))
    spans = [(kind, *folded.source_span(start, end)) for kind, start, end in merged]
    return [ContactSpan(kind, start, end, folded.source[start:end]) for kind, start, end in spans]


def _whole(text: str, match: Mark) -> Mark:
    """The match with what hangs on either side of a name, an address or a link without a blank."""
    kind, start, end = match
    if kind not in _LINKED:
        return match
    before = _LINK_START.search(text, max(0, start - MOST_JOINED), start)
    after = _LINK_END.match(text, end)
    return kind, before.start() if before else start, after.end() if after else end


def sure_contact(text: str) -> str | None:
    """The kind of contact data that is in ``text`` beyond doubt, or None; a bare .com domain counts.

    So that the last check before a record is stored stops no text that was scrubbed, then cut or joined with others.
    """
    spans = find_contacts(text, SURE)
    return spans[0].kind if spans else "url" if _BARE_DOMAIN.search(fold(text).cased) else None


def scrub(text: str, mask: str = MASK) -> str:
    """``text`` with every contact replaced by ``mask``; scrubbing again changes nothing."""
    doubled = re.compile(f"{re.escape(mask)}(?:[\\s,/|-]*{re.escape(mask)})+")
    for _ in range(_MAX_PASSES):
        pieces, last = list[str](), 0
        for span in find_contacts(text):
            pieces += [text[last : span.start], mask]
            last = span.end
        cleaned = "".join([*pieces, text[last:]])
        cleaned = doubled.sub(lambda _: mask, cleaned) if mask else cleaned
        if cleaned == text:
            break
        text = cleaned
    return text


def scrub_for_index(text: str) -> str:
    """``scrub``, and a brand's bare domain ("Nike.com print"), which scrubbing leaves alone, written as its name.

    The index refuses every domain, so that a forgotten scrub cannot leak one; a seller's honest text must still pass.
    """
    return _BARE_DOMAIN.sub(r"\1", scrub(text))


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
_SHORT_LINK = re.compile(r"(?<![\w.])(?:t|wa)[\s.,;:·•_-]{0,3}me ?[/\\] ?[\w.+-]{1,40}")
_CUT_NUMBER = re.compile(r"(?<!\w)\+?\d{1,5}([^\W\d_]|[*~])\d{2,5}(?:\1\d{1,5}){1,4}(?!\w|\s?(?:cm|mm|m)\b)")
_NUMBERS = Numbers(_CUES)


def names_network(text: str) -> bool:
    """True if the text names a messenger or a site on which people have accounts."""
    return bool(_NAMED.search(fold(text).lower))


def cue_matches(folded: Folded) -> Iterator[Mark]:
    """Contact data by their cue: ``messenger``, ``email``, ``url`` and ``phone``."""
    for number in _CUT_NUMBER.finditer(folded.lower):
        if is_number(re.sub(r"\D", "", number[0])):
            yield "phone", *number.span()
    yield from (("url", *match.span()) for match in _SHORT_LINK.finditer(folded.lower))
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
