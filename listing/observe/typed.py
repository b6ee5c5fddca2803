"""What a seller types is read for facts: in the texts, and of the item in their own words.

One truth for the title, the description, the list of facts and what is published: a fact follows the words, corrected
where they say something else, not stated any more where they deny it or say it no longer. Pure functions.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache

from listing.decide.claims import MAX_FACT_LENGTH, name_of, sayable
from listing.decide.policies import SELLER_ONLY
from listing.details import detail_forms, load_details
from listing.lexicon import Lexicon, load_lexicon, plain
from listing.observe.note import read_note
from listing.schema import DETAIL, Draft, Offer, TextField
from listing.taxonomy import Attribute, Taxonomy

_PARTS = re.compile(r"[.!?,;\n]|\b(?:and|with|but)\b", re.I)
_DENIED = re.compile(r"\b(?:no|not|never|without|nor|cannot|is no|has no)\b|n['’]t\b", re.I)
_NOTED = ("size", "brand", "condition_grade")  # free words, which the grammar of notes reads
_HUES = ("colour", "colour2")
_LISTED = re.compile(r"(?:,(?!(?<=\d,)[\d-])|[;\n])+")  # no comma of a number: "10,5 cm", "50,-"
_JOINTS = re.compile(r"\s+(?:and|with)\s+")
_OPENING = re.compile(r"^(?:(?:and|with|it has|they have|it is|they are|has|an?|the)\s+)+")
_MAKE = ("closure", "sleeve", "neckline")
Pair = tuple[str, str]  # the name of a claim and its value


@dataclass
class Mentions:
    """Values that a text mentions by attribute, those that it denies, and the details that it denies.

    near: what stands beside a detail: "a loose women's shirt" leaves women's, "zip pockets" proves no zip.
    """

    values: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    denied: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    near: set[Pair] = field(default_factory=set)
    without: set[str] = field(default_factory=set)
    text: str = ""


def words_of(texts: Iterable[str], lexicon: Lexicon) -> Mentions:
    """The mentions of closed facts and details, part by part between commas."""
    words = Mentions(text="\n".join(texts))
    for part in _PARTS.split(words.text.lower()):
        denial = bool(_DENIED.search(part))
        details, pairs, near = _part(part, lexicon)
        words.near |= set() if denial else near
        words.without |= details if denial else set()
        for name, value in pairs:
            (words.denied if denial else words.values)[name].add(value)
    words.values["colour2"] = words.values["colour"]
    return words


@lru_cache(maxsize=4096)  # most parts of a text stay when something is changed in it
def _part(part: str, lexicon: Lexicon) -> tuple[frozenset[str], frozenset[Pair], frozenset[Pair]]:
    """Details in a part of a text, pairs (attribute, value), and those beside details."""
    details = load_details().read(part)
    says = ((n, v) for detail in details for n, values in detail_forms()[detail].says.items() for v in values)
    phrases = lexicon.phrases.finditer(part)
    meant = frozenset((n, v) for match in phrases for n, values in lexicon.meaning(match[0]).items() for v in values)
    return frozenset(details), frozenset(says) | (frozenset() if details else meant), meant


def read_texts(
    draft: Draft,
    program: Mapping[TextField, str],
    typed: Mapping[TextField, str],
    later: Set[str],
    confirmed: Set[str],
    taxonomy: Taxonomy,
    aside: Iterable[tuple[Set[str], str]] = (),
) -> dict[str, str | None]:
    """Changes to the draft's facts and details by the texts that the seller typed.

    Args:
        program: the program's texts in their place, by field.
        typed: by field; the other texts are the program's.
        later: names of what the seller set after they had typed.
        confirmed: names of what they set at all: a word about a part ("gold details") says nothing else of these.
        aside: names that they set beside texts typed before, and these: what was not in them is not gone from them.
    """
    lexicon = load_lexicon(taxonomy)
    before, now = words_of((program[f] for f in typed), lexicon), words_of(typed.values(), lexicon)
    rest = words_of((text for f, text in program.items() if f not in typed), lexicon)
    stood = [(names, words_of([text], lexicon)) for names, text in aside]
    implied: dict[str, str | None] = {f"{DETAIL}{d}": None for d in now.without}
    for name, attribute in _schema(draft, taxonomy).items():
        fact = draft.attribute(name)
        value = (fact.value or fact.suggestion) if fact is not None else None
        if value is None or name in later:
            continue
        after = _after(attribute, value, before, now, rest, stated=name in confirmed)
        answered = name in confirmed and name in SELLER_ONLY  # a flaw that they told is not gone with a sentence
        unsaid = value not in now.denied[name] and any(
            name in set_ and not _has(name, value, words) for set_, words in stood
        )
        if after != value and not ((answered or unsaid) and after is None):
            implied[name] = after
    return implied


def _after(
    attribute: Attribute, value: str, before: Mentions, now: Mentions, rest: Mentions, *, stated: bool
) -> str | None:
    """The fact's value by the words of now; None where they leave it out. ``stated``: the seller confirmed it."""
    name = attribute.name
    if not attribute.values:
        return _free(name, value, before, now, rest, stated=stated)
    fresh = (now.values[name] - before.values[name] if name != "colour2" else set()) & set(attribute.values)
    values = value.split(", ") if attribute.many else [value]
    other = bool(fresh) and not (stated and value not in before.values[name])
    staying = [each for each in values if _stays(attribute, each, before, now, rest, other=other)]
    if attribute.many:
        several = [*(k for k in staying if k not in attribute.unspoken or not fresh), *sorted(fresh)]
        return ", ".join(dict.fromkeys(several)) or None
    return value if staying else fresh.pop() if len(fresh) == 1 else None


def _stays(attribute: Attribute, value: str, before: Mentions, now: Mentions, rest: Mentions, *, other: bool) -> bool:
    """True if the words of now leave a value standing; ``other``: they say another one, which they did not before."""
    name = attribute.name
    if value in now.values[name]:
        return True
    there = value in rest.values[name]
    gone = value in before.values[name] and not there and (name, value) not in now.near
    beside = there and name in _HUES and value not in before.values[name]  # one more colour, and not in its place
    replaced = other and not attribute.many and not beside
    return not (value in now.denied[name] or gone or replaced)


def _free(name: str, value: str, before: Mentions, now: Mentions, rest: Mentions, *, stated: bool) -> str | None:
    noted = read_note(now.text).facts.get(name) if name in _NOTED else None
    if stated and noted is not None and noted.lower().startswith(value.lower()):  # "Zara. It fits"
        return value
    if noted is not None and noted.lower() != value.lower() and noted != read_note(before.text).facts.get(name):
        return noted
    gone = _has(name, value, before) and not (_has(name, value, now) or _has(name, value, rest))
    return None if gone else value


def _has(name: str, value: str, words: Mentions) -> bool:
    """True if a text says a value, in its own words or by a closed fact's words."""
    return value in words.values[name] or bool(re.search(rf"(?<!\w){re.escape(value)}(?!\w)", words.text, re.I))


def _schema(draft: Draft, taxonomy: Taxonomy) -> dict[str, Attribute]:
    node = taxonomy.node(draft.category.value)
    return {a.name: a for a in taxonomy.schema_of(node)} if draft.category.value else {}


@dataclass
class SellerStatement:
    """``facts``: value by the name of the claim, None where it is denied; ``stated``: the parts that say them.

    ``partly``: those parts that say more than the facts. ``words``: what is left.
    """

    facts: dict[str, str | None] = field(default_factory=dict)
    stated: dict[str, list[Pair]] = field(default_factory=dict)
    partly: set[str] = field(default_factory=set)
    words: list[str] = field(default_factory=list)


class StatementReader:
    """Reads what the seller says of one draft's item, beside its texts.

    offers: details and facts that a text can say of the item, by the words on their buttons.
    """

    def __init__(self, draft: Draft, offers: Sequence[Offer], taxonomy: Taxonomy) -> None:
        self.draft, self.offers, self.lexicon = draft, offers, load_lexicon(taxonomy)
        self.taxonomy, self.schema = taxonomy, _schema(draft, taxonomy)

    def read(self, typed: str) -> SellerStatement:
        """Each part between commas is a detail or a fact as a whole, states some ("size M"), or words."""
        statement = SellerStatement()
        for part in filter(None, (p.strip(" .\t") for p in _LISTED.split(typed))):
            listed = [self._match(each) for each in (part, *_JOINTS.split(part))]
            matches = listed[:1] if listed[0] else listed[1:]
            pairs, whole = [pair for pair in matches if pair], all(matches)
            if not whole:
                pairs = [(name, value) for name, value in _noted(part).items() if name in self.schema]
            pairs = self._two_colours(statement.facts, pairs or self._how(part))
            pairs = pairs if whole else [pair for pair in pairs if not self._overrules(pair)]
            facts = self._along(statement.facts, pairs)
            if not pairs or facts is None:
                statement.facts = {**self._denied(part), **statement.facts}
                statement.words.append(part)
                continue
            statement.facts, statement.stated[part] = facts, pairs
            if not whole:
                statement.partly.add(part)
        return statement

    def _overrules(self, pair: Pair) -> bool:
        """True if the seller stated another closed value: a word beside others ("gold details") is about a part."""
        fact, attribute = self.draft.attribute(pair[0]), self.schema.get(pair[0])
        closed = attribute is not None and bool(attribute.values) and not attribute.many
        return fact is not None and fact.locked and fact.value != pair[1] and closed

    def _how(self, part: str) -> list[Pair]:
        """Facts that a part states in a sentence of its own of how the item is made: "it closes with buttons"."""
        stated, schema = words_of([part], self.lexicon), self.schema
        stated_values = {name: stated.values[name] & set(schema[name].values) for name in _MAKE if name in schema}
        return [
            (name, min(values))
            for name, values in stated_values.items()
            if len(values) == 1 and not load_details().read(part.lower())
        ]

    def _denied(self, part: str) -> dict[str, None]:
        """The claims of the draft that a part denies: "no elastic waist"."""
        stated = words_of([part], self.lexicon)
        spans = self.draft.spans
        names = [name_of(s) for s in spans if s.value in (stated.denied[s.attribute or ""] | stated.without)]
        return dict.fromkeys(name for name in names if name != "category")

    def _two_colours(self, facts: Mapping[str, str | None], pairs: Sequence[Pair]) -> list[Pair]:
        """The pairs; a further colour is the second one."""
        first = next((value for name, value in (*facts.items(), *pairs) if name == "colour"), "")
        second = "colour2" if "colour2" in self.schema else "colour"
        return [(second if name == "colour" and value != first else name, value) for name, value in pairs]

    def _along(self, facts: Mapping[str, str | None], pairs: Sequence[Pair]) -> dict[str, str | None] | None:
        """The facts and these beside them; None when one would get lost, so that only words can say it."""
        both = dict(facts)
        for name, value in pairs:
            many = name in self.schema and self.schema[name].many
            between = "; " if name == "defects" else ", " if many else ""
            if between:
                before = stated.split(between) if (stated := both.get(name)) else self._present(name, between)
                both[name] = between.join(dict.fromkeys([*before, value]))
            elif both.get(name) not in (None, value):
                return None
            else:
                both[name] = value
            if len(both[name] or "") > MAX_FACT_LENGTH:
                return None
        return both

    def _present(self, name: str, between: str) -> list[str]:
        """The values of a fact that has several: those that it has, or that the texts say."""
        fact = self.draft.attribute(name)
        in_text = [span.value for span in self.draft.spans if span.attribute == name]
        values = [v for v in ((fact.value or "").split(between) if fact is not None else []) if v] or in_text
        return [v for v in values if sayable(self.taxonomy.attributes.get(name), v)]

    def _match(self, part: str) -> Pair | None:
        """The name and the value of the one detail or closed fact that the words stand for as a whole."""
        words = _OPENING.sub("", part.lower())
        meant = {p for p, pattern in load_details().patterns.items() if pattern.fullmatch(words)}
        exact = [o for o in self.offers if o.label == words or (o.attribute == "detail" and o.value in meant)]
        exact.sort(key=lambda offer: offer.label != words)  # "leather" is no "leather look"
        if exact:
            return name_of(exact[0]), exact[0].value
        named = self.lexicon.meanings.get(plain(words), {})
        closed = [(n, v) for n, values in named.items() if n in self.schema for v in values]
        closed = [(n, v) for n, v in closed if v in self.schema[n].values]
        if any(n == "condition" and plain(v) != plain(words) for n, v in closed) and "defects" in _noted(words):
            return None  # "a small stain" is more than a stain
        return closed[0] if len(closed) == 1 else None


def _noted(text: str) -> dict[str, str]:
    """Facts that a note states; a flaw in the seller's words says its kind of wear as well."""
    facts = read_note(text).facts
    return {name: value for name, value in facts.items() if name != "condition" or "defects" not in facts}
