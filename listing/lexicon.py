"""Words of texts and what they mean: the taxonomy's phrases and ``lexicon.yaml`` as compiled patterns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import yaml

from listing.taxonomy import Taxonomy

_HERE = Path(__file__).parent
_FILE = _HERE / "lexicon.yaml"
BRAND_FILE = _HERE / "observe" / "printed" / "brands.txt"

Meanings = Mapping[str, frozenset[str]]


@dataclass(frozen=True, eq=False)
class Lexicon:
    """``meanings``: phrase -> attribute -> values.

    nouns: name of an item -> the categories that it is right for; item_names: these and the taxonomy's own.
    """

    meanings: Mapping[str, Meanings]
    phrases: re.Pattern[str]
    nouns: Mapping[str, frozenset[str]]
    noun_words: re.Pattern[str]
    item_names: Mapping[str, frozenset[str]]
    item_words: re.Pattern[str]
    brands: re.Pattern[str]
    common: frozenset[str]

    def meaning(self, words: str) -> Meanings:
        """Attribute -> values that ``words`` may stand for; shades in front of a colour are passed over."""
        key = plain(words)
        while key:
            if key in self.meanings:
                return self.meanings[key]
            _, _, key = key.partition(" ")
        return {}

    def mentions(self, text: str) -> dict[str, set[str]]:
        """Attribute -> values that a text (a note, print) speaks of."""
        mentioned: dict[str, set[str]] = {}
        for match in self.phrases.finditer(text.lower()):
            for name, values in self.meaning(match[0]).items():
                mentioned.setdefault(name, set()).update(values)
        return mentioned


def plain(words: str) -> str:
    """Lower case, hyphens and runs of blanks as one blank, curly apostrophes straight, no '-coloured'."""
    text = re.sub(r"[\s-]+", " ", words.lower().replace("’", "'")).strip()
    return text if text.startswith("two ") else re.sub(r" (?:colou?red|toned?|hued)$", "", text)


def lower(text: str) -> str:
    """In lower case, every character still at its place."""
    lowered = text.lower()
    if len(lowered) == len(text):  # as nearly always
        return lowered
    return "".join(low if len(low := c.lower()) == 1 else c for c in text)


def as_words(words: str) -> re.Pattern[str]:
    """Finds the words as whole words: "new" does not stand in "newer"."""
    left, right = (r"(?<!\w)" if words[:1].isalnum() else ""), (r"(?!\w)" if words[-1:].isalnum() else "")
    return re.compile(left + re.escape(words) + right)


def _loose(phrase: str) -> str:
    """A pattern in which a blank may be a hyphen or nothing but blanks, and an apostrophe any apostrophe."""
    return re.escape(phrase).replace(r"\ ", r"[\s-]+").replace("'", "['’]")


def _whole(alternatives: Iterator[str] | list[str], end: str = r"(?![\w])") -> str:
    return r"(?<![\w'’])(?:" + "|".join(sorted(alternatives, key=len, reverse=True)) + ")" + end


def _plurals(names: Iterable[str]) -> re.Pattern[str]:
    return re.compile(_whole([_loose(name) for name in names], r"(?:e?s)?(?![\w'’])"))


def read_brands(file: Path) -> Iterator[tuple[bool, list[str]]]:
    """(whether it is an ordinary word, its spellings) of each brand of a list such as ``brands.txt``."""
    for line in map(str.strip, file.read_text(encoding="utf-8").splitlines()):
        if line and not line.startswith("#"):
            yield line.startswith("!"), [name.strip() for name in line.lstrip("! ").split(";")]


def _brand_pattern(ordinary: Mapping[str, object]) -> re.Pattern[str]:
    """Brand names as they are written; names that are ordinary words (marked '!') need their capital."""
    names: list[str] = []
    for marked, spellings in read_brands(BRAND_FILE):
        strict = marked
        for name in spellings:
            strict = strict or plain(name) in ordinary
            if len(name) > 3 and not strict:
                names.append(f"(?i:{_loose(name)})")
            elif name:
                names.append(f"(?<![.!?]\\s)(?<!^){_loose(name)}" if strict else _loose(name))
    return re.compile(_whole(names))


def load_lexicon(taxonomy: Taxonomy) -> Lexicon:
    """The lexicon of a taxonomy's phrases, compiled once."""
    spoken = [a for a in taxonomy.in_text() if a.phrases and a.values_of is None]
    names = tuple((node.name, (node.phrase, *node.synonyms)) for node in taxonomy.leaves())
    return _compiled(tuple((a.name, tuple(a.phrases.items())) for a in spoken), names)


@lru_cache(maxsize=4)
def _compiled(
    phrases_of: tuple[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], ...],
    names: tuple[tuple[str, tuple[str, ...]], ...],
) -> Lexicon:
    raw = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    meanings: dict[str, dict[str, set[str]]] = {}
    for name, values in phrases_of:
        for value, phrases in values:
            for phrase in phrases:
                meanings.setdefault(plain(phrase), {}).setdefault(name, set()).add(value)
    colours = [p for p, names in meanings.items() if "colour" in names]
    others = [_loose(p) for p in meanings if p not in colours]
    spoken = list(others)
    shades = "|".join(map(_loose, sorted(raw["shades"], key=len, reverse=True)))
    hues = "|".join(_loose(c) for c in sorted(colours, key=len, reverse=True))
    colour = rf"(?:(?:{shades})[\s-]+)*(?:{hues})(?:[\s-](?:colou?red|toned?|hued))?"
    if colours:
        spoken.insert(0, colour)
    nouns = {plain(str(noun)): frozenset(labels) for noun, labels in raw["nouns"].items()}
    by_name: dict[str, set[str]] = {}
    for category, called in names:
        for name in map(plain, called):
            if name not in meanings:  # "tie": a closing, sooner than the item
                by_name.setdefault(name, set()).add(category)
    item_names = {name: frozenset(categories) for name, categories in by_name.items()} | nouns
    return Lexicon(
        meanings={p: {n: frozenset(v) for n, v in names.items()} for p, names in meanings.items()},
        phrases=re.compile(_whole(spoken) if spoken else r"(?!)"),
        nouns=nouns,
        noun_words=_plurals(nouns),
        item_names=item_names,
        item_words=_plurals(item_names),
        brands=_brand_pattern(meanings),
        common=frozenset((_HERE / "lexicon_words.txt").read_text(encoding="utf-8").split()),
    )


def words(name: str) -> frozenset[str]:
    """A list of ``words.yaml`` by its name; an underscore in the file stands for a blank."""
    return frozenset(word.replace("_", " ") for word in _word_lists()[name].split())


@lru_cache(maxsize=2)
def english(least: int = 0) -> frozenset[str]:
    """80,000 English words, lower case, mostly in British spelling: symspellpy's list (Google Books within SCOWL).

    Args:
        least: how often a word has to stand in those books.
    """
    name = "frequency_dictionary_en_82_765.txt"
    lines = (files("symspellpy") / name).read_text(encoding="utf-8-sig").splitlines()
    counted = (line.split() for line in lines)
    return frozenset(word for word, count in counted if int(count) >= least)


@lru_cache(maxsize=1)
def _word_lists() -> dict[str, str]:
    return yaml.safe_load((_HERE / "words.yaml").read_text(encoding="utf-8"))
