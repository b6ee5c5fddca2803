"""How a shop's own texts speak: which facts they name of each kind, in which order, and with which words.

Nothing is made up: words stand in enough of the past texts, and what they say is replaced by the new item's facts.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from listing.decide.decision import Decision
from listing.details import load_details
from listing.rules import Rules
from listing.say.render import Text, render, write
from listing.schema import Observation
from listing.taxonomy import Taxonomy
from listing.taxonomy_file import ALL, Voice
from rag_index import IndexRecord
from rag_index.imports.words import word_key

CATEGORY = "category"
NAMED = 0.5  # share of a kind's titles, of those whose listing states it, that name a fact: likelier than not
CALLED = 0.25  # share of a kind's titles that end in the same words, for these to be its name there
FEW = 8  # listings that state a fact; of fewer, what the titles of all kinds do is followed
ROWS = 3  # texts that have a phrase, for it to be the shop's and no chance
USUAL = 0.2  # share of a kind's listings that state a fact, for its texts to name it
TOLD = 0.1  # share of the sentences whose listing states a fact that tell it, for it to be one that a text tells
OWN_WORDS = 0.3  # share of the mentions of a fact that have the same words beside it, for these to go with it
NEW_GOODS = 0.02  # share of texts that speak of wear, below which a shop sells new goods
LIKE = 4  # letters that a value and another word for it begin with: "check" for "Checked", no "round" for "Scoop"
SENTENCES = 10  # descriptions that name what they are about, below which there is no voice to follow
OPENING, LONGEST = 6, 60  # facts before the name, and words, of a sentence that opens with it

_TOKEN = re.compile(r"[\w'’%&/-]+|[.,;:!?()]")
_SENTENCE = re.compile(r"\n|(?<=[a-z%])\. ")
_CUT = re.compile(r" (?=(?:has|have|with|made|for)\b)| and | ?, (?:and )?| [.;:!?()] ?")
_USED = re.compile(
    r"\b(?:pre-?(?:owned|loved)|second-?hand|(?:gently|hardly|barely|lightly) (?:used|worn)|"
    r"(?:used|worn) (?:once|twice|a few)|signs? of (?:wear|use)|(?:never|not|been) (?:worn|used)|good condition)\b",
    re.I,
)
_SLOT = re.compile(r"\{(\w+)\}")
_JOINTS = frozenset({"has", "have", "with", "made", "of", "from", "in", "for", "a", "an", "the", "and"})


def voice_of(records: Sequence[IndexRecord], taxonomy: Taxonomy) -> Voice:
    """The voice of past listings, in titles and, where enough of them name what they are about, in descriptions."""
    attributes = [attribute.name for attribute in taxonomy.in_text()]
    titles = _Titles(attributes)
    for record in records:
        titles.read(record)
    sentences = _Sentences(titles.nouns(), {a.name: a.phrases for a in taxonomy.in_text()})
    used = sum(bool(_USED.search(record.text)) for record in records)
    details: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        sentences.read(record, attributes)
        details[record.category].update(load_details().named(record.text.partition("\n")[2].lower()))
    enough = sentences.count[ALL] >= SENTENCES
    return Voice(
        titles=titles.orders(),
        nouns=titles.nouns(),
        stated=titles.usual(),
        phrases=sentences.phrases() if enough else {},
        words=sentences.words(),
        details={kind: tuple(d for d, n in counts.most_common() if n >= ROWS) for kind, counts in details.items()},
        new=bool(records) and used < NEW_GOODS * len(records),
    )


class _Titles:
    """What past titles name, and where."""

    def __init__(self, attributes: Sequence[str]) -> None:
        self.attributes = attributes
        self.places: dict[str, list[float]] = defaultdict(list)
        self.stated: dict[str, Counter[str]] = defaultdict(Counter)  # kind -> attribute -> listings
        self.named: dict[str, Counter[str]] = defaultdict(Counter)
        self.ends: dict[str, Counter[str]] = defaultdict(Counter)

    def read(self, record: IndexRecord) -> None:
        """Count one listing's title."""
        title, kind = record.text.partition("\n")[0].split(), record.category
        if len(title) < 2:
            return
        self.stated[kind][CATEGORY] += 1
        self.ends[kind].update(_ends(title))
        for name in self.attributes:
            if value := record.attributes.get(name):
                place = _place(value, title)
                for group in (kind, ALL):
                    self.stated[group][name] += 1
                    self.named[group][name] += place is not None
                if place is not None:
                    self.places[name].append(place / len(title))

    def orders(self) -> dict[str, tuple[str, ...]]:
        """Kind -> the facts that its titles name, as most titles have them."""
        mean = {name: sum(ranks) / len(ranks) for name, ranks in self.places.items()}
        first = sorted(mean, key=lambda name: mean[name])
        return {kind: (*(n for n in first if self._names(kind, n)), CATEGORY) for kind in (ALL, *self.ends)}

    def _names(self, kind: str, name: str) -> bool:
        group = kind if self.stated[kind][name] >= FEW else ALL
        return self.named[group][name] >= NAMED * max(1, self.stated[group][name])

    def usual(self) -> dict[str, tuple[str, ...]]:
        """Kind -> the facts that enough of its listings state for a text to name them."""
        least = {kind: max(1, USUAL * stated[CATEGORY]) for kind, stated in self.stated.items() if kind != ALL}
        return {kind: tuple(n for n in self.attributes if self.stated[kind][n] >= n_) for kind, n_ in least.items()}

    def nouns(self) -> dict[str, str]:
        """Kind -> what its titles call it."""
        found = {kind: _noun(kind, ends, self.stated[kind][CATEGORY]) for kind, ends in self.ends.items()}
        return {kind: noun for kind, noun in found.items() if noun}


def _ends(title: Sequence[str]) -> list[str]:
    """The last word of a title and the last two, numbers and what stands behind "with" left out."""
    words = list(title)
    for i, word in enumerate(words):
        if i and word.lower() == "with":
            words = words[:i]
            break
    while words and not words[-1].replace("-", "").isalpha():
        words.pop()
    return [" ".join(words[-n:]) for n in (1, 2) if len(words) >= n]


def _noun(kind: str, ends: Counter[str], titles: int) -> str | None:
    """The words that titles of a kind end in: two where most have both, and they are the kind's own name."""
    frequent = [(words, n) for words, n in ends.most_common(8) if n >= CALLED * titles]
    same = [words for words, _ in frequent if word_key(words) == word_key(kind)]
    singles = [words for words, _ in frequent if " " not in words]
    return next(iter([*same, *singles]), None)


def _place(value: str, text: Sequence[str], start: int = 0) -> int | None:
    """The place of a value's words in a text, whatever their case and plural."""
    asked, words = _keys(value.split()), _keys(text)
    return next((i for i in range(start, len(words) - len(asked) + 1) if words[i : i + len(asked)] == asked), None)


def _keys(words: Sequence[str]) -> list[str]:
    return [word_key(word.removesuffix("'s").removesuffix("’s")) for word in words]


@dataclass
class _Sentences:
    """The sentences of past descriptions that name what they are about, with slots for what the listing states.

    A fact is told before the name ("black {neckline} T-shirt") or in a phrase behind it ("has a {neckline}").
    """

    nouns: Mapping[str, str]
    variants: Mapping[str, Mapping[str, Sequence[str]]]  # attribute -> value -> its words
    count: Counter[str] = field(default_factory=Counter)
    stated: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    told: dict[str, dict[str, Counter[str]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Counter)))
    places: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    spelled: dict[tuple[str, bool], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def read(self, record: IndexRecord, attributes: Sequence[str]) -> None:
        """Count the first sentence that opens with the item's name, and facts alone before it."""
        kind = record.category
        values = {name: record.attributes[name] for name in attributes if name in record.attributes}
        called = self.nouns.get(kind, kind)
        names = [(CATEGORY, kind, name) for name in (kind, called, called.split()[-1])]
        for name, value in values.items():
            also = (w for w in self.variants[name].get(value, ()) if w[:LIKE].lower() == value[:LIKE].lower())
            names += [(name, value, words) for words in (value, *also)]
        for sentence in _SENTENCE.split(record.text.partition("\n")[2]):
            tokens = _TOKEN.findall(sentence)
            if not 2 <= len(tokens) <= LONGEST:
                continue
            slotted, spelled = _slotted(tokens, names)
            start, *behind = (part.strip() for part in _CUT.split(" ".join(slotted)))
            before = start.removesuffix("{category}").split()
            if start.endswith("{category}") and len(before) < OPENING and all(_SLOT.fullmatch(t) for t in before):
                phrases = (part for part in behind if len(_SLOT.findall(part)) == 1 and "{category}" not in part)
                self._add(kind, [*(f"{slot} {{category}}" for slot in before), *phrases], values)
                for place, key, words in spelled:
                    self.spelled[key, place < len(before)][words] += 1
                return

    def _add(self, kind: str, phrases: Sequence[str], values: Mapping[str, str]) -> None:
        told = [(phrase, _SLOT.findall(phrase)[0]) for phrase in phrases]
        told = [(phrase, slot) for phrase, slot in told if slot != CATEGORY]
        for group in (kind, ALL):
            self.count[group] += 1
            self.stated[group].update([*values, *(f"{name}={value}" for name, value in values.items())])
            for phrase, slot in told:
                self.told[group][slot][phrase] += 1
                self.told[group][f"{slot}={values[slot]}"][phrase] += 1
        for place, (_, slot) in enumerate(told):
            self.places[slot].append(place)

    def phrases(self) -> dict[str, dict[str, str]]:
        """Kind -> attribute, or ``attribute=value``, -> its phrase, in the order of most sentences; "": not told."""
        return {kind: dict(self._chosen(kind)) for kind in self.stated}

    def _chosen(self, kind: str) -> Iterator[tuple[str, str]]:
        mean = {slot: sum(places) / len(places) for slot, places in self.places.items()}
        stated = self.stated[kind]
        for key in sorted(stated, key=lambda key: mean.get(key.partition("=")[0], LONGEST)):
            counts = self.told[kind][key]
            usual = [part for part, n in counts.most_common() if _bare(part) or n >= OWN_WORDS * counts.total()]
            if stated[key] >= FEW and counts.total() < TOLD * stated[key]:
                yield key, ""
            elif usual and counts[usual[0]] >= ROWS:
                yield key, usual[0]

    def words(self) -> dict[str, str]:
        """``attribute=value`` -> how sentences spell it where they tell it, if that is not the value in lower case."""
        told = dict(self._chosen(ALL))
        found = {}
        for (key, front), counts in self.spelled.items():
            words, n = counts.most_common(1)[0]
            here = told.get(key, told.get(key.partition("=")[0], "")).endswith("{category}") is front
            if n >= ROWS and words != key.partition("=")[2].lower() and (here or key.startswith(CATEGORY)):
                found[key] = words
        return found


def _bare(part: str) -> bool:
    """True if a phrase has no words but joints beside its fact."""
    return all(token[0] == "{" or token in _JOINTS for token in part.split())


def _slotted(
    tokens: Sequence[str], names: Sequence[tuple[str, str, str]]
) -> tuple[list[str], list[tuple[int, str, str]]]:
    """A sentence with slots in the places of what a listing states; and (place, ``attribute=value``, its words there).

    names: (attribute, value, words for it), the item's name among them.
    """
    keys, out, spelled, i = _keys(tokens), list[str](), list[tuple[int, str, str]](), 0
    slots = sorted(((n, v, _keys(words.split())) for n, v, words in names), key=lambda slot: -len(slot[2]))
    while i < len(tokens):
        found = next(((n, v, k) for n, v, k in slots if k and keys[i : i + len(k)] == k), None)
        if found:
            name, value, key = found
            out.append(f"{{{name}}}")
            if i and (name != CATEGORY or word_key("".join(tokens[i : i + len(key)])) == word_key(value)):
                words = " ".join(tokens[i : i + len(key)])
                spelled.append((len(out) - 1, f"{name}={value}", words.lower() if words[1:].isalpha() else words))
            i += len(key)
        else:
            if not any(c.isdigit() for c in tokens[i]):  # a measure is that item's own
                out.append(tokens[i].lower())
            i += 1
    return out, spelled


def draft_text(decision: Decision, rules: Rules) -> Text:
    """The texts of a draft, as the shop's are where the rules' taxonomy has a voice."""
    claims, item = decision.settled("", rendered=True)
    return write(item) if item is not None else render(claims, rules.taxonomy)


def overlap(text: str, other: str) -> float:
    """F1 of two texts' words."""
    words, others = (Counter(text.lower().split()) for text in (text, other))
    return 2 * (words & others).total() / max(1, (words + others).total())


def shared(text: str, other: str) -> float:
    """The share of a text's words that another has, whatever their case and plural."""
    words, others = (Counter(_keys(_TOKEN.findall(text))) for text in (text, other))
    return (words & others).total() / max(1, words.total())


def heard(
    voice: Voice, texts: Mapping[str, str], seen: Mapping[str, Sequence[Observation]], rules: Rules
) -> Voice | None:
    """The parts of a voice that bring drafts nearer to the shop's texts; both by id of the listing.

    Where titles tell what strikes one ("jeans-style trousers with elastic waist"), a row of facts is the poorer one.
    A description is one sentence of a shop's many: its words are to be theirs.
    """
    gains = dict.fromkeys(("title", "description"), 0.0)
    arms = [
        Rules(rules.taxonomy.model_copy(update={"voice": v}), rules.calibration, rules.types) for v in (voice, None)
    ]
    for key, observations in seen.items():
        own = dict(zip(("title", "description"), texts[key].split("\n", 1), strict=False))
        spoken, plain = (draft_text(Decision(observations, 1, arm), arm) for arm in arms)
        for part, nearer in (("title", overlap), ("description", shared)):
            gains[part] += nearer(getattr(spoken, part), own.get(part, "")) - nearer(
                getattr(plain, part), own.get(part, "")
            )
    if gains["description"] <= 0:
        voice = voice.model_copy(update={"phrases": {}})
    if gains["title"] <= 0:
        voice = voice.model_copy(update={"titles": {}})
    return voice if voice.titles or voice.phrases else None
