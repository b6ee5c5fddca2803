"""What seller, print and calibrated sources say of a clause that a model wrote, before the model is asked about it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from listing.decide.claims import NAME, Claim
from listing.decide.settle import Item
from listing.languages import ENGLISH
from listing.lexicon import Lexicon, english, lower, plain
from listing.say.clauses import Part, bare, claim_of, content, letters, says_nothing
from listing.say.marks import find_spans
from listing.say.policy import forbidden, word_set
from listing.schema import Span, TextField
from listing.taxonomy import Attribute

WRITTEN = 0.85  # prior of a clause that a model wrote of its own accord
UNREAD = 0.7  # of print that the model alone reads
CARRIED = 0.9  # from when on calibrated evidence carries a value
NAMED = 0.8  # from when on a category overrules the name that a text gives the thing
UNLIKELY = 0.1  # below it, evidence speaks against a value
STANDS, DOUBTED = 0.5, 0.9  # from when on a clause stands, and stands without a mark
_NAMED = re.compile(r"(?<![.!?:\"“]\s)(?<!^)(?<![\w'’-])[A-Z][\w&'’]*(?:[ -](?:&|of|the|de)?[ ]?[A-Z0-9][\w&'’]*)*")
_QUOTED = re.compile(r"[\"“”„«]([^\"“”„«»]{1,80})[\"“”»]|(?<!\w)['‘]([^'’]{2,60})['’](?!\w)")
_MAKER = re.compile(r"\b(?:by|from|brand(?: is|:)?|made by|designed by)\s+(?=[A-Z])")
_NECKLINE = re.compile(r"neck|shoulder")
_HEAD_ONLY = ("colour", "pattern")  # of a part ("striped lining") they say nothing of the whole
_WHOLE = ("sleeve", "neckline")
_FAMILIES = (
    *(("navy", "blue", "light-blue"), ("green", "olive"), ("white", "beige"), ("beige", "brown"), ("grey", "silver")),
    *(("red", "burgundy", "pink", "orange"), ("pink", "purple", "burgundy"), ("yellow", "gold", "orange")),
    *(("black", "navy", "grey"), ("white", "grey", "silver"), ("blue", "green"), ("brown", "orange", "burgundy")),
)


@dataclass
class Clause:
    """A part of a sentence while it is judged."""

    field: TextField
    sentence: int
    number: int
    part: Part
    base: float = WRITTEN
    claim: str = ""
    p: float = 1.0
    by: tuple[str, ...] = ()
    most: float = 1.0  # what it is at the most: print in it that nobody else has read
    against: tuple[int, int] | None = None  # characters of the word that evidence speaks against
    instead: str = ""  # what may stand in its place


@dataclass(frozen=True)
class Known:
    """What is known of an item without its model's text.

    item: as it is settled. possible: (attribute, value) -> probability. categories: category -> probability. print_:
    all that was read or stated of print, brand and label. untrusted: the note, print and past listings, which may hold
    orders. free_details: those of the model's form in its own words, which nothing else supports.
    """

    item: Item
    lexicon: Lexicon
    possible: Mapping[tuple[str, str], float] = field(default_factory=dict)
    categories: Mapping[str, float] = field(default_factory=dict)
    print_: Sequence[str] = ()
    sizes: Sequence[str] = ()
    untrusted: Sequence[str] = ()
    language: str = ENGLISH
    note: str = ""
    free_details: Sequence[str] = ()

    def told(self, claim: str) -> bool:
        """True if every word of a claim that can be checked is one of what is known: where a model judges no claims."""
        lines = [self.item.noun, *self.print_, *(c.value for c in self.item.claims)]
        lines += [value for (_, value), p in self.possible.items() if p >= STANDS]
        spans = find_spans({"title": claim, "description": ""}, self.item)
        left = "".join(" " if any(s.start <= i < s.end for s in spans) else c for i, c in enumerate(claim))
        told = word_set(lines)
        return all(w in told or w.removesuffix("s") in told for w in word_set([bare(left)]))

    def judge(self, clause: Clause, text: str, spans: Sequence[Span], *, first: bool) -> None:
        """What rule, print and calibrated evidence say of a clause; ``claim`` is set where it has to be asked."""
        part = clause.part
        if forbidden(part.text, self.language, self.sizes):
            clause.p, clause.by = 0.0, ("policy",)
            return
        printed = self._print_in(part, text)
        if any(p < STANDS for _, _, p in printed):
            clause.p, clause.by = 0.0, ("print",)
            return
        if self.language == ENGLISH:
            self._against(clause, first=first)
        carried = [(s.start, s.end) for s in spans if s.field == clause.field]
        silent = [(start, end) for start, end, _ in printed]
        clause.most = min((p for _, _, p in printed), default=1.0)
        left = claim_of(part, self.language, [*silent, *carried])
        silent_words = _PRINT_WORDS if printed else frozenset[str]()
        if clause.against is None and not [w for w in content(left, self.language) if w not in silent_words]:
            clause.p, clause.by = min(0.97, clause.most), ("evidence",)
            return
        clause.claim = claim_of(part, self.language, silent)
        clause.p = min(clause.base, clause.most)

    def _print_in(self, part: Part, text: str) -> list[tuple[int, int, float]]:
        """Names and print of a part: (start, end, probability); a maker that nobody read is not believed."""
        found: list[tuple[int, int, float]] = []
        for match in _QUOTED.finditer(part.text):
            found.append((*place_of(part, match.span()), self._read(match[0], UNREAD)))
        words = re.findall(r"[^\W\d_]{2,}", part.text)
        capitals = len(words) > 2 and 3 * sum(w[0].isupper() for w in words) >= 2 * len(words)  # "Navy Zip Hoodie"
        names = list(_NAMED.finditer(text, part.start, part.end)) if self.language == ENGLISH else []
        brands = list(self.lexicon.brands.finditer(text, part.start, part.end))
        if self.language != ENGLISH:  # where many a brand is an ordinary word ("bianchi")
            brands = [match for match in brands if match[0][:1].isupper()]
        for match in [*brands, *names]:
            if any(a < match.end() and match.start() < b for a, b, _ in found):
                continue
            single = re.findall(r"[^\W\d_]+", match[0].lower())
            if match in names and all(_everyday(w, self.lexicon, capitals) for w in single):
                continue
            maker = match in brands or _MAKER.search(text[: match.start()][-20:])
            found.append((*match.span(), self._read(match[0], 0.2 if maker else UNREAD)))
        return found

    def _read(self, words: str, else_: float) -> float:
        key = letters(words)
        everything = "".join(letters(line) for line in self.print_)
        return 0.97 if key and (key in everything or self._mostly(words)) else else_

    def _mostly(self, words: str) -> bool:
        """True if most of several words were read: a model reads on where another reader stopped."""
        read = {letters(word) for line in self.print_ for word in line.split()}
        spoken = [letters(word) for word in words.split() if letters(word)]
        return len(spoken) > 1 and 2 * sum(word in read for word in spoken) > len(spoken)

    def _against(self, clause: Clause, *, first: bool) -> None:
        """Find the word of a clause that the other sources make unlikely, and how likely it still is."""
        head = first and clause.sentence == 0
        text, at = lower(clause.part.text), clause.part.start
        lexicon = self.lexicon
        noun = _last_noun(text, lexicon) if head else None
        worst: tuple[float, tuple[int, int], str] | None = None
        sure = max(self.categories.values(), default=0.0) >= NAMED
        if noun is not None and sure and (p := self._of_noun(noun[0])) < UNLIKELY:
            worst = (p, noun.span(), self.item.noun)
        until = noun.start() if noun is not None else len(text)
        for match in lexicon.phrases.finditer(text):
            rest = content(text[: match.start()] + text[match.end() :])
            whole = bool(rest) and says_nothing(" ".join(rest))  # "It has a checked pattern"
            inside = whole or (head and match.start() < until)
            p, instead = self._of_value(match[0], head=inside)
            if p < UNLIKELY and (worst is None or p < worst[0]):
                worst = (p, match.span(), instead)
        if worst is not None:
            clause.base, (start, end), clause.instead = worst
            clause.base, clause.against = max(worst[0], 0.005), (at + start, at + end)

    def _of_noun(self, noun: str) -> float:
        """How likely one of the categories is that are called so; 1 of a word that names none."""
        names = self.lexicon.item_names
        name = plain(noun)
        called = next((names[n] for n in (name, name.removesuffix("s"), name.removesuffix("es")) if n in names), None)
        named = [self.item.noun, *(c.value for c in self.item.claims if c.attribute == NAME)]
        if called is None or any(name in plain(other) for other in named):
            return 1.0
        return min(1.0, sum(p for name, p in self.categories.items() if name in called))

    def _of_value(self, words: str, *, head: bool) -> tuple[float, str]:
        """How likely what a phrase says is, by the other sources; and the value that is known instead.

        1 where nothing sure is self. A shade of a stated family never contradicts it.
        """
        spoken = self.lexicon.meaning(words)
        names = [name for name in (*_WHOLE, *(_HEAD_ONLY if head else ())) if name in spoken]
        if names == ["neckline"] and not _NECKLINE.search(words):  # a collar, a hood may be there beside any
            return 1.0, ""
        if not names or len(names) < len([n for n in spoken if n != "colour2"]):
            return 1.0, ""
        best, instead = 0.0, ""
        sure = [c for c in self.item.claims if c.likelihood >= CARRIED]
        for name in names:
            stated = [c.value for c in sure if c.attribute in (name, f"{name}2")]
            main = [c.value for c in sure if c.attribute == name]
            if not main or "multicolour" in main:
                return 1.0, ""
            for value in spoken[name]:
                alike = value in stated or any(value in family and set(stated) & set(family) for family in _FAMILIES)
                p = 1.0 if (alike and name == "colour") or value in stated else self._likely(name, value)
                best = max(best, p)
            forms = self.item.attributes[name].forms.get(main[0])
            instead = main[0].replace("-", " ") if name == "colour" else next(iter(forms.before), "") if forms else ""
        return best, instead if head and instead not in ("plain", "") else ""

    def _likely(self, name: str, value: str) -> float:
        return max(self.possible.get((name, value), 0.01), self.possible.get((f"{name}2", value), 0.0))


def carries(claim: Claim) -> bool:
    """True if a claim is sure enough that a clause which says it need not be asked."""
    return claim.status == "seller" or (claim.status == "certain" and claim.likelihood >= CARRIED)


def says_no_more(span: Span, text: str, attributes: Mapping[str, Attribute]) -> bool:
    """True if the words are the value's own: "spaghetti straps" say more than "sleeveless", "mint" more than green."""
    attribute = attributes.get(span.attribute or "")
    if attribute is None:
        return True
    forms = attribute.forms.get(span.value)
    own = [span.value, *((*forms.before, *forms.behind) if forms else ())]
    return plain(text[span.start : span.end]) in {plain(re.sub(r"^an? ", "", words)) for words in own} | {
        plain(f"size {span.value}")
    }


_PRINT_WORDS = frozenset(("label", "tag", "print", "printed", "reading", "reads", "says", "saying", "brand", "logo"))


def _everyday(word: str, lexicon: Lexicon, capitals: bool) -> bool:
    """True if a word with a capital is no name; where all words have one, any English word is none."""
    noun = word in lexicon.nouns or word.removesuffix("s") in lexicon.nouns or len(word) == 1
    return noun or word in lexicon.common or bool(lexicon.meaning(word)) or (capitals and word in english())


def place_of(part: Part, span: tuple[int, int]) -> tuple[int, int]:
    """Characters of a part as characters of the text that it stands in."""
    return part.start + span[0], part.start + span[1]


def _last_noun(text: str, lexicon: Lexicon) -> re.Match[str] | None:
    """The name of the thing in an opening: the last one before anything that hangs on it."""
    opening = re.split(r"\b(?:in|on|of|for|from|at|by|with)\b", text)[0]
    return next(reversed(list(lexicon.item_words.finditer(opening))), None)
