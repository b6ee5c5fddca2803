"""The check of a generated text: its statements against facts, note and print, and against orders hidden in these.

A sentence with a statement that nothing supports goes as a whole, and so does one that gives orders, leaves the subject
or repeats what an order in the data asked for. Nothing that happened before the model is trusted: the check is measured
with a model that obeys everything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from listing.lexicon import Lexicon, Meanings, load_lexicon, plain, words
from listing.observe.printed.labels import LETTERS
from listing.safety.contacts import MASK, scrub
from listing.safety.fold import fold
from listing.safety.injection import closed_up, instruction_like, without_instructions
from listing.say.statements import (
    PERCENT,
    PRINT_WORDS,
    FactValue,
    Statement,
    Support,
    Verdict,
    categories_of,
    everyday,
    find_statements,
    gather,
    letters,
    listed_values,
    split,
)  # fmt: skip
from listing.schema import Flag, TextField
from listing.taxonomy import Taxonomy

Judgement = tuple[str | None, Verdict]  # the taxonomy's word for a statement

MESSAGES = {
    "unsupported": "Nothing in the photos or your words supports “{}”; it was taken out.",
    "contradicted": "“{}” does not agree with what was verified; it was taken out.",
    "prohibited": "“{}” cannot be stated in a listing that was written for you; it was taken out.",
}
_OFF_TOPIC = "“{}” does not describe the item; it was taken out."
_FUNCTION = words("function")
_NARROWER = {"blue": frozenset(("navy", "light-blue")), "green": frozenset(("olive",))}
_OWNERS = {  # of marks
    **{"swoosh": "nike", "stripes": "adidas", "jumpman": "jordan", "crocodile": "lacoste", "alligator": "lacoste"},
    **{"medusa": "versace", "player": "ralph lauren"},
}
_DENIED = re.compile(
    r"(?:there (?:is|are) |has |have |with |shows? )?(?:no|without|free|not|zero|absolutely no|doesn't|does not)\b|"
    r".*free"
)
_NO_SIGNS = frozenset(("none-visible", "tag-attached", "creased"))
_SIZE = re.compile(rf"\d+(?:[.,/]\d+)*|\b(?:{LETTERS.lower()}|\dxl|small|medium|large|one size|petite|newborn)\b")
_SIZE_NAMES = {"small": "s", "medium": "m", "large": "l"}
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
_QUOTED = re.compile(r"[\"“”'‘’«»]([^\"“”'‘’«»]{2,80})[\"“”'‘’«»]")
_SHARED = 3  # so many words in a row with an order in the data are no chance
_MIN_EVERYDAY_SHARE = 0.6
_ROUNDS = 3


def verify(
    text: str,
    facts: Mapping[str, FactValue],
    category: str | None,
    taxonomy: Taxonomy,
    note: str = "",
    ocr: Sequence[str] = (),
) -> list[Statement]:
    """Every statement of a generated text with its verdict.

    facts: attribute -> verified value (several: a sequence, or one string with commas).
    note, ocr: the seller's words and the print in the photos; they support what they say.
    """
    lexicon = load_lexicon(taxonomy)
    judge = _Judge(gather(lexicon, facts, note, ocr), category, taxonomy, lexicon)
    judged = ((s, judge.judge(s)) for s in find_statements(text, lexicon))
    return [replace(s, value=value, verdict=verdict) for s, (value, verdict) in judged]


@dataclass(frozen=True)
class _Judge:
    """Verdicts on the statements of one text."""

    support: Support
    category: str | None
    taxonomy: Taxonomy
    lexicon: Lexicon

    def judge(self, statement: Statement) -> Judgement:
        """The taxonomy's word for what it states, and the verdict."""
        kind, text = statement.kind, statement.text
        if kind in self.lexicon.prohibited | self.lexicon.always:
            allowed = kind not in self.lexicon.always and self.support.in_note(text)
            return None, "supported" if allowed else "prohibited"
        by_kind: Mapping[str, Callable[[str], Judgement]] = {
            **{"category": self._noun, "condition": self._condition, "size": self._size},
            **dict.fromkeys(("brand", "text", "name"), lambda words: self._words(kind, words)),
        }
        if kind in by_kind:
            return by_kind[kind](text)
        meaning = self.lexicon.meaning(text)
        if PERCENT.fullmatch(text):
            return None, self._shares(text, meaning)
        return self._value(text, meaning) if meaning else (None, self._other(text))

    def _other(self, text: str) -> Verdict:
        """The verdict on statements that no value of the taxonomy is for: features, origin."""
        named = self.category is not None and text.lower() in self.taxonomy.node(self.category).phrase
        support = self.support
        if named or support.in_note(text) or support.in_facts(text) or support.in_print(text):
            return "supported"
        return "unsupported"

    def _shares(self, text: str, meaning: Meanings) -> Verdict:
        """Shares of a fibre, which a label or the seller has to state."""
        if self.support.in_print(text) or self.support.in_note(text):
            return "supported"
        materials = self.support.values("material")
        return "contradicted" if materials and not materials & meaning.get("material", frozenset()) else "unsupported"

    def _value(self, text: str, meaning: Meanings) -> Judgement:
        """An attribute value; words with several meanings (lace: pattern, material) need only one of them."""
        support, words = self.support, plain(text)
        for name, values in meaning.items():
            hit = values & (support.values(name) | support.mentioned.get(name, set()))
            narrower = _NARROWER.get(words, frozenset()) if name == "colour" else frozenset()
            if hit or narrower & support.values(name):
                return next(iter(hit), None), "supported"
        printed = support.values("pattern") - {"solid", "melange"} or support.values("text")
        if ("pattern" in meaning and words in PRINT_WORDS and printed) or support.in_facts(text):
            return None, "supported"
        if "colour" not in meaning and support.in_note(text):
            return None, "supported"
        for name, values in meaning.items():
            if support.values(name):
                return min(values), "contradicted"
        return min(next(iter(meaning.values()))), "unsupported"

    def _noun(self, text: str) -> Judgement:
        """The name of an item."""
        noun, category = plain(text), self.category
        labels = categories_of(noun, self.lexicon.item_names) or frozenset()
        if category is None or self.support.in_facts(noun) or self.support.in_note(noun):
            return category, "supported"
        node = self.taxonomy.node(category)
        if noun == plain(node.phrase) or category in labels:
            return category, "supported"
        if any(noun.rstrip("s") in name.lower() for name in (node.phrase, *node.synonyms)):
            return category, "supported"
        return node.phrase, "unsupported" if labels & {*node.members} else "contradicted"

    def _condition(self, text: str) -> Judgement:
        """Signs of wear, or that there are none."""
        words, visible = text.lower(), self.support.values("condition")
        if self.support.in_note(text):
            return None, "supported"
        matches = self.lexicon.phrases.finditer(re.sub(r"^(?:no|without|free of)\s+", "", words))
        cues = {cue for m in matches for cue in self.lexicon.meaning(m[0]).get("condition", ())}
        if _DENIED.match(words):
            if "none-visible" in visible and "visible" in words:
                return "none-visible", "supported"
            return None, "contradicted" if cues & visible else "unsupported"
        if cues & visible or (visible - _NO_SIGNS and re.search(r"\bwear\b|signs of", words)):
            return next(iter(cues & visible), None), "supported"
        if "tag-attached" in visible and re.fullmatch(r"new with (?:original )?tags?|bnwt|nwt", words):
            return "tag-attached", "supported"
        if cues and "none-visible" in visible:
            return min(cues), "contradicted"
        return None, "unsupported"

    def _words(self, kind: str, text: str) -> Judgement:
        """Names and print: they must stand on the item, in the facts or in the note."""
        support, words = self.support, text.strip("\"“”„«»'‘’ ")
        printed = (value.lower() for name in ("text", "brand", "size") for value in support.values(name))
        owners = [owner for mark, owner in _OWNERS.items() if mark in words.lower()][:1]
        if support.in_print(words) or support.in_note(words):
            return text, "supported"
        # "creased" in quotation marks is no print
        if any(words.lower() in value for value in printed) if kind == "text" else support.in_facts(words):
            return text, "supported"
        if any(owner in brand.lower() for owner in owners for brand in support.values("brand")):
            return text, "supported"
        return text, "contradicted" if kind in ("brand", "text") and support.values(kind) else "unsupported"

    def _size(self, text: str) -> Judgement:
        support, key = self.support, _sizes([text])
        stated, noted = _sizes(support.values("size")), _sizes([support.note])
        in_note = support.in_note(text) or (key and key <= noted and "size" in support.note.lower())
        if (key and key <= stated) or in_note or support.in_print(text) or support.in_facts(text):
            return text, "supported"
        return text, "contradicted" if stated else "unsupported"


def _sizes(values: Iterable[str]) -> frozenset[str]:
    """The sizes in words ("medium" is "m")."""
    return frozenset(_SIZE_NAMES.get(w, w) for value in values for w in _SIZE.findall(value.lower()))


def guard(
    text: str,
    facts: Mapping[str, FactValue],
    category: str | None,
    taxonomy: Taxonomy,
    note: str = "",
    ocr: Sequence[str] = (),
    neighbour_texts: Sequence[str] = (),
    field: TextField | None = None,
) -> tuple[str, list[Flag]]:
    """A generated text as it may be shown, with flags: no contacts, no false claims, no sentence off the subject."""
    flags: list[Flag] = []
    current = scrub(text)
    repeatable = [value for values in facts.values() for value in listed_values(values)]
    if category:
        repeatable += [taxonomy.node(category).phrase, *taxonomy.node(category).synonyms]
    repeatable += [without_instructions(note), *(line for line in ocr if not instruction_like(line))]
    for _ in range(_ROUNDS):
        before = current
        current, wrong = keep_supported(before, verify(before, facts, category, taxonomy, note, ocr), field)
        current, foreign = filter_output(current, [note, *ocr, *neighbour_texts], repeatable)
        # What they name is gone from the text that is given back: there is no place in it to point at.
        flags += [flag.model_copy(update={"field": field, "span": None}) for flag in [*wrong, *foreign]]
        if current == before:
            break
    return current, flags


def keep_supported(
    text: str, statements: Sequence[Statement], field: TextField | None = None
) -> tuple[str, list[Flag]]:
    """The sentences without an unproven statement, and one flag for each such statement, at its place in ``text``."""
    wrong = [s for s in statements if s.verdict != "supported"]
    flags = [
        Flag(code=f"claim-{s.verdict}", message=MESSAGES[s.verdict].format(s.text), field=field, span=(s.start, s.end))
        for s in wrong
    ]
    sentences = [text[a:b] for a, b in split(text, statements) if not any(a <= s.start < b for s in wrong)]
    return "".join(sentences).strip(), flags


def filter_output(text: str, untrusted: Iterable[str], repeatable: Iterable[str] = ()) -> tuple[str, list[Flag]]:
    """The sentences that give no orders, stay on the subject and repeat nothing that an order in the data asked for.

    untrusted: texts from photos, notes and neighbours; repeatable: words of verified facts, which may be repeated.
    """
    lexicon, item_words = load_lexicon(), _word_set(repeatable)
    orders = [line for source in untrusted for line in source.split("\n") if instruction_like(line)]
    demanded = {run for line in orders for run in _runs(_words(line))}
    ordered = {w for line in orders for w in _words(closed_up(line)) if len(w) > 1 or "\u4e00" <= w <= "\u9fff"}
    # Where the data hold an order, one word of it that no fact has is enough.
    echoed = ordered - item_words - _FUNCTION - (_proven_words(lexicon, item_words) if ordered else set())
    quoted = [q for line in orders for q in _QUOTED.findall(line) if letters(q) and not set(_words(q)) <= item_words]
    clean, flags = "", []
    for start, end in split(text):
        sentence = text[start:end]
        spoken = _words(sentence)
        repeats = not demanded.isdisjoint(_runs(spoken)) and sum(w not in item_words for w in spoken) >= 2
        asked = any(letters(q) in letters(sentence) for q in quoted)
        order = MASK in sentence or _ORDERS.search(sentence)
        if repeats or asked or order or not echoed.isdisjoint(spoken) or _off_topic(sentence, lexicon, item_words):
            message = _OFF_TOPIC.format(sentence.strip()[:80])
            flags.append(Flag(code="not-about-the-item", message=message, span=(start, end)))
        else:
            clean += sentence
    return clean.strip(), flags


def without_invented_words(title: str, repeatable: Iterable[str]) -> str:
    """The title without words that neither the lexicon nor the item's own words know ("Touse", "Garnet-printed").

    A small model makes up words from print. A long text loses such a sentence to the other checks, a title has one.
    """
    lexicon, item_words = load_lexicon(), _word_set(repeatable)
    real_words = [w for w in title.split() if all(p in item_words or everyday(p, lexicon) for p in _meaningful(w))]
    return title if len(real_words) == len(title.split()) else " ".join(real_words)


def _off_topic(sentence: str, lexicon: Lexicon, item_words: frozenset[str]) -> bool:
    """True if most words that carry meaning are foreign to descriptions of items."""
    meaningful = _meaningful(sentence)
    if not meaningful:
        return not re.search(r"\d", sentence) or bool(re.search(r"[^\w\s.,%/×x-]", sentence))
    return sum(w in item_words or everyday(w, lexicon) for w in meaningful) / len(meaningful) < _MIN_EVERYDAY_SHARE


def _proven_words(lexicon: Lexicon, item_words: frozenset[str]) -> set[str]:
    """Words of the phrases that say a fact ("sleeves" of "short sleeves"), and what items are called at all."""
    meanings = lexicon.meanings.items()
    phrases = (phrase for phrase, by_name in meanings if any(map(item_words.intersection, by_name.values())))
    nouns = {form for noun in lexicon.nouns for word in noun.split() for form in (word, f"{word}s", f"{word}es")}
    return {word for phrase in phrases for word in phrase.split()} | nouns


def _word_set(values: Iterable[str]) -> frozenset[str]:
    return frozenset(w for value in values for w in re.findall(r"[^\W\d_]{2,}", plain(value)))


def _meaningful(text: str) -> list[str]:
    return [w for w in re.findall(r"[^\W\d_]{3,}", plain(text)) if w not in _FUNCTION]


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]*\d[a-z\d]*|[a-z][a-z'’]+|[\u4e00-\u9fff]", fold(text).lower)


def _runs(words: Sequence[str]) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + _SHARED]) for i in range(len(words) - _SHARED + 1)}
