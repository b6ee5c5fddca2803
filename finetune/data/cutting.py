"""A text cut to what is known of a thing.

A modifier or an item of a list goes where the sentence stands without it, else the sentence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from listing.lexicon import load_lexicon, plain, words
from listing.observe.networks.details import load_details
from listing.say.claims import NAME
from listing.say.forms import is_plural
from listing.say.marks import article, capital, listed
from listing.taxonomy import CategoryNode

WORD = re.compile(r"[^\W_][\w'’]*")
SENTENCES = re.compile(r"(?<=[.!?])\s+")
# Words that may go from in front of other words without a sentence suffering.
_MODIFIERS = (
    "small|little|tiny|big|large|simple|neat|cute|classic|basic|bold|subtle|smart|casual|fine|nice|lovely|pretty|slightly|"
    "very|quite|gently|softly|loosely|soft|light|dark|pale|bright|deep|thin|thick|wide|narrow|high|low|short|long|one|two|"
    "three|four|several|few|matching|chunky|plain|clean|warm|dense|delicate|contrasting|contrast|decorative|rounded|"
    "straight|slim|loose|relaxed|light-coloured|pointed|gathered|curved|flat|full|raised|moulded|tonal|busy|wavy|stitched|"
    "folded"
)
_PLACES = (
    "front|back|sides?|hips?|chest|waist|waistband|hems?|cuffs?|sleeves?|shoulders?|neck|neckline|bottom|top|inside|"
    "middle|centre|legs?|ankles?|knees?|thighs?|toes?|collar|edges?|body|bust|whole front"
)
_MODIFIER = re.compile(rf"\b(?:{_MODIFIERS}) (?=[a-z])", re.I)
_PLACE = re.compile(rf" (?:at|on|in|across|along|down|over|around|near|round) (?:the|each|one|both) (?:{_PLACES})\b")
# Words that claim nothing: the frame of a sentence.
FRAME = words("function") | {
    *("a", "an", "as", "at", "both", "by", "have", "in", "is", "it", "its", "of", "on", "or", "pair", "selling"),
    *("side", "sides", "some", "them", "to", "up", "i"),
}
# The same in the renderer's sentences.
RENDERED = {
    *("closes", "close", "little", "photo", "just", "pull", "slip", "fabric", "surface", "looks", "look", "like"),
    *("am", "seems", "be", "say", "says", "word", "words", "printed", "there", "also", "still", "name"),
}
NEGATED = re.compile(r"\b(?:no|not|without|nothing|none|never)\b", re.I)


@dataclass(frozen=True)
class Piece:
    """Words of a text that say a claim: characters ``start`` to ``end``."""

    start: int
    end: int
    claim: tuple[str, str]


@dataclass(frozen=True)
class Known:
    """What may be said of a thing: its name and (attribute, value) claims."""

    name: str
    node: CategoryNode
    claims: frozenset[tuple[str, str]]


def pieces(text: str, known: Known) -> list[Piece]:
    """Where the text says a claim of ``known`` or names the thing, without overlaps, the longest first."""
    lexicon, low = load_lexicon(), text.lower()
    found = []
    for match in lexicon.phrases.finditer(low):
        for attribute, values in lexicon.meaning(match[0]).items():
            names = ("colour", "colour2") if attribute == "colour" else (attribute,)
            found += [Piece(*match.span(), (n, v)) for n in names for v in values if (n, v) in known.claims]
    for attribute, value in known.claims:
        if attribute == "detail":
            found += [Piece(*m.span(), (attribute, value)) for m in load_details().patterns[value].finditer(low)]
        elif attribute in ("text", "brand"):
            found += [
                Piece(*m.span(), (attribute, value)) for m in re.finditer(rf"\W?{re.escape(value.lower())}\W?", low)
            ]
    found += [Piece(*m.span(), (NAME, known.name)) for m in re.finditer(rf"\b{_loose(known.name)}\b", low)]
    found = [Piece(_edge(text, p.start, -1), _edge(text, p.end, 1), p.claim) for p in found]
    kept: list[Piece] = []
    for piece in sorted(found, key=lambda p: (-(p.end - p.start), p.start, p.claim)):
        if all(piece.end <= other.start or other.end <= piece.start for other in kept):
            kept.append(piece)
    return sorted(kept, key=lambda p: p.start)


def _edge(text: str, at: int, step: int) -> int:
    """The next boundary of a word from ``at`` on, so that no claim is half a word."""
    while 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum():
        at += step
    return at


def _loose(phrase: str) -> str:
    return re.escape(plain(phrase)).replace(r"\ ", r"[\s-]")


def foreign_words(text: str, known: Known) -> list[re.Match[str]]:
    """The words of meaning in a text that no claim of ``known`` covers."""
    own = pieces(text, known)
    return [
        m
        for m in WORD.finditer(text)
        if m[0].lower() not in FRAME and not any(p.start < m.end() and m.start() < p.end for p in own)
    ]


def foreign(text: str, hints: set[str]) -> list[str]:
    """The words of meaning in a text whose stem is not among those of the prompt."""
    return [w for w in WORD.findall(text.lower()) if w not in FRAME and stem(w) not in hints]


def stem(word: str) -> str:
    """A word without the ending that its forms differ in."""
    bare = word.removesuffix("'s").removesuffix("’s")
    for ending in ("ings", "ing", "ies", "es", "ed", "s", "y", "e"):
        if bare.endswith(ending) and len(bare) - len(ending) >= 3:
            return bare[: -len(ending)]
    return bare


def cut(text: str, known: Known) -> str:
    """The text without what ``known`` does not hold; colours in the taxonomy's words, the thing by its one name."""
    sentences = (_sentence(s, known) for s in SENTENCES.split(text.strip()) if s and not NEGATED.search(s))
    return " ".join(s for s in sentences if s)


def _sentence(sentence: str, known: Known) -> str:
    bare = _one_name(sentence.rstrip(".!? "), known)
    for _ in range(6):
        unknown = foreign_words(bare, known)
        shorter = _shortened(bare, unknown, known) if unknown else bare
        if shorter == bare:
            break
        bare = shorter
    if foreign_words(bare, known):
        bare = _items(bare, known)
    bare = _in_own_colours(bare, known)
    bare = re.sub(r"\b([\w-]+)(?: \1\b)+", r"\1", bare, flags=re.I)
    bare = re.sub(r"\b([Aa])n? (?=(\w[\w-]*))", lambda m: m[1] + article(m[2])[1:] + " ", bare).strip(" ,;")
    return f"{capital(bare)}." if bare and any(p.claim for p in pieces(bare, known)) else ""


def _one_name(text: str, known: Known) -> str:
    """The thing by the name of the prompt wherever another word of the same number names it."""
    out = text
    for match in reversed(list(load_lexicon().noun_words.finditer(text.lower()))):
        named = re.search(rf"\b{_loose(known.name)}\b", text.lower())
        inside = named and named.start() < match.end() and match.start() < named.end()
        first = not re.search(r"\bwith\b", text[: match.start()])
        fits = known.node.name in load_lexicon().nouns.get(plain(match[0]).removesuffix("s"), {known.node.name})
        if not inside and first and fits and not named and is_plural(match[0]) == is_plural(known.name):
            out = out[: match.start()] + known.name + out[match.end() :]
    return out


def _shortened(text: str, unknown: Sequence[re.Match[str]], known: Known) -> str:
    """Without the first unknown modifier or place; the same text where there is none."""
    at = {m.start() for m in unknown}
    for pattern in (_PLACE, _MODIFIER):
        for match in pattern.finditer(text):
            words_ = [m.start() for m in WORD.finditer(text, *match.span()) if m[0].lower() not in FRAME]
            if words_ and set(words_) <= at:
                return text[: match.start()] + text[match.end() :]
    lexicon = load_lexicon()
    for match in lexicon.phrases.finditer(text.lower()):  # an adjective of a claim that was not drawn
        follows = re.match(r" ([a-z][\w-]*)", text[match.end() :])
        alone = not re.search(r"(?:\band|,) $", text[: match.start()]) and not text[match.end() :].startswith(" and ")
        before = match.start() == 0 or text[match.start() - 1] == " "
        noun = follows and follows[1] not in FRAME | {"all"}
        if match.start() in at and noun and alone and before and _is_adjective(match[0], lexicon.meaning(match[0])):
            return text[: match.start()] + text[match.end() + 1 :]
    return text


def _is_adjective(phrase: str, meaning: Mapping[str, frozenset[str]]) -> bool:
    noun = phrase.endswith(("print", "pattern", "s", "logo", "motif"))
    adjective = bool({"colour", "pattern", "material"} & set(meaning)) or phrase.endswith(("ed", "less", "'s"))
    return (adjective and not noun) or phrase.endswith("'s")


def _items(text: str, known: Known) -> str:
    """Head and the items of its list that are known; nothing where the head is not."""
    head, joined, tail = text.partition(" with ")
    if not joined:
        head, tail = "", text
    if (head and foreign_words(head, known)) or re.search(r"\b(?:is|are|has|have|which|that|where)\b", tail):
        return ""
    own = pieces(tail, known)
    edges = [m.span() for m in re.finditer(r", and |, | and | plus ", tail)]
    edges = [e for e in edges if not any(p.start < e[1] and e[0] < p.end for p in own)]
    starts, ends = [0, *(e[1] for e in edges)], [*(e[0] for e in edges), len(tail)]
    items = [tail[a:b].strip(" ,;") for a, b in zip(starts, ends, strict=True)]
    kept = [item for item in items if _is_item(item, known)]
    if not kept:
        return head if re.search(r"(?:ed|en)$", head) is None else ""
    return f"{head} with {listed(kept)}" if head else listed(kept)


def _is_item(words_: str, known: Known) -> bool:
    """Whether all of it is known, and it ends in a thing, not in a colour."""
    own = pieces(words_, known)
    return bool(own) and own[-1].claim[0] not in ("colour", "colour2") and not foreign_words(words_, known)


def _in_own_colours(text: str, known: Known) -> str:
    colours = {value for attribute, value in known.claims if attribute in ("colour", "colour2")}
    for piece in reversed(pieces(text, known)):
        if piece.claim[0] in ("colour", "colour2"):
            meant = load_lexicon().meaning(text[piece.start : piece.end].lower()).get("colour", frozenset()) & colours
            if len(meant) == 1 and "multicolour" not in meant:
                text = text[: piece.start] + next(iter(meant)).replace("-", " ") + text[piece.end :]
    named = "|".join(colour.replace("-", " ") for colour in colours) or "-"
    return re.sub(rf"\bin an? ({named})(?=$|[.,]| with\b| and\b)", r"in \1", text)
