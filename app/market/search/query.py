"""Meaning of the words of a search: kind of item, facts, size, price, words left over.

Words are read through the listing's own lexicon (``spelling``).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from app.market.search.names import kinds, synonyms, word_lists
from app.market.search.spelling import HEAD_FIRST, nearest_brand, read_words, small_words, spellings
from listing.lexicon import load_lexicon, plain
from listing.taxonomy import load_taxonomy

_NO_UNIT = r"(?![\d.,]*\s*(?:cm|mm|m|kg|g|l|gb|w|inch|inches|months?|years?|y)\b)"
# The max of "Air Max 90" and "iPhone 13 Pro Max 256" is a name.
_LESS = r"""(?:\b(?:under|below|(?<!air )(?<!pro )(?<!mad )max(?:imum)?|up to|less than|at most|cheaper than|bis|unter|
moins de|jusqu'à|menos de|hasta|meno di|fino a|(?:not?|nicht|pas|non?) (?:more|mehr|plus|más|più) (?:than|als|de|di)|
weniger als|höchstens)\b|<)""".replace("\n", "")
_MORE = r"(?:\b(?:over|above|min(?:imum)?|more than|at least|über|ab|mindestens|mehr als|plus de|más de|più di)\b|>)"
_MONEY = r"\s*[€£$]?\s*(\d{1,6}(?:[.,]\d{1,2})?)\s*(?:€|euros?|eur|£|pounds?|\$|dollars?)?"
_MOST = re.compile(_LESS + _MONEY + _NO_UNIT, re.I)
_TO = r"\s*(?:-|–|to|and|bis|und|à|et|a|y|e)\s*"
_RANGE = re.compile(
    rf"\b(?:between|from|zwischen|von|entre|de|tra|fra|da){_MONEY}{_TO}{_MONEY}{_NO_UNIT}"
    rf"|(?<![\d.,-]){_MONEY}{_TO}{_MONEY}(?<=[€£$sr])(?!\w)",
    re.I,
)
_LEAST = re.compile(_MORE + _MONEY + _NO_UNIT, re.I)
_LETTERS = r"(?:xxs|xs|s|m|l|xl|xxl|xxxl|[2-6]xl|(?:extra|x)[ -]?(?:small|large))"
_NAMED_SIZE = r"\b(?:size|eu|uk|größe|grösse|gr|taille|pointure|talla|taglia)[\s:.-]+"
_APART = r"(?<![\w'’&-])(?<!& )", r"(?![\w'’&-]| &|\.\w)"  # the letters of "M&S" and "s.Oliver" are no sizes
_BARE_SIZE = rf"\b(w\s?\d\d)(?:\s*[/x]?\s*l\s?\d\d)?\b|{_APART[0]}({_LETTERS}){_APART[1]}"
_NAMES_OF_SIZES = {"SMALL": "S", "MEDIUM": "M", "LARGE": "L"}
_EXTRA = re.compile("(?:EXTRA|X)-?([SL])(?:MALL|ARGE)")
_SIZE = re.compile(rf"{_NAMED_SIZE}([\w/.,-]*\w)|\bin (\d\d)\b(?!\s*(?:cm|mm|kg|inch))|{_BARE_SIZE}", re.I)
_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*['’]?")
_NOT_TOO = re.compile(r"\b(?:not|nicht|pas|non?) (?:too|so|zu|trop|muy|demasiado|troppo) \w+", re.I)  # no wish
_LONGEST, _MOST_BARRED = 3, 4  # words of a name; phrases of what is not wanted
_FACTS = ("colour", "pattern", "material", "audience", "sleeve", "neckline", "closure")
_WITHOUT = "without"
GRADE = "condition_grade"
TURNABLE = (*_FACTS, GRADE, "brand", "size", "price", "without")  # readings of words that a buyer can take off


@dataclass(frozen=True)
class Query:
    """kinds: category -> how well its name fits (0..1). name: the item's name. facts: attribute -> values it may have.

    ``stated``: attribute -> as it was typed. ``words`` are left over, to be looked for as they are; those of ``soft``
    are nice to have. ``barred``: phrases of what is not wanted, and the facts that they mean. ``spelt`` is the text as
    it was read, ``typed`` its words as they were typed.
    """

    kinds: Mapping[str, float] = field(default_factory=dict)
    name: str = ""
    facts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    stated: Mapping[str, str] = field(default_factory=dict)
    size: str = ""
    least: float | None = None
    most: float | None = None
    words: tuple[str, ...] = ()
    soft: tuple[str, ...] = ()
    barred: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    spelt: str = ""
    typed: tuple[str, ...] = ()

    @property
    def sizes(self) -> tuple[str, ...]:
        """How listings may write the size: 32 also W32."""
        return tuple(filter(None, (self.size, f"W{self.size}" if self.size.isdecimal() else "")))

    @property
    def literal(self) -> Query | None:
        """The same with its words as they were typed; None where they were read as nothing else."""
        words = tuple(plain(word) for word in self.typed if word not in small_words())
        read = set(self.spelt.split())
        if all(read.issuperset(word.split()) for word in words):
            return None
        brand = {name: values for name, values in self.facts.items() if name == "brand"}
        return Query(facts=brand, stated=self.stated, size=self.size, words=words)

    @property
    def limits(self) -> dict[str, str]:
        """What the words narrow the search to, in people's words, by what can be taken off."""
        prices = [f"from {self.least:g}"] if self.least is not None else []
        prices += [f"up to {self.most:g}"] if self.most is not None else []
        size = {"size": f"size {self.size}"} if self.size else {}
        barred = ", ".join(f"{'not' if 'colour' in of else 'without'} {said}" for said, of in self.barred.items())
        return {
            **self.stated,
            **({"without": barred} if barred else {}),
            **size,
            **({"price": " ".join(prices)} if prices else {}),
        }


def understand(text: str, off: Collection[str] = ()) -> Query:
    """The meaning of a search. off: names of ``TURNABLE`` whose words are passed over."""
    brand, text = _brand(_NOT_TOO.sub(" ", text))  # before sizes: the M of H&M is none
    text, least, most = _prices(text)
    size, text = _size(text)
    typed = _WORD.findall(text.lower())
    negations = word_lists()["without"].split()
    tokens, language = read_words([_WITHOUT if word in negations else word for word in typed])
    tokens, barred = _barred(tokens)
    grade, tokens = _condition(tokens)
    name, others = _named(tokens, head_first=language in HEAD_FIRST)
    size = size or _bare_number(tokens, others, name)
    facts, stated, left = _facts([word for word in others if word != size])
    if grade:
        facts[GRADE], stated[GRADE] = frozenset(word_lists()["grades"][grade]), grade
    if brand:
        facts["brand"], stated["brand"] = frozenset([*spellings(brand), brand.lower().replace(" & ", "&")]), brand
    words = [word for word in left if word not in small_words()]
    soft = set(word_lists()["soft"].split())
    on = {n: v for n, v in facts.items() if n not in off}
    return Query(
        kinds=kinds(name) if name else {},
        name=name,
        facts=on,
        stated={n: stated[n] for n in on},
        size=size if "size" not in off else "",
        least=least if "price" not in off else None,
        most=most if "price" not in off else None,
        words=tuple(word for word in words if word not in soft),
        soft=tuple(word for word in words if word in soft),
        barred=barred if "without" not in off else {},
        typed=tuple(word for word in typed if not barred or plain(word) in tokens),
        spelt=" ".join([*([brand] if brand else []), *tokens]),
    )


def _brand(text: str) -> tuple[str, str]:
    """The brand, "" for none, and the text without it."""
    titled = text.title()
    match = load_lexicon(load_taxonomy()).brands.search(text)
    if match is None and len(titled) == len(text):  # else places in it are none in the text
        match = load_lexicon(load_taxonomy()).brands.search(titled)
    if match is None and (nearest := nearest_brand(text)):
        return nearest
    return (match[0], f"{text[: match.start()]} {text[match.end() :]}") if match else ("", text)


def _size(text: str) -> tuple[str, str]:
    """The size, "" for none, and the text without sizes."""
    match = _SIZE.search(text)
    size = next(filter(None, match.groups()), "").upper().replace(" ", "") if match else ""
    return _NAMES_OF_SIZES.get(size, _EXTRA.sub(r"X\1", size)), _SIZE.sub(" ", text)


def _bare_number(tokens: list[str], others: list[str], name: str) -> str:
    """The size that stands right behind the name of a piece of clothing ("shoes 42", "jeans 32"), "" for none."""
    worn = any(load_taxonomy().node(kind).path[0] == "Clothing" for kind in kinds(name)) if name else False
    behind = (b for a, b in pairwise(tokens) if worn and a not in others and b in others)
    return next((number for number in behind if number.isdecimal() and len(number) in (2, 3)), "")


def _prices(text: str) -> tuple[str, float | None, float | None]:
    """The text without prices, the lowest and the highest one."""
    if span := _RANGE.search(text):
        low, high = (float(x.replace(",", ".")) for x in span.groups() if x)
        return _RANGE.sub(" ", text), min(low, high), max(low, high)
    text, most = _price(_MOST, text)
    text, least = _price(_LEAST, text)
    return text, least, most


def _price(pattern: re.Pattern[str], text: str) -> tuple[str, float | None]:
    match = pattern.search(text)
    return pattern.sub(" ", text), float(match[1].replace(",", ".")) if match else None


def _condition(tokens: list[str]) -> tuple[str, list[str]]:
    """The condition asked for and the other words; "new" in a name ("New York") is none."""
    text = f" {' '.join(tokens)} "
    for grade, phrases in word_lists()["condition"].items():
        for phrase in sorted(phrases, key=len, reverse=True):
            before, separator, after = text.partition(f" {phrase} ")
            if separator and after.split(" ", 1)[0] not in word_lists()["not_new"]:
                return grade, f"{before} {after}".split()
    return "", tokens


def _barred(tokens: list[str]) -> tuple[list[str], dict[str, dict[str, frozenset[str]]]]:
    """The words without what stands behind a "without", and that with the facts that it means."""
    left: list[str] = []
    barred: dict[str, dict[str, frozenset[str]]] = {}
    behind = False
    for phrase in _phrases(tokens):
        if phrase == _WITHOUT or (behind and phrase in small_words()):
            behind = True
        elif behind and phrase[0].isalpha() and len(barred) < _MOST_BARRED:
            meaning = load_lexicon(load_taxonomy()).meaning(phrase)
            barred[phrase], behind = {n: v for n, v in meaning.items() if n in _FACTS}, False
        else:
            left += phrase.split()
            behind = False
    return left, barred


def _named(tokens: list[str], *, head_first: bool = False) -> tuple[str, list[str]]:
    """The item's name and the other words; the last name before a "with" or "for" counts, or the first one."""
    no_names = small_words() | frozenset(word_lists()["no_names"].split())
    for others in (frozenset(word_lists()["last_names"].split()), frozenset[str]()):  # "denim skirt short" is a skirt
        if found := _name_but(tokens, no_names | others, head_first=head_first):
            return found
    return "", tokens


def _name_but(tokens: list[str], no_names: Collection[str], *, head_first: bool) -> tuple[str, list[str]] | None:
    """The same with names that are none; None where there is no name."""
    end = next((i for i, token in enumerate(tokens) if token in ("with", "for", "like")), len(tokens)) or len(tokens)
    for place in range(end):
        for length in range(_LONGEST, 0, -1):
            start = place if head_first else end - place - length
            stop = start + length
            if start < 0 or stop > end:
                continue
            phrase = " ".join(tokens[start:stop])
            name = synonyms().get(phrase, phrase)
            if phrase not in no_names and kinds(name):
                return name, [*tokens[:start], *tokens[stop:]]
    return None


def _facts(tokens: list[str]) -> tuple[dict[str, frozenset[str]], dict[str, str], list[str]]:
    """Attribute -> values (either, of "green or olive"), attribute -> as it was typed, and the words that say none."""
    lexicon, left = load_lexicon(load_taxonomy()), list[str]()
    facts: dict[str, frozenset[str]] = {}
    stated: dict[str, str] = {}
    either = False
    for phrase in _phrases(tokens):
        meaning = {n: v for n, v in lexicon.meaning(phrase).items() if n in _FACTS}
        name = next((n for n in _FACTS if n in meaning and (either or n not in facts)), None)
        if name is None:
            left += phrase.split()
        elif name in facts:
            facts[name], stated[name] = facts[name] | meaning[name], f"{stated[name]} or {phrase}"
        else:
            facts[name], stated[name] = meaning[name], phrase
        either = phrase in ("or", "oder", "ou")
    return facts, stated, left


def _phrases(tokens: list[str]) -> Iterator[str]:
    """The words in groups that the lexicon has a meaning for, the longest first, and single ones."""
    meanings, at = load_lexicon(load_taxonomy()).meanings, 0
    while at < len(tokens):
        longest = range(min(_LONGEST, len(tokens) - at), 1, -1)
        length = next((n for n in longest if plain(" ".join(tokens[at : at + n])) in meanings), 1)
        yield " ".join(tokens[at : at + length])
        at += length
