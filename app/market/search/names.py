"""Names of things: which are the same, which are wider, and what a listing is called."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from listing.lexicon import english, load_lexicon, plain
from listing.taxonomy import CategoryNode, load_taxonomy

_FILE = Path(__file__).with_name("words.yaml")
_OTHER_LANGUAGES = Path(__file__).with_name("translations.yaml")
_AFTER = (" with ", " without ", " for ", " in ", ",")  # what stands behind them is not the thing itself
SAME, NARROWER, WIDER, RELATED = 1.0, 0.9, 0.6, 0.4  # how well a listing's name fits the one asked for
_STEP = 0.05  # less for each step to a still wider name
_LONGEST_CHAIN, _LONGEST_NAME = 4, 3
_PLURALS = ("ves", "f"), ("ves", "fe"), ("ies", "y")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
# Of what stands before them there is a picture, and no such thing: "dress with bicycle print".
PICTURES = r"(?:prints?|printed|embroidery|embroidered|motifs?|patterns?|graphics?|logos?|patch)\b"
_PICTURED = re.compile(rf"\b[\w-]+ {PICTURES}")
_NO_WORD = re.compile(r"[^\w\s'’-]+")


@lru_cache(maxsize=1)
def word_lists() -> dict[str, Any]:
    """The lists of ``words.yaml``."""
    lists: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return lists


@lru_cache(maxsize=1)
def languages() -> Mapping[str, Mapping[str, str]]:
    """Language -> its word, or its words with hyphens between them -> the name here. Accents may be left out."""
    lists: dict[str, dict[str, str]] = word_lists()["languages"]
    translations: dict[str, list[str]] = yaml.safe_load(_OTHER_LANGUAGES.read_text(encoding="utf-8"))
    by_language: dict[str, dict[str, str]] = {}
    for place, (language, meanings) in enumerate(lists.items()):
        forms = {form: name for name, words in meanings.items() for form in words.split()}
        forms = {form: name for name, words in translations.items() for form in words[place].split()} | forms
        bare = {plain_form: name for form, name in forms.items() for plain_form in _without_accents(form)}
        by_language[language] = {form: name for form, name in bare.items() if form not in english()} | forms
    return by_language


def _without_accents(form: str) -> set[str]:
    """As people type it on a keyboard without the accents: "kuhlschrank", "kuehlschrank"."""
    letters = (unicodedata.normalize("NFKD", text) for text in (form.replace("ß", "ss"), form.translate(_UMLAUTS)))
    return {"".join(c for c in text if not unicodedata.combining(c)) for text in letters}


@lru_cache(maxsize=1)
def synonyms() -> Mapping[str, str]:
    """Name -> the one that stands for it."""
    return {plain(other): name for name, others in word_lists()["same"].items() for other in others}


@lru_cache(maxsize=1)
def _wider() -> Mapping[str, str]:
    """Name -> the next wider one; the taxonomy's where the list has none."""
    of_leaves = {
        plain(synonym): plain(node.phrase)
        for node in load_taxonomy().leaves()
        for synonym in node.synonyms
        if node.path[0] == "Clothing"  # other leaves' synonyms are other names of the same
    }
    listed = {plain(one): name for name, narrower in word_lists()["kind_of"].items() for one in narrower}
    return {**of_leaves, **listed}


@lru_cache(maxsize=20_000)
def canonical(name: str) -> str:
    """The name in the singular or as the lexicon has it, synonyms by the one that stands for them."""
    name = plain(name)
    nouns = load_lexicon(load_taxonomy()).item_names
    for spelling in numbers(name):
        if spelling in synonyms():
            return synonyms()[spelling]
        if spelling in nouns:
            return _of_leaf(spelling)
    return name


def _of_leaf(name: str) -> str:
    """Of goods other than clothes the phrase of the leaf that has the name; a synonym means the same there."""
    node = load_taxonomy().find(name)
    if node is None or node.path[0] == "Clothing" or node.members:
        return name
    return synonyms().get(plain(node.phrase), plain(node.phrase))


@lru_cache(maxsize=20_000)
def chain(name: str) -> tuple[str, ...]:
    """The canonical name and wider ones: "office chair", "chair"."""
    names = [canonical(name)]
    while len(names) < _LONGEST_CHAIN:
        last = names[-1]
        head = last.rpartition(" ")[2] if last not in ("t shirt",) else ""
        wider = _wider().get(last) or (head if head != last and _may_be(last, head) else "")
        if not wider or canonical(wider) in names:
            break
        names.append(canonical(wider))
    return tuple(names)


def _may_be(name: str, head: str) -> bool:
    """Whether a thing is what the last word of its name says: a punching bag is none of the bags."""
    of_name, of_head = find_node(name), find_node(head)
    return of_head is not None and not (of_name and of_head.members and of_name.name not in of_head.members)


@lru_cache(maxsize=5_000)
def find_node(name: str) -> CategoryNode | None:
    """The category or group of that name, in whatever number and with or without hyphens."""
    spellings = (each for n in numbers(name) for each in (n, n.replace(" ", "-")))
    return next((n for n in map(load_taxonomy().find, spellings) if n is not None), None)


@lru_cache(maxsize=50_000)
def names_in(text: str) -> tuple[str, ...]:
    """The name of the thing that a title or a type speaks of, and wider ones; empty where there is none.

    It is the last one before "with" and the like, else the first one.
    """
    text = text.lower()
    ends = [at for at in map(text.find, _AFTER) if at > 0]
    before = plain(_NO_WORD.sub(" ", text[: min(ends, default=len(text))])).split()
    words = plain(_NO_WORD.sub(" ", _PICTURED.sub(" ", text))).split()
    last = next((n for stop in range(len(before), 0, -1) if (n := _name_until(before, stop))), "")
    name = last or next((n for stop in range(1, len(words) + 1) if (n := _name_until(words, stop))), "")
    return chain(name) if name else ()


def _name_until(words: list[str], stop: int) -> str:
    """The longest name that ends before the place ``stop``; "" for none."""
    known = load_lexicon(load_taxonomy()).item_names, synonyms(), _wider()
    for start in range(max(0, stop - _LONGEST_NAME), stop):
        name = " ".join(words[start:stop])
        if any(one in names for one in numbers(name) for names in known):
            return name
    return ""


def closeness(name: str, called: tuple[str, ...], of_category: float) -> float:
    """How well a listing's names fit the one asked for. ``of_category``: how well its category does (0..1)."""
    asked, *wider = chain(name)
    if asked in called:
        return SAME if called[0] == asked else NARROWER
    if called and called[0] in wider:
        return WIDER - _STEP * wider.index(called[0])
    return RELATED if of_category == 1.0 or any(name in called for name in wider) else 0.0


def is_name(phrase: str) -> bool:
    """Whether things are called so, as the lexicon, the taxonomy or the lists know."""
    lists = word_lists()
    listed = (synonyms(), _wider(), lists["same"], lists["kind_of"], load_lexicon(load_taxonomy()).item_names)
    return any(n in names for n in numbers(plain(phrase)) for names in listed) or find_node(plain(phrase)) is not None


def kinds(name: str) -> dict[str, float]:
    """Categories by how well they are called so: by their own name 1, else a half; none for what is no name."""
    if not is_name(name):
        return {}
    nouns = load_lexicon(load_taxonomy()).item_names
    node = find_node(name) or find_node(canonical(name))
    right = dict.fromkeys([node.name, *node.members], 1.0) if node is not None else {}
    lenient = (nouns[n] for one in (name, *chain(name)) for n in numbers(plain(one)) if n in nouns)
    return {**dict.fromkeys(sorted(next(lenient, frozenset())), 0.5), **right}


def numbers(name: str) -> tuple[str, ...]:
    """A name as it stands, and in the singular and the plural as far as the ending tells."""
    irregular = [f"{name[: -len(many)]}{one}" for many, one in _PLURALS if name.endswith(many)]
    spellings = name, name.removesuffix("s"), name.removesuffix("es"), *irregular, f"{name}s"
    return tuple(dict.fromkeys(filter(None, spellings)))
