"""From observations to facts: every attribute gets a status and the evidence that it rests on.

Only ``supported`` fills the value. What is likely but below the calibrated threshold becomes a suggestion, what the
pixels speak against is ``contradicted``, and what no source speaks of is ``unknown``, which is an answer. The seller's
answer stands above print, print above what is seen; what the note states stands above both.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from listing.calibration import Calibration
from listing.decide.views import (
    EVIDENCE_NAMES,
    Distribution,
    Views,
    best,
    combine,
    damped,
    normalised,
    over_photos,
    ranked,
)
from listing.prompts import UNKNOWN
from listing.schema import ANSWER, IMPOSSIBLE_COLOUR, TYPED, AttributeValue, Evidence, Observation, Source
from listing.taxonomy import Attribute, CategoryNode, Taxonomy

ITEM_TYPE, CONDITION = "item_type", "condition"
MIN_SUGGESTION = 0.35
MIN_ALTERNATIVE, ALTERNATIVES = 0.04, 3
MIN_SIGN, SURE_SIGN = 0.65, 0.85  # of wear: from when on it is said, and said without a mark
SURE_SHARE = 0.6  # of the pixels' probability, for a colour that no calibrated source speaks of
MIN_LINES, OF_TWO_COLOURS = 0.5, ("striped", "checked")  # each of the annotated ones has a second colour
LOOKS = {"denim": "denim look", "leather": "leather look"}  # materials that are told by a detail
SECOND = " in the second colour"  # ends the phrases of details that say where it is
_NO_WEAR = "none-visible"
_LOOKING: Mapping[str, Source] = {"mllm": "mllm", "classifier": "classifier", "heads": "classifier"}
_VERY_SURE = 0.95  # print that was read with this score is preferred to larger print
_MIN_VOTE = 0.5  # of past listings, to be named as support
_LIKE_THE_LARGEST = 0.5  # height of letters from which on a second print of a packet belongs to its name
_NAME_LENGTH = 60  # most letters of a name


@dataclass(frozen=True)
class Reading:
    """The sources' word on one attribute: the combined distribution, and each source's own as far as it is heard."""

    attribute: Attribute
    probabilities: Distribution
    sources: Mapping[str, Distribution]
    threshold: float


class Facts:
    """Decides the facts of one item.

    types: category -> the specific types that its photos can show.
    """

    def __init__(
        self,
        views: Views,
        node: CategoryNode,
        taxonomy: Taxonomy,
        calibration: Calibration,
        types: Mapping[str, Sequence[str]],
    ) -> None:
        self.views, self.node, self.taxonomy, self.calibration, self.types = views, node, taxonomy, calibration, types
        form = any(o.source == "mllm" and o.photo is None for o in views.observations)
        self.in_range = node.tuned or form or not taxonomy.tuned() or views.speaks("heads")

    @cached_property
    def readings(self) -> dict[str, Reading]:
        """The sources' word on each attribute that can be seen."""
        attributes = self.taxonomy.schema_of(self.node)
        return {a.name: r for a in attributes if (r := self._reading(a)) is not None}

    def all(self) -> list[AttributeValue]:
        """One fact per attribute of the category, in its order."""
        facts: dict[str, AttributeValue] = {}
        for attribute in self.taxonomy.schema_of(self.node):
            fact = self._fact(attribute)
            repeated = attribute.name == "colour2" and not fact.locked and _repeats(fact, facts.get("colour"))
            facts[attribute.name] = AttributeValue(name=attribute.name) if repeated else fact
        wear = facts.get(CONDITION)
        noted = self.views.first("defects", "note"), self.views.first(CONDITION, "note")
        if noted[0] and not noted[1] and wear is not None and wear.value == _NO_WEAR and not wear.locked:
            facts[CONDITION] = AttributeValue(name=CONDITION)  # a flaw overrules "no wear"
        return list(facts.values())

    def _fact(self, attribute: Attribute) -> AttributeValue:
        for source in (ANSWER, TYPED):
            if answer := self.views.by(attribute.name, source):
                return _answered(attribute.name, answer[0])
        fact = self._printed(attribute.name) or self._visible(attribute) or self._worded(attribute.name)
        note = self.views.by(attribute.name, "note")
        return self._noted(attribute, note[0], fact) if note else fact or AttributeValue(name=attribute.name)

    # -- what is read -----------------------------------------------------------------------------------------------

    def _printed(self, name: str) -> AttributeValue | None:
        """A statement in legible text that no other photo contradicts; of print, the largest that was surely read."""
        statements = self.views.by(name, "ocr")
        if not statements:
            return None
        by_print = self.node.named_by_print or not self.node.name  # a packet, or what nobody has named
        if name == "text" and by_print and (sure := [o for o in statements if _score(o) >= _VERY_SURE]):
            return _name_in_print(sure)
        if name == "text":
            chosen = max(statements, key=lambda o: (_score(o) >= _VERY_SURE, _area(o), _value(o)))
        elif len({_value(o) for o in statements}) > 1:
            return None
        else:
            chosen = max(statements, key=lambda o: ((o.text or "").count("%"), _score(o), -(o.photo or 0)))
        return _supported(name, _value(chosen), _score(chosen), [_evidence(chosen, _value(chosen))])

    def _worded(self, name: str) -> AttributeValue | None:
        """A value that a model reads or calls by itself: to be checked, however sure it is."""
        words = [o for o in self.views.by(name, "mllm") if o.text is not None]
        if not words:
            return None
        evidence = _evidence(words[0], _value(words[0]))
        return _suggested(name, _value(words[0]), _score(words[0]), [evidence])

    def _noted(self, attribute: Attribute, note: Observation, fact: AttributeValue | None) -> AttributeValue:
        """The note's statement; wear that was surely seen is told as well."""
        name, value = attribute.name, _value(note)
        if attribute.many:
            values = [v for v in value.split(", ") if not attribute.values or v in self._values(name)]
            if not values:
                return fact or AttributeValue(name=name)
            value = ", ".join(values)
        stated = seller_fact(name, value, locked=False)
        if fact is None or fact.value is None:
            return stated
        if fact.value == value:
            return stated.model_copy(update={"evidence": [*stated.evidence, *fact.evidence]})
        if attribute.many and fact.value not in (_NO_WEAR, *value.split(", ")):
            both = {"value": f"{value}, {fact.value}", "evidence": [*stated.evidence, *fact.evidence]}
            return stated.model_copy(update=both)
        return stated

    def _values(self, name: str) -> Sequence[str]:
        return next(a.values for a in self.taxonomy.schema_of(self.node) if a.name == name)

    # -- what is seen -----------------------------------------------------------------------------------------------

    def _reading(self, attribute: Attribute) -> Reading | None:
        """All sources that are heard as one distribution; None where none of them speaks."""
        name = attribute.name
        if name == ITEM_TYPE:
            return self._type(attribute)
        if not attribute.values or not attribute.can_be("seen"):
            return None
        sources = self.sources(attribute)
        question = self.calibration.of(name)
        if self.in_range and any(question.weights.values()):
            heard = {s: d for s, d in sources.items() if question.weights.get(s)}
            if combined := combine(heard, question.exponents):
                if name == "colour2":
                    combined = self._second_colour(combined, attribute)
                if name == "material":
                    combined = self._with_its_look(combined)
                return Reading(attribute, combined, heard, question.threshold)
            if "mllm" in sources:  # a model without a calibration is heard by itself
                return Reading(attribute, sources["mllm"], {"mllm": sources["mllm"]}, question.threshold)
        if name == "colour" and "pixels" in sources:
            pixels = {"pixels": sources["pixels"]}
            return Reading(attribute, sources["pixels"], pixels, SURE_SHARE)
        return None

    def _with_its_look(self, shares: Distribution) -> dict[str, float]:
        """Cloth that looks like denim or leather, as likely as the evidence tower says that it does."""
        views = [o.probabilities for o in self.views.by("detail", "evidence_tower") if o.photo in self.views.clear]
        heard = [value for value in LOOKS if views and value in shares]
        looks = {value: max(view.get(LOOKS[value], 0.0) for view in views) for value in heard}
        rest = normalised({value: p for value, p in shares.items() if value not in looks})
        left = max(0.0, 1.0 - sum(looks.values()))
        return {value: left * p for value, p in rest.items()} | looks

    def _second_colour(self, shares: Distribution, attribute: Attribute) -> dict[str, float]:
        """A second colour: at least as likely as a part that has one ("collar in the second colour"), or as stripes."""
        views = self.views.by("detail", "evidence_tower")
        part = max((p for o in views for phrase, p in o.probabilities.items() if phrase.endswith(SECOND)), default=0.0)
        lines = sum(self._seen("pattern").get(pattern, 0.0) for pattern in OF_TWO_COLOURS)
        colours = {value: p for value, p in shares.items() if value in attribute.values}
        rest = normalised({value: p for value, p in shares.items() if value not in colours})
        likely = max(part, lines, sum(colours.values()))
        if lines > MIN_LINES:
            colours = self._beside_the_first(colours)
        named = {value: likely * p for value, p in normalised(colours).items()}
        return named | {value: (1 - likely) * p for value, p in rest.items()}

    def _beside_the_first(self, colours: Distribution) -> dict[str, float]:
        """The second of two equals: which of them was taken for the first is left open."""
        first = self._seen("colour")
        answers = {value: p for value, p in first.items() if value != UNKNOWN}
        main = self.views.first("colour", "seller") or (best(answers)[0] if answers else "")
        both = {
            value: first.get(main, 0.0) * p + first.get(value, 0.0) * colours.get(main, 0.0)
            for value, p in colours.items()
            if value not in (main, "multicolour")
        }
        return both if sum(both.values()) > 0 else dict(colours)

    def _seen(self, name: str) -> Distribution:
        """The sources' word on another attribute; empty where none speaks."""
        attribute = next((a for a in self.taxonomy.schema_of(self.node) if a.name == name), None)
        reading = self._reading(attribute) if attribute else None
        return reading.probabilities if reading else {}

    def sources(self, attribute: Attribute) -> dict[str, Distribution]:
        """Each source's distribution on a closed attribute, over the answers that it has here."""
        pooled = self.views.pooled(attribute.name)
        votes = pooled.pop("neighbours", None)
        sources: dict[str, Distribution] = {s: _within(d, attribute) for s, d in pooled.items()}
        if votes and not attribute.instance:
            count = max((len(o.listing_ids) for o in self.views.by("category", "neighbours")), default=1)
            sources["neighbours"] = damped(_within(votes, attribute), attribute.answers, count)
        return sources

    def _type(self, attribute: Attribute) -> Reading | None:
        """The specific type ("jeans"), among those that items of the category have and that name no other category."""
        fitting = [t for t in self.types.get(self.node.name, ()) if not self._names_another(t)]
        by_photo = {
            i: normalised({t: p for t, p in view.items() if t in fitting})
            for i, view in self.views.classifier(ITEM_TYPE).items()
        }
        shares = over_photos({i: view for i, view in by_photo.items() if view}, self.views.trust)
        if not shares or not self.node.tuned:
            return None
        return Reading(attribute, shares, {"classifier": shares}, self.calibration.of(ITEM_TYPE).threshold)

    def _names_another(self, item_type: str) -> bool:
        leaf = self.taxonomy.find(item_type)
        return leaf is not None and leaf.name != self.node.name

    def _visible(self, attribute: Attribute) -> AttributeValue | None:
        if attribute.name == CONDITION and (signs := self._signs()) is not None:
            return signs
        reading = self.readings.get(attribute.name)
        return None if reading is None else self._apply_threshold(reading)

    def _apply_threshold(self, reading: Reading) -> AttributeValue:
        """The fact behind a reading of the photos."""
        name, absent = reading.attribute.name, reading.attribute.absent
        answers = ranked(reading.probabilities)
        if name == "colour":  # everything has one
            answers = [answer for answer in answers if answer[0] != UNKNOWN] or answers
        value, confidence = answers[0]
        if value in (UNKNOWN, absent):  # "no second colour" is nothing to state
            return AttributeValue(name=name, confidence=confidence)
        evidence = self._support(reading, value)
        others = alternatives(reading.probabilities, {value, UNKNOWN, absent})
        impossible = {v for o in self.views.by(IMPOSSIBLE_COLOUR, "pixels") for v in o.probabilities}
        if name == "colour" and value in impossible:
            suggestion = _suggested(name, value, confidence, evidence, others)
            return suggestion.model_copy(update={"status": "contradicted"})
        measured = name == "colour" and not self.in_range  # by pixels alone: a packet's, the ground's, a reflection
        if confidence >= reading.threshold and value not in reading.attribute.unsettled and not measured:
            return _supported(name, value, confidence, evidence, others)
        if confidence >= MIN_SUGGESTION or name in ("colour", ITEM_TYPE):
            return _suggested(name, value, confidence, evidence, others)
        return AttributeValue(name=name, confidence=confidence)

    def _signs(self) -> AttributeValue | None:
        """The likeliest sign of wear ("creased"), or None where none is likely or nothing looks for them."""
        signs = [
            (p, cue, i)
            for i, view in self.views.classifier(CONDITION).items()
            if self.views.trust[i] > 0 and self.node.tuned
            for cue, p in view.items()
        ]
        p, cue, photo = max(signs, default=(0.0, "", 0))
        if p < MIN_SIGN:
            return None
        evidence = [Evidence(source="classifier", photo=photo, text=cue, score=p)]
        return (_suggested if p < SURE_SIGN else _supported)(CONDITION, cue, p, evidence)

    def _support(self, reading: Reading, value: str) -> list[Evidence]:
        """Evidence of every source that is heard and says so."""
        name, evidence = reading.attribute.name, []
        for source, label in _LOOKING.items():
            if source in reading.sources:
                photo = self._clearest(name, source, value)
                score = reading.sources[source].get(value, 0.0)
                text = value if name == ITEM_TYPE else None
                evidence.append(Evidence(source=label, photo=photo, score=score, text=text))
        if "pixels" in reading.sources:
            clear = [o for o in self.views.by(name, "pixels") if o.photo in self.views.clear]
            evidence += [_evidence(o, value) for o in clear if o.probabilities.get(value, 0.0) > 0]
        vote = self.views.by(name, "neighbours")
        least = _MIN_VOTE if evidence else 0.0
        if "neighbours" in reading.sources and vote and vote[0].probabilities.get(value, 0.0) >= least:
            evidence.append(_evidence(vote[0], value))
        return evidence

    def _clearest(self, name: str, source: str, value: str) -> int | None:
        """The photo that shows the value best; None where the source saw several at once."""
        views = self.views.classifier(name) if source == "classifier" else self.views.per_photo(name, source)
        trust = self.views.trust
        if not views:
            return 0 if self.views.count == 1 else None
        return max(views, key=lambda i: (trust[i] * views[i].get(value, 0.0), -i))


def alternatives(probabilities: Distribution, without: Container[str | None]) -> list[str]:
    """The next likely values, best first."""
    rest = [value for value, p in ranked(probabilities) if p >= MIN_ALTERNATIVE and value not in without]
    return rest[:ALTERNATIVES]


def _within(distribution: Distribution, attribute: Attribute) -> dict[str, float]:
    """The distribution over the answers that the attribute has here; all that is missing from 1 counts as unknown."""
    answers = {value: distribution.get(value, 0.0) for value in attribute.answers}
    answers[UNKNOWN] += max(0.0, 1.0 - sum(answers.values()))
    return answers


def _repeats(fact: AttributeValue, colour: AttributeValue | None) -> bool:
    """True if a second colour only says the first one again."""
    value = fact.value or fact.suggestion
    return colour is not None and value is not None and value in (colour.value, colour.suggestion)


def _supported(name: str, value: str, p: float, evidence: list[Evidence], others: Sequence[str] = ()) -> AttributeValue:
    return AttributeValue(
        name=name, value=value, status="supported", confidence=p, alternatives=list(others), evidence=evidence
    )


def _suggested(name: str, value: str, p: float, evidence: list[Evidence], others: Sequence[str] = ()) -> AttributeValue:
    return AttributeValue(
        name=name, suggestion=value, status="unsupported", confidence=p, alternatives=list(others), evidence=evidence
    )


def _answered(name: str, answer: Observation) -> AttributeValue:
    """A fact by the seller's answer, or by a text that they typed; without a value where they left it out."""
    locked = answer.source == ANSWER
    if answer.probabilities:
        return seller_fact(name, _value(answer), locked=locked)
    return AttributeValue(name=name, locked=locked, evidence=[] if locked else [Evidence(source="seller")])


def seller_fact(name: str, value: str, *, locked: bool = True) -> AttributeValue:
    """A fact that the seller stated: supported by their word; an answer is locked."""
    fact = _supported(name, value, 1.0, [Evidence(source="seller", text=value)])
    return fact.model_copy(update={"locked": locked})


def _evidence(observation: Observation, value: str) -> Evidence:
    """An observation as support of a value."""
    source = EVIDENCE_NAMES[observation.source]
    return Evidence(
        source=source,
        photo=observation.photo,
        box=observation.box,
        text=observation.text if observation.text is not None else value if source == "pixels" else None,
        score=observation.probabilities.get(value),
        listing_ids=observation.listing_ids,
    )


def _value(observation: Observation) -> str:
    return best(observation.probabilities)[0]


def _score(observation: Observation) -> float:
    return best(observation.probabilities)[1]


def _name_in_print(statements: Sequence[Observation]) -> AttributeValue:
    """What a packet is called by its print: what stands on it in the largest letters, and in the next largest."""
    largest, *others = sorted(statements, key=lambda o: (-_letter_height(o), _value(o)))
    second = [
        other
        for other in others
        if _letter_height(other) >= _LIKE_THE_LARGEST * _letter_height(largest)
        and other.photo == largest.photo
        and _value(other).lower() not in _value(largest).lower()
        and len(f"{_value(largest)} {_value(other)}") <= _NAME_LENGTH
    ]
    chosen = [largest, *second[:1]]
    evidence = [_evidence(o, _value(o)) for o in chosen]
    return _supported("text", " ".join(map(_value, chosen)), min(map(_score, chosen)), evidence)


def _letter_height(observation: Observation) -> float:
    """About that of print of several lines, too: the side of a square that one of its letters fills."""
    return math.sqrt(_area(observation) / len(_value(observation)))


def _area(observation: Observation) -> float:
    x0, y0, x1, y1 = observation.box or (0.0, 0.0, 0.0, 0.0)
    return (x1 - x0) * (y1 - y0)
