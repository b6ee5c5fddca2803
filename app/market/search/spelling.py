"""Words of a search as our lexicon writes them: other languages, compounds, slips of the pen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from symspellpy import SymSpell, Verbosity

from app.market.search.names import kinds, languages, numbers, synonyms, word_lists
from listing.lexicon import BRAND_FILE, english, load_lexicon, plain, read_brands
from listing.taxonomy import load_taxonomy

HEAD_FIRST = ("fr", "es", "it")  # languages in which "jupe en jean" is a skirt
_DISTANCE = 2
_LONGEST_PHRASE = 5  # words, as in "t-shirt à manches longues"
_SHORTEST_PART, _SHORTEST_HEAD, _SHORTEST_JOINED = 3, 4, 7  # letters, of a compound's parts and of joined words
_SHORTEST_BRAND, _LONG_BRAND, _LONGEST_BRAND = 5, 7, 3  # letters of one that may be misspelt, once or twice; words
_LONG_WORD = 8  # letters of a brand that is a word, too, and may be misspelt
_COMMON = 250_000  # times in Google Books; a rarer word may be a slip of a brand ("rebook") or another language's
_LINKS = ("", "s", "n", "en", "er", "e")  # letters between the parts of a German compound


@lru_cache(maxsize=1)
def small_words() -> frozenset[str]:
    """Words that say nothing, such as articles."""
    return frozenset(word_lists()["small"].split())


def read_words(typed: Sequence[str]) -> tuple[list[str], str]:
    """The words as our lexicon writes them, and the language that they are of, "" for English."""
    words = list(_phrases(typed))
    language = _language(words)
    if not language:
        words = list(_joined(words))
    return [token for word in words for token in _spelt(word, language)], language


def nearest_brand(text: str) -> tuple[str, str] | None:
    """The brand that words nearly are ("addidas", "nort face"), and the text without them; None for none.

    A word that is of a language, or nearer to the name of a thing, is no slip of a brand.
    """
    words = text.split()
    for length in range(_LONGEST_BRAND, 0, -1):
        for at in range(len(words) - length + 1):
            part = words[at : at + length]
            name = " ".join(plain(word) for word in part)
            if len(name) < _SHORTEST_BRAND or not any(map(_unknown, part)) or any(map(str.isdigit, name)):
                continue
            slips = 1 if len(name) < _LONG_BRAND else _DISTANCE
            found = [
                x
                for x in _brands()[1].lookup(name, Verbosity.CLOSEST, max_edit_distance=_DISTANCE)
                if x.term[0] == name[0] and (x.distance <= slips or set(x.term) == set(name))
            ]
            things = _vocabulary()[1].lookup(name, Verbosity.TOP, max_edit_distance=_DISTANCE)
            rival = min((x.distance + (x.term[0] != name[0]) for x in things), default=_DISTANCE + 1)
            if found and found[0].distance < rival:
                return _brands()[0][found[0].term][0], " ".join([*words[:at], *words[at + length :]])
    return None


def spellings(brand: str) -> list[str]:
    """All ways to write a brand, in small letters."""
    return [name.lower() for name in _brands()[0].get(plain(brand), [brand])] + [brand.lower()]


@lru_cache(maxsize=1)
def _brands() -> tuple[dict[str, list[str]], SymSpell]:
    """Spellings by each of them, and what finds the nearest of those that are no ordinary words, or long ones."""
    by_name: dict[str, list[str]] = {}
    speller = SymSpell(max_dictionary_edit_distance=_DISTANCE)
    for ordinary, names in read_brands(BRAND_FILE):
        for name in names:
            by_name[plain(name)] = names
            if len(plain(name)) >= (_LONG_WORD if ordinary else _SHORTEST_BRAND - 1):
                speller.create_dictionary_entry(plain(name), 1)
    return by_name, speller


def _unknown(word: str) -> bool:
    """Whether it is of no language that we know."""
    bare = word.lower().strip("'’.,")
    foreign = any(bare in words for words in languages().values())
    return bare.isalpha() and not (bare in english(_COMMON) or foreign or _in_lexicon(bare) or bare in small_words())


def _phrases(words: Sequence[str]) -> Iterator[str]:
    """Single words, and with hyphens between them those that together have a translation ("sac à main")."""
    at = 0
    while at < len(words):
        longest = range(min(_LONGEST_PHRASE, len(words) - at), 1, -1)
        phrases = (
            (n, link.join(words[at : at + n]).replace("’", "'")) for n in longest for link in ("-", "")[: 1 + (n == 2)]
        )
        length, phrase = next(
            (p for p in phrases if any(p[1] in words_of for words_of in languages().values())), (1, words[at])
        )
        yield phrase
        at += length


def _joined(words: list[str]) -> Iterator[str]:
    """Single words, and in one those that are the name of a thing only together ("sun glases", "rain coat")."""
    at = 0
    while at < len(words):
        name = _one_word(words[at], words[at + 1]) if at + 1 < len(words) else ""
        yield name or words[at]
        at += 2 if name else 1


@lru_cache(maxsize=5_000)
def _one_word(first: str, second: str) -> str:
    """The name of a thing that two words are, or nearly are, in one; "" for none."""
    word = first + second
    too_short = min(len(first), len(second)) < _SHORTEST_PART or len(word) < _SHORTEST_JOINED
    if too_short or not word.isalpha() or kinds(f"{first} {second}"):
        return ""
    if kinds(word):
        return word
    if second in english() or _in_lexicon(second):
        return ""
    nearest = _vocabulary()[1].lookup(word, Verbosity.TOP, max_edit_distance=1)
    return nearest[0].term if nearest and nearest[0].term.startswith(first) and kinds(nearest[0].term) else ""


@lru_cache(maxsize=1)
def _vocabulary() -> tuple[frozenset[str], SymSpell]:
    """Single words that name items and facts, and what finds the nearest of them."""
    lexicon = load_lexicon(load_taxonomy())
    foreign = {word for words in languages().values() for word in words if word.isalpha()}
    phrases = [*lexicon.item_names, *lexicon.meanings, *synonyms(), *synonyms().values()]
    words = frozenset(word for phrase in phrases for word in phrase.split() if len(word) > 1)
    speller = SymSpell(max_dictionary_edit_distance=_DISTANCE)
    for word in sorted(words | foreign):
        speller.create_dictionary_entry(word, 3 if word in lexicon.item_names else 2 if word in words else 1)
    return words, speller


def _in_lexicon(word: str) -> bool:
    """Whether the lexicon has it, in the singular or the plural."""
    return not _vocabulary()[0].isdisjoint(numbers(word))


def _language(words: list[str]) -> str:
    """The language of which all words are, or one that is no English word; "" for English.

    So "rote Jacke" is German, and neither "garden hose" nor "rock climbing shoes" is.
    """
    spoken = [word for word in words if word not in small_words()]
    best, score = "", 0
    for language, translations in languages().items():
        translated = [word for word in spoken if word in translations]
        foreign = [word for word in translated if word not in english(_COMMON)]
        all_of_them = len(translated) == len(spoken) > 0 and not all(w in _vocabulary()[0] for w in translated)
        if (all_of_them or foreign) and len(translated) + len(foreign) > score:
            best, score = language, len(translated) + len(foreign)
    return best


def _spelt(word: str, language: str) -> list[str]:
    """The word as the lexicon writes it: of another language, or the nearest to one that nobody knows."""
    words, speller = _vocabulary()
    translations = languages().get(language, {})
    if word in translations:
        return translations[word].split()
    bare = word.strip("'’")
    parts = plain(bare).split()
    if (
        word in words
        or _in_lexicon(bare)
        or bare in english()
        or len(parts) > 1
        or len(bare) < 4
        or bare in small_words()
    ):
        return parts
    compound = _compound(bare) if language in ("", "de") else []
    most = 1 if len(bare) < 6 else _DISTANCE
    near = [] if compound else speller.lookup(bare, Verbosity.CLOSEST, max_edit_distance=most)
    nearest = [x for x in near if x.distance == 1 or x.term[0] == bare[0]]  # "sommer" is no "hammer"
    if not nearest:
        return compound or [bare]
    term = nearest[0].term
    return next((w[term].split() for w in languages().values() if term in w and term not in words), [term])


@lru_cache(maxsize=5_000)
def _compound(word: str) -> list[str]:
    """What both parts of a German or English compound mean, the thing itself last; empty where it is none."""
    german = languages()["de"]

    def meaning(part: str) -> str:
        return german.get(part) or (part if part in _vocabulary()[0] else "")

    for start in range(_SHORTEST_PART, len(word) - _SHORTEST_HEAD + 1):
        head, before = meaning(word[start:]), word[:start]
        if not head or not kinds(head):
            continue
        stems = [before.removesuffix(link) for link in _LINKS if before.endswith(link)]
        stem = next((s for s in stems if len(s) >= _SHORTEST_PART and (meaning(s) or s in english())), "")
        if stem:
            return [*(meaning(stem) or stem).split(), *head.split()]
    return []
