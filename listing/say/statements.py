"""Statements that any text makes (a claim is what ours may make), by the lexicon; its sentences; what they rest on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from listing.lexicon import Lexicon, load_lexicon, lower, plain, words
from listing.safety.injection import instruction_like, without_instructions

Verdict = Literal["supported", "unsupported", "contradicted", "prohibited"]
FactValue = str | Sequence[str] | None

_NO_VALUES = frozenset(("", "unknown", "n/a", "none"))
_SAME = {"colour2": "colour"}
_NOT = re.compile(r"\b(?:no|not|without|never|free of|isn't|doesn't|don't|nothing|none)\b|n't\b")
_CLAUSES = re.compile(r"[.!?;\n,]+|\bbut\b")
_SMALL = words("small")

_SENTENCE = re.compile(r"(?:\"[^\"\n]*\"|[.!?](?=\w)|[^.!?\n])*[.!?\n]*\s*")  # print in quotation marks ends none
_CAPITALS = r"[A-Z][\w&'’+.-]*[\w+](?:(?<![a-z]\.)[ -](?:&|and|of|the|de|[A-Z0-9](?:[\w&'’+.-]*[\w+])?))*"
_QUOTED = re.compile(r"[\"“”„«]([^\"“”„«»]{1,60})[\"“”»]|(?<!\w)['‘]([A-Z][^'’]{1,40})['’](?!\w)")
_PRINT = re.compile(
    rf"(?<![\w])({_CAPITALS})[ -](?:print|logo|lettering|slogan|motif|graphic|patch|badge|emblem|text|"
    rf"embroidery|letters|character|branding|artwork)\b"
)
_MAKER = re.compile(
    rf"\b(?:by|from|brand(?: is|:)?|branded|label(?: is|:)?|made by|designed by)\s+(?:the (?:brand|label|"
    rf"house of)\s+)?({_CAPITALS})"
)
_MARKS = re.compile(
    r"\b(?:crocodile|alligator|polo player|horse|pony|medusa|jumpman|panther|puma|star|eagle|moose|"
    r"seagull|double[- ][gcf]|interlocking \w+) (?:logo|emblem|badge)\b|\bswoosh\b|\b(?:three|"
    r"3)[- ]stripes(?: logo)?\b",
    re.I,
)
_NAME = re.compile(
    r"(?<![.!?:\"“]\s)(?<!^)(?<![\w'’-])[A-Z][\w&'’]*[a-z]\w*(?:[ -][A-Z][\w&'’]*)*|"
    r"(?<!^)(?<![\w-])[A-Z]{3,}(?:[ -][A-Z0-9]{2,})*(?![\w])"
)
_NO_NAME = re.compile(
    r"^(?:I|It|A|The|This|These|EU|UK|US|XS|XL|XXL|OK|V|A|T|SALE|TV|CM|EUR|USD|GBP|January|February|March|"
    r"April|May|June|July|August|September|October|November|December|Monday|Friday|Saturday|Sunday|"
    r"Christmas|Easter|Halloween|Photos?|Please)$"
)
PERCENT = re.compile(
    r"(?<!\w)\d{1,3} ?% (?:\w+ )?(?:cotton|polyester|silk|wool|linen|viscose|leather|cashmere|acrylic|"
    r"nylon|elastane|polyamide|merino|down|recycled \w+|organic \w+|modal|lyocell|bamboo|alpaca)\b",
    re.I,
)
_STYLING = re.compile(
    r"\b(?:goes|go|pairs?|paired|wear|wears|worn|style|styled|match(?:es)?|combine[ds]?|combines|"
    r"looks? (?:good|great|nice|lovely|cute)|perfect|teams?|team) (?:\w+ )?(?:with|over|under)\b[^.!?]*$|"
    r"\b(?:over|under) (?:a|an|your|any) (?:\w+ )?$",
    re.I,
)
PRINT_WORDS = frozenset(
    ("print", "printed", "motif", "lettering", "lines", "emblem", "logo", "pattern", "patterned", "graphic")
)
# Parts of other items that have the name of an item; and parts that only say where something is ('at the hem').
_PART_NOUNS = frozenset(("skirt", "top", "cap", "vest", "suit", "body", "shoe", "slides", "flats", "cape", "tank"))
_PLACE = re.compile(
    r"(?:the |its |one |both )?(?:hems?|soles?|heels?|cuffs?|waistband|lining|pockets?|arch|insoles?|peak)"
)
_WHERE = re.compile(
    r"\b(?:at|near|on|around|over|along|below|above|to|down|under|across|of|inside|by)\s+(?:the |its |"
    r"one |both |each |front |back |upper |lower |side )*$",
    re.I,
)
# Where the words that say what an item is end; and what stands before words that name something else than it.
_PHRASE_END = re.compile(r"[^\w\s'’-]|\b(?:with|for|in|on|of|from|and|to|at|by|is|are|has)\b")
_BEHIND = re.compile(r"\b(?:with|for|in|on|of|from|to|at|by|like|over|under|into|as)\b")


@dataclass(frozen=True)
class Statement:
    """Characters ``start``..``end`` of the text say something checkable; ``value``: the taxonomy's word for it."""

    start: int
    end: int
    kind: str
    text: str
    value: str | None = None
    verdict: Verdict = "supported"


@dataclass(frozen=True)
class _Candidate:
    start: int
    end: int
    kind: str
    rank: int


def _candidates(text: str, lexicon: Lexicon) -> Iterator[_Candidate]:
    """Everything that might be a claim; they may overlap. A higher rank wins at the same length."""
    lowered = lower(text)
    yield from _patterned(text, lexicon)
    for match in lexicon.phrases.finditer(lowered):
        yield _Candidate(match.start(), match.end(), next(iter(lexicon.meaning(match[0]))), 2)
    yield from _nouns(text, lexicon)
    fixed = ((PERCENT, "material", 3), (_QUOTED, "text", 5), (lexicon.brands, "brand", 4), (_MARKS, "brand", 4))
    for pattern, kind, rank in fixed:
        for match in pattern.finditer(text):
            yield _Candidate(match.start(), match.end(), kind, rank)
    yield from _named(text, lexicon)


def _patterned(text: str, lexicon: Lexicon) -> Iterator[_Candidate]:
    """Claims without a value of the taxonomy: features, origin, condition, size and the like."""
    lowered = lower(text)
    for kind, pattern in lexicon.claims.items():
        rank = 3 if kind in lexicon.prohibited else 2
        for match in pattern.finditer(lowered):
            place = kind == "feature" and _PLACE.fullmatch(match[0]) and _WHERE.search(lowered[: match.start()])
            capital = re.search(r"[A-Z]", text[match.start() + 1 : match.end()])
            nowhere = kind == "origin" and re.search(r" (?:in|from) ", match[0]) and not capital
            if not place and not nowhere:
                yield _Candidate(match.start(), match.end(), kind, rank)


def _named(text: str, lexicon: Lexicon) -> Iterator[_Candidate]:
    """Capitals that name a maker, a print, or anything else."""
    for pattern, kind in ((_MAKER, "brand"), (_PRINT, "text")):
        for match in pattern.finditer(text):
            start = match.start(1)
            for word in re.finditer(r"\S+\s+", match[1]):  # 'White Riders print': the name begins at Riders
                if not _ordinary(word[0], lexicon, False):
                    break
                start = match.start(1) + word.end()
            if not _ordinary(text[start : match.end(1)], lexicon, kind == "text"):
                yield _Candidate(start, match.end(1), kind, 3)
    for match in _NAME.finditer(text):
        # 'Machine Men Blue Shirts' of a title in capitals: the name is Machine
        foreign = [w for w in re.finditer(r"[^\s-]+", match[0]) if not _ordinary(w[0], lexicon, False)]
        if foreign and not _NO_NAME.match(match[0]):
            yield _Candidate(match.start() + foreign[0].start(), match.start() + foreign[-1].end(), "name", 1)


def _ordinary(words: str, lexicon: Lexicon, strict: bool) -> bool:
    """True if capitals hide nothing but everyday words ('Black', 'Dark Blue'), not names."""
    parts = re.findall(r"[a-z']+", plain(words))
    if strict and words.isupper() and len(parts) > 1:
        return False
    return all(everyday(p, lexicon) for p in parts if p != "t")  # of a T-shirt


def everyday(word: str, lexicon: Lexicon) -> bool:
    """True if a word is one of descriptions: it names an item, says a fact, or is in everybody's mouth."""
    noun = word in lexicon.nouns or word.removesuffix("s") in lexicon.nouns
    return noun or word in lexicon.common or bool(lexicon.meaning(word))


def _nouns(text: str, lexicon: Lexicon) -> Iterator[_Candidate]:
    lowered = lower(text)
    matches = list(lexicon.item_words.finditer(lowered))
    for here, following in zip(matches, [*matches[1:], None], strict=False):
        # In 'shirt dress' only the last word says what it is; in 'goes with jeans' none does.
        if following is not None and re.fullmatch(r"[\s-]", lowered[here.end() : following.start()]):
            continue
        before = re.split(r"[.!?]", text[: here.start()])[-1]
        if here[0] in _PART_NOUNS and (here is not matches[0] or re.search(r"\b(?:the|at|on|from) $", before)):
            continue
        if categories_of(here[0], lexicon.nouns) is None and not _is_head(lowered, here, matches):
            continue
        if not _STYLING.search(before):
            yield _Candidate(here.start(), here.end(), "category", 3)


def _is_head(text: str, here: re.Match[str], matches: Sequence[re.Match[str]]) -> bool:
    """True if one of the many names that are ordinary words as well ("box logo tee", "an iron") says what it is."""
    phrase = _PHRASE_END.split(text[here.end() :])[0]
    followed = any(here.end() <= m.start() < here.end() + len(phrase) for m in matches)
    free = text[here.end() : here.end() + 1] != "-" and not PRINT_WORDS & set(phrase.split()[:1])
    alone = here is matches[0] or " " in here[0]
    return alone and free and not followed and not _BEHIND.search(re.split(r"[.!?]", text[: here.start()])[-1])


def find_statements(text: str, lexicon: Lexicon | None = None) -> list[Statement]:
    """The claims of a text in order, without overlaps (the longest wins), not judged yet."""
    lexicon = lexicon or load_lexicon()
    chosen: list[_Candidate] = []
    order = sorted(_candidates(text, lexicon), key=lambda c: (-(c.rank == 5), -(c.end - c.start), -c.rank, c.start))
    for new in order:
        if new.end > new.start and all(new.end <= c.start or c.end <= new.start for c in chosen):
            chosen.append(new)
    claims: list[Statement] = []
    for candidate in sorted(chosen, key=lambda c: c.start):
        start, end = _tight(text, candidate.start, candidate.end)
        named = (
            claims
            and claims[-1].kind in ("text", "brand", "name")
            and text[claims[-1].end : start].strip(" -'\"”") == ""
        )
        if named and text[start:end].lower() in PRINT_WORDS:
            continue  # 'Batman print' is one claim
        if end > start:
            claims.append(Statement(start, end, candidate.kind, text[start:end]))
    return claims


def _tight(text: str, start: int, end: int) -> tuple[int, int]:
    """Without blanks, stops and an article at the front: the article belongs to the noun that may stay."""
    article = re.match(r"[ ,.;:]*(?:(?:an?|the) )?", text[start:end], re.I)
    start += article.end() if article else 0
    while end > start and text[end - 1] in " ,.;:":
        end -= 1
    return start, end


def categories_of(noun: str, names: Mapping[str, frozenset[str]]) -> frozenset[str] | None:
    """The categories that a name is right for, in the plural as well."""
    noun = plain(noun)
    return next((names[n] for n in (noun, noun.removesuffix("s"), noun.removesuffix("es")) if n in names), None)


def split(text: str, statements: Sequence[Statement] = ()) -> list[tuple[int, int]]:
    """Spans of the sentences, each with the blanks behind it; a full stop inside a statement ends none."""
    spans: list[tuple[int, int]] = []
    for match in filter(lambda m: m[0], _SENTENCE.finditer(text)):
        if spans and any(s.start < match.start() < s.end for s in statements):
            spans[-1] = (spans[-1][0], match.end())
        else:
            spans.append(match.span())
    return spans


def stems(text: str) -> set[str]:
    """Crude stems of the words that carry meaning: "pockets" and "pocket", "washed" and "wash" have the same."""
    return {
        next((w[: -len(e)] for e in ("ing", "ed", "es", "s") if w.endswith(e) and len(w) - len(e) >= 3), w)
        for w in re.findall(r"[\w&+]+", plain(text))
        if w not in _SMALL
    }


def letters(text: str) -> str:
    """Letters and digits alone, in lower case: how print is compared."""
    return re.sub(r"[\W_]+", "", text.lower())


def listed_values(values: FactValue | Iterable[str]) -> list[str]:
    """One value or several as a list."""
    return [values] if isinstance(values, str) else [str(value) for value in values or ()]


@dataclass(frozen=True)
class Support:
    """Everything that a statement can rest on, prepared once a text."""

    facts: Mapping[str, frozenset[str]]
    note: str
    mentioned: Mapping[str, set[str]]
    print_letters: str
    print_stems: frozenset[str]

    def values(self, name: str) -> frozenset[str]:
        """Verified values of an attribute; a second colour is a colour."""
        return self.facts.get(name, frozenset())

    def in_note(self, words: str) -> bool:
        """True if one sentence of the note says so, with the same "no" or without one."""
        required, denied = stems(words), bool(_NOT.search(words.lower()))
        clauses = _CLAUSES.split(self.note) if required else []
        return any(required <= stems(clause) and denied == bool(_NOT.search(clause.lower())) for clause in clauses)

    def in_print(self, words: str) -> bool:
        """True if these words stand on the item."""
        key = letters(words)
        return bool(key) and (key in self.print_letters if len(key) > 2 else key in self.print_stems)

    def in_facts(self, words: str) -> bool:
        """True if some fact's value holds all these words."""
        required = stems(words)
        return bool(required) and any(required <= stems(value) for values in self.facts.values() for value in values)


def gather(lexicon: Lexicon, facts: Mapping[str, FactValue], note: str, ocr: Sequence[str]) -> Support:
    """The support that the statements of one text can rest on."""
    verified: dict[str, frozenset[str]] = {}
    for name, raw in facts.items():
        whole = name in ("text", "brand", "item") and isinstance(raw, str)
        parts = re.split(r",\s*", raw) if isinstance(raw, str) and not whole else listed_values(raw)
        if values := frozenset(p.strip() for p in parts if p.strip().lower() not in _NO_VALUES):
            key = _SAME.get(name, name)
            verified[key] = verified.get(key, frozenset()) | values
    note, ocr = without_instructions(note), [line for line in ocr if not instruction_like(line)]
    printed = [*ocr, *(t for t in verified.get("text", ()) if not instruction_like(t)), *verified.get("brand", ())]
    return Support(
        facts=verified,
        note=note,
        mentioned=lexicon.mentions(" . ".join([note, *ocr])),
        print_letters=" ".join(letters(line) for line in [*printed, "".join(ocr)]),
        print_stems=frozenset(stem for line in printed for stem in stems(line)),
    )
