"""What a model wrote, against orders hidden in the words of others: sentences that obey are taken out.

``guard`` trusts nothing that happened before the model: it is measured with one that obeys everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from listing.lexicon import Lexicon, load_lexicon, plain, words
from listing.safety.contacts import MASK, scrub
from listing.safety.fold import fold
from listing.safety.injection import closed_up, instruction_like, without_instructions
from listing.say import ground, sentences
from listing.say.support import FactValue, NeighbourValues, letters
from listing.schema import Flag
from listing.taxonomy import Taxonomy

__all__ = ["filter_output", "guard", "known_words"]

# A text for buyers describes; it gives no orders and does not speak about itself.
_ORDERS = re.compile(
    r"(?:^|[,;:!]\s*|\b(?:please|and|or|to|now|then)\s+)(?:visit|click|contact|call|text|e?-?mail|follow|"
    r"subscribe|vote|send|pay|transfer|message|dm)\b|"
    r"\b(?:add me|buy now|order now|act now|hurry|check out|go to|look at my|see my|as an ai|"
    r"language model|system prompt|instructions?|assistant|i (?:cannot|can't|am unable)|my other (?:shop|"
    r"store|listings?)|seller on|best seller|secret|password|"
    r"hacked|pwned|lorem ipsum|this listing|admin(?:istrator)?|verified seller|limited time|last chance|"
    r"gift card|crypto|bitcoin)\b|[#{}<>\\]|\bhttps?\b",
    re.I,
)
_SENTENCES = re.compile(r"[^.!?\n]+(?:[.!?](?=\w)[^.!?\n]*)*[.!?]*\s*")
_FUNCTION = words("function")
_SHARED = 3  # so many words in a row with an order in the data are no chance
_KNOWN_SHARE = 0.6
_ROUNDS = 3


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]*\d[a-z\d]*|[a-z][a-z'’]+|[\u4e00-\u9fff]", fold(text).lower)


def _runs(words: Sequence[str], size: int) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + size]) for i in range(len(words) - size + 1)}


def _known(word: str, lexicon: Lexicon, own: frozenset[str]) -> bool:
    return (
        word in own
        or word in lexicon.common
        or word in lexicon.nouns
        or word.removesuffix("s") in lexicon.nouns
        or bool(lexicon.meaning(word))
    )


def _off_topic(sentence: str, lexicon: Lexicon, own: frozenset[str]) -> bool:
    """Whether most words that carry meaning are foreign to descriptions of things."""
    words = [w for w in re.findall(r"[^\W\d_]{3,}", plain(sentence)) if w not in _FUNCTION]
    if not words:
        return not re.search(r"\d", sentence) or bool(re.search(r"[^\w\s.,%/×x-]", sentence))
    return sum(_known(w, lexicon, own) for w in words) / len(words) < _KNOWN_SHARE


def _proven_words(lexicon: Lexicon, own: frozenset[str]) -> set[str]:
    """Words of the phrases that say a fact ('sleeves' of 'short sleeves'), and what things are called at all."""
    phrases = (phrase for phrase, names in lexicon.meanings.items() if any(own & values for values in names.values()))
    nouns = {form for noun in lexicon.nouns for word in noun.split() for form in (word, f"{word}s", f"{word}es")}
    return {word for phrase in phrases for word in phrase.split()} | nouns


def filter_output(text: str, untrusted: Iterable[str], own_words: Iterable[str] = ()) -> tuple[str, list[Flag]]:
    """Drop sentences that give orders, leave the subject, or repeat what an order in the data asked for.

    untrusted: texts from photos, notes and neighbours; own_words: words of verified facts, which may be repeated.
    """
    lexicon = load_lexicon()
    own = frozenset(w for value in own_words for w in re.findall(r"[^\W\d_]{2,}", plain(value)))
    orders = [line for source in untrusted for line in re.split(r"[\n]+", source) if instruction_like(line)]
    demanded = {run for line in orders for run in _runs(_words(line), _SHARED)}
    ordered = {w for line in orders for w in _words(closed_up(line)) if len(w) > 1 or "\u4e00" <= w <= "\u9fff"}
    proven = _proven_words(lexicon, own)
    quoted = {letters(q) for line in orders for q in re.findall(r"[\"“”'‘’«»]([^\"“”'‘’«»]{2,80})[\"“”'‘’«»]", line)}
    kept, flags = [], []
    for found in _SENTENCES.finditer(text):
        sentence = found[0]
        words = _words(sentence)
        foreign = [w for w in words if w not in own]
        repeats = any(run in demanded for run in _runs(words, _SHARED)) and len(foreign) >= 2
        # Where the data hold an order, one word of it that no fact has is enough.
        echoes = bool(ordered & {w for w in words if w not in own and w not in _FUNCTION} - proven)
        asked = any(q and q in letters(sentence) and not set(_words(q)) <= own for q in quoted)
        if (
            repeats
            or echoes
            or asked
            or _ORDERS.search(sentence.replace(MASK, ""))
            or MASK in sentence
            or _off_topic(sentence, lexicon, own)
        ):
            flags.append(
                Flag(
                    code="not-about-the-item",
                    message=f"“{sentence.strip()[:80]}” does not describe the item; it was taken out.",
                    span=found.span(),
                )
            )
        else:
            kept.append(sentence)
    return "".join(kept).strip(), flags


def known_words(title: str, own_words: Iterable[str]) -> str:
    """The title without words that neither the lexicon nor the item's own words know ("Touse", "Garnet-printed").

    A small model makes up words from print. A long text loses such a sentence to the other checks, a title has one.
    """
    lexicon = load_lexicon()
    own = frozenset(w for value in own_words for w in re.findall(r"[^\W\d_]{2,}", plain(value)))
    kept = []
    for word in title.split():
        parts = [w for w in re.findall(r"[^\W\d_]{3,}", plain(word)) if w not in _FUNCTION]
        if all(_known(part, lexicon, own) for part in parts):
            kept.append(word)
    return title if len(kept) == len(title.split()) else " ".join(kept)


def guard(
    text: str,
    facts: Mapping[str, FactValue],
    category: str | None,
    taxonomy: Taxonomy,
    note: str = "",
    ocr: Sequence[str] = (),
    neighbour_texts: Sequence[str] = (),
    neighbour_values: NeighbourValues = (),
    field: Literal["title", "description"] | None = None,
) -> tuple[str, list[Flag]]:
    """A generated text as it may be shown, with flags: no contacts, no false claims, no sentence off the subject."""
    flags: list[Flag] = []
    current = scrub(text)
    own = [str(v) for value in facts.values() for v in ([value] if isinstance(value, str) else value or ())]
    if category:
        own += [taxonomy.node(category).phrase, *taxonomy.node(category).synonyms]
    own += [without_instructions(note), *(line for line in ocr if not instruction_like(line))]
    for _ in range(_ROUNDS):
        judged = ground.verify(
            current, facts, category, taxonomy, note=note, ocr=ocr, neighbour_values=neighbour_values
        )
        mended, found = sentences.keep_supported(current, judged, field=field)
        mended, foreign = filter_output(mended, [note, *ocr, *neighbour_texts], own)
        # What they name is gone from the text that is given back: there is no place in it to point at.
        flags += [f.model_copy(update={"field": field, "span": None}) for f in [*found, *foreign]]
        if mended == current:
            break
        current = mended
    return current, flags
