"""A draft is decided again once its seller has spoken: what their word does not touch stays as it was decided.

So a press never applies newer rules to what it does not touch, and a draft without observations keeps its facts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from listing.decide.attributes import seller_fact
from listing.decide.category import choose
from listing.decide.decision import Decision
from listing.decide.settle import without_excluded
from listing.rules import Rules
from listing.schema import ANSWER, AttributeValue, Category, Detail, Draft, Observation


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
