"""What seller, print and calibrated sources say of a clause that a model wrote, before the model is asked about it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from listing.decide.claims import NAME, Claim
from listing.languages import ENGLISH
from listing.lexicon import Lexicon, english, load_lexicon, lower, plain
from listing.say.clauses import Part, bare, claim_of, content
from listing.say.marks import find_spans
from listing.say.policy import forbidden, word_set
from listing.say.statements import letters
from listing.schema import Span, TextField
from listing.taxonomy import Taxonomy

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


@dataclass(frozen=True)
class Known:
    """What is known of an item without its model's text.

    claims: of the settled item, as texts may make them. possible: (attribute, value) -> probability. categories:
    category -> probability. print_: all that was read or stated of print, brand and label. untrusted: the note, print
    and past listings, which may hold orders.
    """

    claims: Sequence[Claim]
    possible: Mapping[tuple[str, str], float]
    categories: Mapping[str, float]
    taxonomy: Taxonomy
    noun: str = ""
    plural: bool = False
    print_: Sequence[str] = ()
    sizes: Sequence[str] = ()
    untrusted: Sequence[str] = ()
    language: str = ENGLISH


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
    reason: str = ""
    most: float = 1.0  # what it is at the most: print in it that nobody else has read
    against: tuple[int, int] | None = None  # characters of the word that evidence speaks against
    instead: str = ""  # what may stand in its place


def told(claim: str, known: Known) -> bool:
    """True if every word of a claim that can be checked is one of what is known: where a model judges no claims."""
    lines = [known.noun, *known.print_, *(c.value for c in known.claims)]
    lines += [value for (_, value), p in known.possible.items() if p >= STANDS]
    spans = find_spans({"title": claim, "description": ""}, known.claims, known.taxonomy)
    left = "".join(" " if any(s.start <= i < s.end for s in spans) else c for i, c in enumerate(claim))
    told = word_set(lines)
    return all(w in told or w.removesuffix("s") in told for w in word_set([bare(left)]))


def carries(claim: Claim) -> bool:
    """True if a claim is sure enough that a clause which says it need not be asked."""
    return claim.status == "seller" or (claim.status == "certain" and claim.likelihood >= CARRIED)


def says_no_more(span: Span, text: str, taxonomy: Taxonomy) -> bool:
    """True if the words are the value's own: "spaghetti straps" say more than "sleeveless", "mint" more than green."""
    attribute = taxonomy.attributes.get(span.attribute or "")
    if attribute is None:
        return True
    forms = attribute.forms.get(span.value)
    own = [span.value, *((*forms.before, *forms.behind) if forms else ())]
    return plain(text[span.start : span.end]) in {plain(re.sub(r"^an? ", "", words)) for words in own} | {
        plain(f"size {span.value}")
    }


def judge(clause: Clause, text: str, spans: Sequence[Span], known: Known, *, first: bool) -> None:
    """What rule, print and calibrated evidence say of a clause; ``claim`` is set where it has to be asked."""
    part = clause.part
    if kind := forbidden(part.text, known.language, known.sizes):
        clause.p, clause.by, clause.reason = 0.0, ("policy",), kind
        return
    printed = _print_in(part, text, known)
    if any(p < STANDS for _, _, p in printed):
        clause.p, clause.by, clause.reason = 0.0, ("print",), "brand"
        return
    if known.language == ENGLISH:
        _against(clause, known, first=first)
    carried = [(s.start, s.end) for s in spans if s.field == clause.field]
    silent = [(start, end) for start, end, _ in printed]
    clause.most = min((p for _, _, p in printed), default=1.0)
    left = claim_of(part, known.language, [*silent, *carried])
    silent_words = _PRINT_WORDS if printed else frozenset[str]()
    if clause.against is None and not [w for w in content(left, known.language) if w not in silent_words]:
        clause.p, clause.by = min(0.97, clause.most), ("evidence",)
        return
    clause.claim = claim_of(part, known.language, silent)
    clause.p = min(clause.base, clause.most)


_PRINT_WORDS = frozenset(("label", "tag", "print", "printed", "reading", "reads", "says", "saying", "brand", "logo"))


def _print_in(part: Part, text: str, known: Known) -> list[tuple[int, int, float]]:
    """Names and print of a part: (start, end, probability that it is so); a maker that nobody read is not believed."""
    found: list[tuple[int, int, float]] = []
    ordinary = load_lexicon(known.taxonomy)
    for match in _QUOTED.finditer(part.text):
        found.append((*place_of(part, match.span()), _read(match[0], known, UNREAD)))
    words = re.findall(r"[^\W\d_]{2,}", part.text)
    capitals = len(words) > 2 and 3 * sum(w[0].isupper() for w in words) >= 2 * len(words)  # "Navy Zip Hoodie"
    names = list(_NAMED.finditer(text, part.start, part.end)) if known.language == ENGLISH else []
    brands = list(ordinary.brands.finditer(text, part.start, part.end))
    if known.language != ENGLISH:  # where many a brand is an ordinary word ("bianchi")
        brands = [match for match in brands if match[0][:1].isupper()]
    for match in [*brands, *names]:
        if any(a < match.end() and match.start() < b for a, b, _ in found):
            continue
        if match in names and all(_everyday(w, ordinary, capitals) for w in re.findall(r"[^\W\d_]+", match[0].lower())):
            continue
        maker = match in brands or _MAKER.search(text[: match.start()][-20:])
        found.append((*match.span(), _read(match[0], known, 0.2 if maker else UNREAD)))
    return found


def _everyday(word: str, lexicon: Lexicon, capitals: bool) -> bool:
    """True if a word with a capital is no name; where all words have one, any English word is none."""
    noun = word in lexicon.nouns or word.removesuffix("s") in lexicon.nouns or len(word) == 1
    return noun or word in lexicon.common or bool(lexicon.meaning(word)) or (capitals and word in english())


def place_of(part: Part, span: tuple[int, int]) -> tuple[int, int]:
    """Characters of a part as characters of the text that it stands in."""
    return part.start + span[0], part.start + span[1]


def _read(words: str, known: Known, else_: float) -> float:
    key = letters(words)
    everything = "".join(letters(line) for line in known.print_)
    return 0.97 if key and (key in everything or _mostly(words, known)) else else_


def _mostly(words: str, known: Known) -> bool:
    """True if most of several words were read: a model reads on where another reader stopped."""
    read = {letters(word) for line in known.print_ for word in line.split()}
    spoken = [letters(word) for word in words.split() if letters(word)]
    return len(spoken) > 1 and 2 * sum(word in read for word in spoken) > len(spoken)


def _against(clause: Clause, known: Known, *, first: bool) -> None:
    """Find the word of a clause that the other sources make unlikely, and how likely it still is."""
    head = first and clause.sentence == 0
    text, at = lower(clause.part.text), clause.part.start
    lexicon = load_lexicon(known.taxonomy)
    noun = _last_noun(text, lexicon) if head else None
    worst: tuple[float, tuple[int, int], str] | None = None
    sure = max(known.categories.values(), default=0.0) >= NAMED
    if noun is not None and sure and (p := _of_noun(noun[0], known, lexicon)) < UNLIKELY:
        worst = (p, noun.span(), known.noun)
    until = noun.start() if noun is not None else len(text)
    for match in lexicon.phrases.finditer(text):
        inside = head and match.start() < until
        p, instead = _of_value(match[0], known, lexicon, head=inside)
        if p < UNLIKELY and (worst is None or p < worst[0]):
            worst = (p, match.span(), instead)
    if worst is not None:
        clause.base, (start, end), clause.instead = worst
        clause.base, clause.against = max(worst[0], 0.005), (at + start, at + end)


def _last_noun(text: str, lexicon: Lexicon) -> re.Match[str] | None:
    """The name of the thing in an opening: the last one before anything that hangs on it."""
    opening = re.split(r"\b(?:in|on|of|for|from|at|by|with)\b", text)[0]
    return next(reversed(list(lexicon.item_words.finditer(opening))), None)


def _of_noun(noun: str, known: Known, lexicon: Lexicon) -> float:
    """How likely one of the categories is that are called so; 1 of a word that names none."""
    names = lexicon.item_names
    name = plain(noun)
    called = next((names[n] for n in (name, name.removesuffix("s"), name.removesuffix("es")) if n in names), None)
    named = [known.noun, *(c.value for c in known.claims if c.attribute == NAME)]
    if called is None or any(name in plain(other) for other in named):
        return 1.0
    return min(1.0, sum(p for name, p in known.categories.items() if name in called))


def _of_value(words: str, known: Known, lexicon: Lexicon, *, head: bool) -> tuple[float, str]:
    """How likely what a phrase says is, by the other sources; and the value that is known instead.

    1 where nothing sure is known. A shade of a stated family never contradicts it.
    """
    spoken = lexicon.meaning(words)
    names = [name for name in (*_WHOLE, *(_HEAD_ONLY if head else ())) if name in spoken]
    if names == ["neckline"] and not _NECKLINE.search(words):  # a collar, a hood may be there beside any
        return 1.0, ""
    if not names or len(names) < len([n for n in spoken if n != "colour2"]):
        return 1.0, ""
    best, instead = 0.0, ""
    for name in names:
        stated = [c.value for c in known.claims if c.attribute in (name, f"{name}2") and c.likelihood >= CARRIED]
        main = [c.value for c in known.claims if c.attribute == name and c.likelihood >= CARRIED]
        if not main or "multicolour" in main:
            return 1.0, ""
        for value in spoken[name]:
            alike = value in stated or any(value in family and set(stated) & set(family) for family in _FAMILIES)
            p = 1.0 if (alike and name == "colour") or value in stated else _likely(name, value, known)
            best = max(best, p)
        forms = known.taxonomy.attributes[name].forms.get(main[0])
        instead = main[0].replace("-", " ") if name == "colour" else next(iter(forms.before), "") if forms else ""
    return best, instead if head and instead not in ("plain", "") else ""


def _likely(name: str, value: str, known: Known) -> float:
    return max(known.possible.get((name, value), 0.01), known.possible.get((f"{name}2", value), 0.0))
