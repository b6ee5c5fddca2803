"""All that is decided of one item, from observations alone: category, facts, details, and what may be there besides.

Pure: no photo, no model, no file. Every question is decided whether or not the category is clear. Once the seller has
spoken it is decided again (``decide_again``); what their word does not touch stays as it was, so that a press never
applies newer rules to it, and a draft without observations keeps its facts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from listing.calibration import GENERAL
from listing.decide.attributes import ITEM_TYPE, Facts, seller_fact
from listing.decide.category import SURE_KIND, category_flags, choose, decide_category
from listing.decide.claims import Claim, claims_of
from listing.decide.marks import limit_marks
from listing.decide.policies import policy
from listing.decide.settle import Item, settle, without_excluded
from listing.decide.views import Views, best
from listing.details import exclusive
from listing.prompts import UNKNOWN
from listing.rules import Rules
from listing.schema import ANSWER, TYPED, AttributeValue, Category, Detail, Draft, Flag, Observation
from listing.taxonomy import Attribute, CategoryNode

MIN_DETAIL = 0.5  # calibrated probability from which on a detail is stated
_WORTH_A_LOOK = {"detail": 0.005, ITEM_TYPE: 0.2}  # probability from which on something can be offered
_WORTH_A_LOOK_FACT = 0.02


class Decision:
    """The conclusions from the observations of one item of ``count`` photos, worked out where it is asked for."""

    def __init__(self, observations: Sequence[Observation], count: int, rules: Rules) -> None:
        self.rules, self.views = rules, Views(observations, count)

    @cached_property
    def category(self) -> Category:
        """Category and candidates."""
        return decide_category(self.views, self.rules.taxonomy, self.rules.calibration)

    @property
    def node(self) -> CategoryNode:
        """The node of the category; of no category, the one with the attributes that every item has."""
        return self.rules.taxonomy.node(self.category.value)

    @property
    def trust(self) -> Sequence[float]:
        """How well each photo shows the item (0..1)."""
        return self.views.trust

    @property
    def sure(self) -> float:
        """The probability of the towers' likeliest category; 0 where they are not heard on it."""
        calibration = self.rules.calibration
        if not (calibration.of("category").weights or calibration.range.weights).get("classifier"):
            return 0.0
        views = self.views.pooled("category").get("classifier")
        return best(views)[1] if views else 0.0

    @cached_property
    def _facts(self) -> Facts:
        return Facts(self.views, self.node, self.rules.taxonomy, self.rules.calibration, self.rules.types)

    @cached_property
    def facts(self) -> list[AttributeValue]:
        """One fact per attribute of the category."""
        return self._facts.all()

    @property
    def asks_kind(self) -> bool:
        """True if the seller is asked what it is before anything else: nobody has named it, or a guess has."""
        guessed = GENERAL not in self.rules.calibration.of("category").weights and all(
            o.photo is not None for o in self.views.by("category", "mllm")
        )
        return not self.category.value or bool(self.node.members) or (guessed and self.category.confidence < SURE_KIND)

    @property
    def unanswered(self) -> list[Attribute]:
        """The attributes that only the seller can tell and that nobody has told, in the order in which to ask."""
        taxonomy, stated = self.rules.taxonomy, {fact.name for fact in self.facts if fact.value is not None}
        unanswered = {
            attribute.name: attribute
            for attribute in taxonomy.schema_of(self.node)
            if attribute.name not in stated
            and (attribute.asked_of is None or attribute.asked_of in stated)
            and attribute.can_be("seller-only")
            and (self.category.value or policy(attribute.name).anything)
        }
        return [unanswered[name] for name in taxonomy.expected(self.node) if name in unanswered]

    @property
    def colours(self) -> dict[str, float]:
        """How likely each main colour is, by all that look; empty where none does."""
        reading = self._facts.readings.get("colour")
        return {c: p for c, p in reading.probabilities.items() if c != UNKNOWN} if reading else {}

    @cached_property
    def details(self) -> list[Detail]:
        """Details that the photos show beyond the attributes, the likeliest first; one clear photo is enough.

        By a model that was taught to name details, else by the evidence tower, which knows garments alone.
        """
        likeliest: dict[str, tuple[float, int | None]] = {}
        for phrase, p, photo in self._details():
            if phrase not in likeliest or p > likeliest[phrase][0]:
                likeliest[phrase] = min(1.0, p), photo
        probabilities = {phrase: p for phrase, (p, _) in likeliest.items()}
        shares = probabilities if self._named else together(probabilities)
        words = [o.probabilities for source in (TYPED, ANSWER) for o in self.views.by("detail", source)]
        told = {phrase: p > 0 for word in words for phrase, p in word.items()}
        stated = [Detail(phrase=phrase, confidence=1.0) for phrase in sorted(told) if told[phrase]]
        return stated + [
            Detail(phrase=phrase, confidence=p, photo=likeliest[phrase][1])
            for phrase, p in sorted(shares.items(), key=lambda entry: (-entry[1], entry[0]))
            if (self._named or p >= MIN_DETAIL) and phrase not in told
        ]

    @property
    def _named(self) -> list[Observation]:
        """The details of a model that was taught to name them."""
        return self.views.by("detail", "mllm")

    def _details(self) -> Iterator[tuple[str, float, int | None]]:
        if self._named:
            yield from ((phrase, p, o.photo) for o in self._named for phrase, p in o.probabilities.items())
        elif self.node.tuned:
            for o in self.views.by("detail", "evidence_tower"):
                if o.photo in self.views.clear:
                    yield from ((phrase, p, o.photo) for phrase, p in o.probabilities.items())

    def settled(self, note: str, *, rendered: bool) -> tuple[list[Claim], Item | None]:
        """The claims that may be stated, with no more marks than a draft may have, and the item that they make.

        None where nobody has named it. ``note``: the seller's, which stands below the text. ``rendered``: for a text of
        our own, which says less that is not sure.
        """
        taxonomy, chosen = self.rules.taxonomy, self.views.first("category", ANSWER) is not None
        said = (self.category, self.facts, self.details, taxonomy, self.rules.calibration)
        claims = claims_of(*said, category_chosen=chosen, colours=self.colours if rendered else None)
        claims = limit_marks([replace(c, in_sellers_note=self._noted(c, note)) for c in claims], taxonomy)
        named = any(c.attribute == "category" for c in claims)
        return claims, settle(claims, taxonomy) if named else None

    def _noted(self, claim: Claim, note: str) -> bool:
        """True if the note tells it; of wear only where it does so in English, as the text does."""
        if not claim.in_sellers_note or claim.attribute != "condition":
            return claim.in_sellers_note
        return any(
            phrase in note.lower() for phrase in self.rules.taxonomy.attributes["condition"].phrases[claim.value]
        )

    @cached_property
    def flags(self) -> list[Flag]:
        """Remarks on category and photos."""
        return category_flags(self.category, self.views, self.rules.taxonomy)

    @cached_property
    def possible(self) -> dict[tuple[str, str], float]:
        """(attribute or ``detail``, value) -> probability of all that may be so, stated or not: what can be offered."""
        possible: dict[tuple[str, str], float] = {}
        for name, value, p in self._possible():
            if p >= _WORTH_A_LOOK.get(name, _WORTH_A_LOOK_FACT):
                possible[name, value] = max(p, possible.get((name, value), 0.0))
        return possible

    def _possible(self) -> Iterator[tuple[str, str, float]]:
        for reading in self._facts.readings.values():
            for value, p in reading.probabilities.items():
                if value not in (UNKNOWN, reading.attribute.absent):
                    yield reading.attribute.name, value, p
        yield from (("detail", phrase, p) for phrase, p, _ in self._details())
        if self.node.tuned:
            for photo, view in self.views.classifier("condition").items():
                if photo in self.views.clear:
                    yield from (("condition", cue, p) for cue, p in view.items())


def together(probabilities: Mapping[str, float]) -> dict[str, float]:
    """The probabilities, with those of what excludes each other lowered to a sum of 1 where they exceed it."""
    totals = [(group, sum(probabilities.get(phrase, 0.0) for phrase in group)) for group in exclusive()]
    return {
        phrase: p / max([1.0, *(total for group, total in totals if phrase in group)])
        for phrase, p in probabilities.items()
    }


@dataclass(frozen=True)
class Redecided:
    """implied: values of facts that follow from the seller's word on details, None where there is none any more."""

    category: Category
    facts: list[AttributeValue]
    details: list[Detail]
    implied: Mapping[str, str | None] = field(default_factory=dict)


def decide_again(draft: Draft, told: Sequence[Observation], rules: Rules) -> Redecided:
    """The draft's conclusions with the seller's word of now in the place of their earlier answers."""
    count = max(1, len(draft.photos))
    sources = [o for o in draft.observations if o.source != ANSWER]
    named = [] if draft.observations else _as_observed(draft.category)
    before = Decision([*draft.observations, *named], count, rules)
    after = Decision([*told, *sources, *named], count, rules)
    category = _category(draft, before, after, told)
    facts = _facts(draft, before, after, told)
    words = {phrase: p > 0 for o in told if o.question == "detail" for phrase, p in o.probabilities.items()}
    details = _details(draft, before, after, words)
    settled = without_excluded(facts, words, {d.phrase for d in details})
    implied = {now.name: now.value for now, then in zip(settled, facts, strict=True) if now is not then}
    return Redecided(category, settled, details, implied)


def _as_observed(category: Category) -> list[Observation]:
    """The category of a draft that kept no observations."""
    value = category.value
    return [Observation(source=ANSWER, question="category", probabilities={value: 1.0})] if value else []


def _category(draft: Draft, before: Decision, after: Decision, told: Sequence[Observation]) -> Category:
    chosen = next((value for o in told if o.question == "category" for value in o.probabilities), None)
    if chosen is not None:
        kept = draft.category.value == chosen and before.category == after.category
        return draft.category if kept else choose(draft.category, chosen)
    return draft.category if before.category == after.category else after.category


def _facts(draft: Draft, before: Decision, after: Decision, told: Sequence[Observation]) -> list[AttributeValue]:
    """One fact per attribute of the category, and what the seller stated besides."""
    then, now = ({fact.name: fact for fact in decision.facts} for decision in (before, after))
    kept = {a.name: a for a in draft.attributes}
    attributes = after.rules.taxonomy.attributes
    stated = {o.question: next(iter(o.probabilities), None) for o in told if o.question in attributes}
    same = before.node == after.node
    names = [*kept, *(n for n in now if n in stated and n not in kept)] if same else [*now]
    facts: list[AttributeValue] = []
    for name in names:
        untouched = name not in stated and (name not in now or now[name] == then.get(name))
        if untouched and name in kept:
            facts.append(kept[name])
        elif name in now:
            facts.append(now[name])
    present = {fact.name for fact in facts}
    beside = [seller_fact(name, value) for name, value in stated.items() if value and name not in present]
    locked = [] if same else [a for n, a in kept.items() if a.locked and n not in now and n not in stated]
    return [*facts, *locked, *beside]


def _details(draft: Draft, before: Decision, after: Decision, words: Mapping[str, bool]) -> list[Detail]:
    """The draft's details, without what the seller took out or the photos show no more; in front what they added."""
    gone = {d.phrase for d in before.details} - {d.phrase for d in after.details}
    left = [d for d in draft.details if words.get(d.phrase, d.phrase not in gone)]
    left = [d.model_copy(update={"confidence": 1.0}) if d.phrase in words else d for d in left]
    present = {d.phrase for d in left}
    added = sorted(phrase for phrase, there in words.items() if there and phrase not in present)
    return [*(Detail(phrase=phrase, confidence=1.0) for phrase in added), *left]
