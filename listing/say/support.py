"""What a claim can rest on: verified facts, the seller's note, print in the photos; and what only neighbours say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from listing.lexicon import Lexicon, plain, words
from listing.safety.injection import instruction_like, without_instructions

FactValue = str | Sequence[str] | None
NeighbourValues = Mapping[str, Iterable[str]] | Iterable[str]
UNKNOWN = frozenset(("", "unknown", "n/a", "none"))
_SAME = {"colour2": "colour"}
_SMALL = words("small")
_NOT = re.compile(r"\b(?:no|not|without|never|free of|isn't|doesn't|don't|nothing|none)\b|n't\b")


def stem(word: str) -> str:
    """A crude stem: enough to match 'pockets' with 'pocket' and 'washed' with 'wash'."""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def stems(text: str) -> set[str]:
    """Stems of the words that carry meaning."""
    words = re.findall(r"[\w&+]+", plain(text))
    return {stem(w) for w in words if w not in _SMALL}


def letters(text: str) -> str:
    """Letters and digits only, lower case: how print is compared."""
    return re.sub(r"[\W_]+", "", text.lower())


@dataclass(frozen=True)
class Sources:
    """Everything that may support a claim, prepared once per text."""

    facts: Mapping[str, frozenset[str]]
    note: str
    mentioned: Mapping[str, set[str]]
    print_letters: str
    print_stems: frozenset[str]
    neighbours: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def known(self, name: str) -> frozenset[str]:
        """Verified values of an attribute; a second colour is a colour."""
        return self.facts.get(name, frozenset())

    def in_note(self, words: str) -> bool:
        """Whether one sentence of the note says so, with the same 'no' or without one."""
        wanted = stems(words)
        denied = bool(_NOT.search(words.lower()))
        return bool(wanted) and any(
            wanted <= stems(sentence) and denied == bool(_NOT.search(sentence.lower()))
            for sentence in re.split(r"[.!?;\n,]+|\bbut\b", self.note)
        )

    def in_print(self, words: str) -> bool:
        """Whether these words stand on the item."""
        key = letters(words)
        return bool(key) and (key in self.print_letters if len(key) > 2 else key in self.print_stems)

    def in_facts(self, words: str) -> bool:
        """Whether some fact's value holds all these words."""
        wanted = stems(words)
        return bool(wanted) and any(wanted <= stems(value) for values in self.facts.values() for value in values)

    def at_neighbours(self, name: str, values: Iterable[str]) -> bool:
        """Whether a neighbour states one of these values (of that attribute, where the attribute is known)."""
        wanted = {plain(v) for v in values}
        return bool(wanted & (self.neighbours.get(name, frozenset()) | self.neighbours.get("", frozenset())))

    def near_words(self, words: str) -> bool:
        """Whether all words of a claim stand in one value of a neighbour."""
        wanted = stems(words)
        return bool(wanted) and any(
            wanted <= stems(v) or (stems(v) and stems(v) <= wanted)
            for values in self.neighbours.values()
            for v in values
        )


def _values(given: FactValue) -> frozenset[str]:
    if given is None:
        return frozenset()
    parts = re.split(r",\s*", given) if isinstance(given, str) else [str(v) for v in given]
    return frozenset(p.strip() for p in parts if p.strip().lower() not in UNKNOWN)


def gather(
    lexicon: Lexicon, facts: Mapping[str, FactValue], note: str, ocr: Sequence[str], neighbours: NeighbourValues
) -> Sources:
    """Sources of one text."""
    known: dict[str, frozenset[str]] = {}
    for name, given in facts.items():
        key = _SAME.get(name, name)
        values = (
            frozenset((str(given),)) if name in ("text", "brand", "item") and isinstance(given, str) else _values(given)
        )
        if values - UNKNOWN:
            known[key] = known.get(key, frozenset()) | values
    note, ocr = without_instructions(note), [line for line in ocr if not instruction_like(line)]
    printed = [*ocr, *(t for t in known.get("text", ()) if not instruction_like(t)), *known.get("brand", ())]
    if isinstance(neighbours, Mapping):
        near: dict[str, frozenset[str]] = {}
        for name, stated in neighbours.items():
            key = _SAME.get(name, name)
            near[key] = near.get(key, frozenset()) | {
                plain(v) for v in ([stated] if isinstance(stated, str) else stated)
            }
    else:
        near = {"": frozenset(plain(v) for v in neighbours)}
    return Sources(
        facts=known,
        note=note,
        mentioned=lexicon.mentions(" . ".join([note, *ocr])),
        print_letters=" ".join(letters(line) for line in [*printed, "".join(ocr)]),
        print_stems=frozenset(s for line in printed for s in stems(line)),
        neighbours=near,
    )
