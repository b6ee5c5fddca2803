"""A text as claims, each matched to facts, the note, print and neighbours, with a verdict."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from listing.lexicon import Lexicon, load_lexicon, plain
from listing.say.support import FactValue, NeighbourValues, Sources, gather
from listing.taxonomy import Taxonomy

Verdict = Literal["supported", "unsupported", "contradicted", "copied", "prohibited"]

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
_PERCENT = re.compile(
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
# Parts of other things that have the name of a thing; and parts that only say where something is ('at the hem').
_PART_NOUNS = frozenset(("skirt", "top", "cap", "vest", "suit", "body", "shoe", "slides", "flats", "cape", "tank"))
_PLACE = re.compile(
    r"(?:the |its |one |both )?(?:hems?|soles?|heels?|cuffs?|waistband|lining|pockets?|arch|insoles?|peak)"
)
_WHERE = re.compile(
    r"\b(?:at|near|on|around|over|along|below|above|to|down|under|across|of|inside|by)\s+(?:the |its |"
    r"one |both |each |front |back |upper |lower |side )*$",
    re.I,
)
# Where the words that say what a thing is end; and what stands before words that name something else than it.
_PHRASE_END = re.compile(r"[^\w\s'’-]|\b(?:with|for|in|on|of|from|and|to|at|by|is|are|has)\b")
_BEHIND = re.compile(r"\b(?:with|for|in|on|of|from|to|at|by|like|over|under|into|as)\b")
_NARROWER = {"blue": frozenset(("navy", "light-blue")), "green": frozenset(("olive",))}
_MARK_OF = {
    "swoosh": "nike",
    "stripes": "adidas",
    "jumpman": "jordan",
    "crocodile": "lacoste",
    "medusa": "versace",
    "player": "ralph lauren",
    "alligator": "lacoste",
}


@dataclass(frozen=True)
class Claim:
    """Characters ``start``..``end`` of the text say something checkable; ``value``: the taxonomy's word for it."""

    start: int
    end: int
    kind: str
    text: str
    value: str | None = None
    verdict: Verdict = "supported"

    @property
    def span(self) -> tuple[int, int]:
        return self.start, self.end


@dataclass(frozen=True)
class _Candidate:
    start: int
    end: int
    kind: str
    rank: int


def _candidates(text: str, lexicon: Lexicon) -> Iterator[_Candidate]:
    """Everything that might be a claim; they may overlap. A higher rank wins at the same length."""
    lowered = text.lower()
    yield from _patterned(text, lexicon)
    for match in lexicon.phrases.finditer(lowered):
        yield _Candidate(match.start(), match.end(), next(iter(lexicon.meaning(match[0]))), 2)
    yield from _nouns(text, lexicon)
    fixed = ((_PERCENT, "material", 3), (_QUOTED, "text", 5), (lexicon.brands, "brand", 4), (_MARKS, "brand", 4))
    for pattern, kind, rank in fixed:
        for match in pattern.finditer(text):
            yield _Candidate(match.start(), match.end(), kind, rank)
    yield from _named(text, lexicon)


def _patterned(text: str, lexicon: Lexicon) -> Iterator[_Candidate]:
    """Claims without a value of the taxonomy: features, origin, condition, size and the like."""
    lowered = text.lower()
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
    """Whether capitals hide nothing but everyday words ('Black', 'Dark Blue'), not names."""
    parts = re.findall(r"[a-z']+", plain(words))
    if strict and words.isupper() and len(parts) > 1:
        return False
    return all(_everyday(p, lexicon) for p in parts if p != "t")  # of a T-shirt


def _everyday(word: str, lexicon: Lexicon) -> bool:
    noun = word in lexicon.nouns or word.removesuffix("s") in lexicon.nouns
    return noun or word in lexicon.common or bool(lexicon.meaning(word))


def _nouns(text: str, lexicon: Lexicon) -> Iterator[_Candidate]:
    lowered = text.lower()
    matches = list(lexicon.thing_words.finditer(lowered))
    for here, following in zip(matches, [*matches[1:], None], strict=False):
        # In 'shirt dress' only the last word says what it is; in 'goes with jeans' none does.
        if following is not None and re.fullmatch(r"[\s-]", lowered[here.end() : following.start()]):
            continue
        before = re.split(r"[.!?]", text[: here.start()])[-1]
        if here[0] in _PART_NOUNS and (here is not matches[0] or re.search(r"\b(?:the|at|on|from) $", before)):
            continue
        if _labels(here[0], lexicon.nouns) is None and not _is_head(lowered, here, matches):
            continue
        if not _STYLING.search(before):
            yield _Candidate(here.start(), here.end(), "category", 3)


def _is_head(text: str, here: re.Match[str], matches: Sequence[re.Match[str]]) -> bool:
    """Whether one of the many names that are ordinary words as well ("box logo tee", "an iron") says what it is."""
    phrase = _PHRASE_END.split(text[here.end() :])[0]
    followed = any(here.end() <= m.start() < here.end() + len(phrase) for m in matches)
    free = text[here.end() : here.end() + 1] != "-" and not PRINT_WORDS & set(phrase.split()[:1])
    alone = here is matches[0] or " " in here[0]
    return alone and free and not followed and not _BEHIND.search(re.split(r"[.!?]", text[: here.start()])[-1])


def find_claims(text: str, lexicon: Lexicon | None = None) -> list[Claim]:
    """The claims of a text in order, without overlaps (the longest wins), not judged yet."""
    lexicon = lexicon or load_lexicon()
    chosen: list[_Candidate] = []
    order = sorted(_candidates(text, lexicon), key=lambda c: (-(c.rank == 5), -(c.end - c.start), -c.rank, c.start))
    for new in order:
        if new.end > new.start and all(new.end <= c.start or c.end <= new.start for c in chosen):
            chosen.append(new)
    claims: list[Claim] = []
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
            claims.append(Claim(start, end, candidate.kind, text[start:end]))
    return claims


def _tight(text: str, start: int, end: int) -> tuple[int, int]:
    """Without blanks, stops and an article at the front: the article belongs to the noun that may stay."""
    article = re.match(r"[ ,.;:]*(?:(?:an?|the) )?", text[start:end], re.I)
    start += article.end() if article else 0
    while end > start and text[end - 1] in " ,.;:":
        end -= 1
    return start, end


def verify(
    text: str,
    facts: Mapping[str, FactValue],
    category: str | None,
    taxonomy: Taxonomy,
    note: str = "",
    ocr: Sequence[str] = (),
    neighbour_values: NeighbourValues = (),
) -> list[Claim]:
    """Every claim of a generated text with its verdict.

    facts: attribute -> verified value (several: a sequence, or one string with commas).
    note, ocr: the seller's words and the print in the photos; they support what they say.
    neighbour_values: attribute -> values of similar listings (or just the values); what only they say is ``copied``.
    """
    lexicon = load_lexicon(taxonomy)
    sources = gather(lexicon, facts, note, ocr, neighbour_values)
    judged = []
    for claim in find_claims(text, lexicon):
        value, verdict = _judge(claim, sources, category, taxonomy, lexicon)
        judged.append(Claim(claim.start, claim.end, claim.kind, claim.text, value, verdict))
    return judged


def _judge(
    claim: Claim, sources: Sources, category: str | None, taxonomy: Taxonomy, lexicon: Lexicon
) -> tuple[str | None, Verdict]:
    if claim.kind in lexicon.always:
        return None, "prohibited"
    if claim.kind in lexicon.prohibited:
        return None, "supported" if sources.in_note(claim.text) else "prohibited"
    if claim.kind == "category":
        return _judge_noun(claim, sources, category, taxonomy, lexicon)
    if claim.kind == "condition":
        return _judge_condition(claim, sources, lexicon)
    if claim.kind in ("brand", "text", "name"):
        return claim.text, _judge_words(claim, sources)
    if claim.kind == "size":
        return claim.text, _judge_size(claim, sources)
    if _PERCENT.fullmatch(claim.text):
        printed = sources.in_print(claim.text) or sources.in_note(claim.text)
        return None, "supported" if printed else "contradicted" if sources.known("material") and not set(
            lexicon.meaning(claim.text).get("material", ())
        ) & sources.known("material") else "unsupported"
    meaning = lexicon.meaning(claim.text)
    if meaning:
        return _judge_value(claim, meaning, sources)
    node = taxonomy.categories.get(category or "")
    if node is not None and claim.text.lower() in node.phrase:
        return None, "supported"
    supported = sources.in_note(claim.text) or sources.in_facts(claim.text) or sources.in_print(claim.text)
    return None, "supported" if supported else "copied" if sources.near_words(claim.text) else "unsupported"


def _judge_value(claim: Claim, meaning: Mapping[str, frozenset[str]], sources: Sources) -> tuple[str | None, Verdict]:
    """An attribute value; words with several meanings (lace: pattern, material) need only one of them."""
    for name, values in meaning.items():
        hit = values & (sources.known(name) | sources.mentioned.get(name, set()))
        narrower = _NARROWER.get(plain(claim.text), frozenset()) if name == "colour" else frozenset()
        if hit or narrower & sources.known(name):
            return next(iter(hit), None), "supported"
    if "pattern" in meaning and plain(claim.text) in PRINT_WORDS and sources.known("pattern") - {"solid", "melange"}:
        return None, "supported"
    if "pattern" in meaning and plain(claim.text) in PRINT_WORDS and sources.known("text"):
        return None, "supported"
    if sources.in_facts(claim.text) or (sources.in_note(claim.text) and "colour" not in meaning):
        return None, "supported"
    for name, values in meaning.items():
        if sources.known(name):
            return min(values), "contradicted"
    for name, values in meaning.items():
        if sources.at_neighbours(name, [*values, claim.text]):
            return min(values), "copied"
    return min(next(iter(meaning.values()))), "unsupported"


def _judge_noun(
    claim: Claim, sources: Sources, category: str | None, taxonomy: Taxonomy, lexicon: Lexicon
) -> tuple[str | None, Verdict]:
    noun = plain(claim.text)
    labels = _labels(noun, lexicon.things) or frozenset()
    if category is None or category in labels or sources.in_facts(noun) or sources.in_note(noun):
        return category, "supported"
    node = taxonomy.categories.get(category)
    if node is not None and any(noun.rstrip("s") in name.lower() for name in (node.phrase, *node.synonyms)):
        return category, "supported"
    return node.phrase if node is not None else None, "contradicted"


def _labels(noun: str, names: Mapping[str, frozenset[str]]) -> frozenset[str] | None:
    """The categories that a name is right for, in the plural as well."""
    noun = plain(noun)
    return next((names[n] for n in (noun, noun.removesuffix("s"), noun.removesuffix("es")) if n in names), None)


def _judge_condition(claim: Claim, sources: Sources, lexicon: Lexicon) -> tuple[str | None, Verdict]:
    words, visible = claim.text.lower(), sources.known("condition")
    if sources.in_note(claim.text):
        return None, "supported"
    cues: set[str] = set()
    for match in lexicon.phrases.finditer(re.sub(r"^(?:no|without|free of)\s+", "", words)):
        cues |= lexicon.meaning(match[0]).get("condition", frozenset())
    denied = (
        bool(
            re.match(
                r"(?:there (?:is|are) |has |have |with |shows? )?(?:no|without|free|not|zero|absolutely no|doesn't|"
                r"does not)\b",
                words,
            )
        )
        or "free" in words
    )
    if denied:
        if "none-visible" in visible and "visible" in words:
            return "none-visible", "supported"
        return None, "contradicted" if cues & visible else "unsupported"
    if cues & visible or (
        visible - {"none-visible", "tag-attached", "creased"} and re.search(r"\bwear\b|signs of", words)
    ):
        return next(iter(cues & visible), None), "supported"
    if "tag-attached" in visible and re.fullmatch(r"new with (?:original )?tags?|bnwt|nwt", words):
        return "tag-attached", "supported"
    if cues and "none-visible" in visible:
        return min(cues), "contradicted"
    return None, "copied" if sources.at_neighbours("condition", cues) else "unsupported"


def _judge_words(claim: Claim, sources: Sources) -> Verdict:
    """Names and print: they must stand on the item, in the facts or in the note."""
    words = claim.text.strip("\"“”„«»'‘’ ")
    if sources.in_print(words) or sources.in_note(words):
        return "supported"
    if claim.kind != "text" and sources.in_facts(words):  # "creased" in quotation marks is no print
        return "supported"
    printed = (value.lower() for name in ("text", "brand", "size") for value in sources.known(name))
    if claim.kind == "text" and any(words.lower() in value for value in printed):
        return "supported"
    owner = next((brand for mark, brand in _MARK_OF.items() if mark in words.lower()), None)
    if owner and any(owner in brand.lower() for brand in sources.known("brand")):
        return "supported"
    if claim.kind == "brand" and sources.known("brand"):
        return "contradicted"
    if claim.kind == "text" and sources.known("text") and not sources.at_neighbours("text", [words]):
        return "contradicted"
    if sources.at_neighbours("brand", [words]) or sources.at_neighbours("text", [words]) or sources.near_words(words):
        return "copied"
    return "unsupported"


_SIZE_CORE = re.compile(
    r"\d+(?:[.,/]\d+)*|\b(?:xxs|xs|s|m|l|xl|xxl|xxxl|\dxl|small|medium|large|one size|petite|newborn)\b"
)
_SIZE_NAMES = {"small": "s", "medium": "m", "large": "l"}


def _size_key(words: str) -> frozenset[str]:
    return frozenset(_SIZE_NAMES.get(w, w) for w in _SIZE_CORE.findall(words.lower()))


def _judge_size(claim: Claim, sources: Sources) -> Verdict:
    key, known = _size_key(claim.text), frozenset(k for v in sources.known("size") for k in _size_key(v))
    if (
        (key and key <= known)
        or sources.in_note(claim.text)
        or (key and key <= _size_key(sources.note) and "size" in sources.note.lower())
    ):
        return "supported"
    if sources.in_print(claim.text) or sources.in_facts(claim.text):
        return "supported"
    if known:
        return "contradicted"
    near = sources.neighbours.get("size", frozenset())
    return "copied" if key and any(key <= _size_key(v) for v in near) else "unsupported"
