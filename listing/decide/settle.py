"""Choosing the claims that are worth stating together: nothing twice, nothing that contradicts what is likelier."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path

import yaml

from listing.decide.claims import FIRM, NAME, Claim, is_legible
from listing.decide.colour_words import members
from listing.decide.policies import policy
from listing.details import detail_forms, form_for
from listing.lexicon import Lexicon, load_lexicon, words
from listing.schema import AttributeValue, Evidence, SpanStatus
from listing.taxonomy import Attribute, CategoryNode, Taxonomy, head_of, is_plural

NOUN_FILE = Path(__file__).with_name("nouns.yaml")
_PRINTED = frozenset({"print"})
_PARTS = frozenset({"a", "an", "up", "look", "cut", "legs", "toes", "front"})  # of them a name tells by its adjective
_PRINTS = ("graphic", "logo")  # patterns that a detail tells better
_MOST_OF_A_PRINT = 3  # its place, its size, what it shows: a guess on top is one "print" too many
_WAISTS = ("elastic waist", "drawstring waist")  # both are said where both are likely


def implied(node: CategoryNode, item_type: str | None) -> frozenset[str]:
    """Claims that an item's name makes already: ``attribute=value``, attributes and details."""
    raw = _nouns()
    implications = (*raw["types"].get(item_type or "", ()), *raw["categories"].get(node.name, ()))
    return frozenset(implications) | {f"={value}" for value in node.implies}


@lru_cache(maxsize=1)
def _nouns() -> dict[str, dict[str, list[str]]]:
    raw: dict[str, dict[str, list[str]]] = yaml.safe_load(NOUN_FILE.read_text(encoding="utf-8"))
    return raw


@dataclass
class Item:
    """The item that a text is about. ``facts``: attribute -> claim; ``details`` are in the order of ``details.yaml``.

    free_details: in a model's own words; no form says how to render them, a model that writes can. ``print_name``:
    legible print as its name. ``claims``: all that was chosen from.
    """

    node: CategoryNode
    name: Claim
    noun: str
    plural: bool
    facts: dict[str, Claim]
    details: list[Claim]
    wear: list[Claim] = field(default_factory=list)
    free_details: list[Claim] = field(default_factory=list)
    print_name: Claim | None = None
    claims: Sequence[Claim] = ()
    taxonomy: Taxonomy = field(kw_only=True, repr=False)

    @property
    def attributes(self) -> Mapping[str, Attribute]:
        """All attributes, with their words."""
        return self.taxonomy.attributes

    @cached_property
    def spoken(self) -> tuple[str, ...]:
        """Names of the attributes that texts mention, in this order."""
        return tuple(a.name for a in self.taxonomy.in_text())

    @property
    def named(self) -> list[Claim]:
        """The claims of its category and its name."""
        return [c for c in self.claims if c.attribute in (NAME, "category")]

    def of(self, claims: Sequence[Claim]) -> Item:
        """The item that other claims make."""
        return settle(claims, self.taxonomy)

    def kind(self, category: str) -> CategoryNode:
        """The kind that it is where it is of that category."""
        return self.taxonomy.node(category)

    def values_in(self, name: str, text: str) -> list[str]:
        """The values of a fact as it is written."""
        return self.taxonomy.values_in(name, text)

    @cached_property
    def schema(self) -> tuple[Attribute, ...]:
        """The attributes of its kind, with the values that occur there."""
        return self.taxonomy.schema_of(self.node)

    @property
    def uncounted(self) -> bool:
        """True if its name has no article ("bedding", "beef jerky")."""
        return head_of(self.noun) in words("uncounted")

    def has(self, detail: str) -> Claim | None:
        """The detail of that phrase, or None."""
        return next((claim for claim in self.details if claim.value == detail), None)


def item_of(category: str | None, taxonomy: Taxonomy) -> Item:
    """The item of a category of which nothing else is said yet; None: one that nobody has named."""
    return settle([Claim("category", category or "")], taxonomy)


def settle(claims: Sequence[Claim], taxonomy: Taxonomy) -> Item:
    """Choose the name and what is said of it.

    Raises:
        KeyError: no claim names a category.
    """
    category = next((c for c in claims if c.attribute == "category"), None)
    if category is None:
        raise KeyError("a text needs a category")
    node = taxonomy.node(category.value)
    facts = {c.attribute: c for c in claims if c.attribute not in ("category", "detail", "condition", NAME)}
    name = _name(claims, category, node, facts)
    typed = name.attribute == NAME
    silent, noun = implied(node, name.value if typed else None), name.value if typed else node.phrase
    facts = _unsaid_facts(facts, silent, noun)
    details, free_details = _details(claims, node, silent, noun, "colour2" in facts)
    _balance(facts, details)
    _pass_over(node, facts, details)
    print_name = naming_print(node, facts, load_lexicon(taxonomy)) if node.named_by_print else None
    if node.named_by_print:
        facts = _of_packet(facts, ("colour", "colour2") if print_name else ("text",))
    wear = [c for c in claims if c.attribute == "condition"]
    order, faded = list(detail_forms()), any(c.value == "faded" for c in wear)
    details = sorted((c for c in details if not (faded and c.value == "washed")), key=lambda c: order.index(c.value))
    plural = is_plural(noun) if typed else node.plural
    return Item(
        node, name, noun, plural, facts, details, wear, free_details, print_name, claims, taxonomy=taxonomy
    )  # fmt: skip


def _unsaid_facts(facts: Mapping[str, Claim], silent: Iterable[str], noun: str) -> dict[str, Claim]:
    """The facts that the name does not say already, without a second colour that is none."""
    left = {n: c for n, c in facts.items() if not _silent(c, silent) and not _in_words(c.value, noun)}
    first, second = left.get("colour"), left.get("colour2")
    if second:
        value = first.value if first else second.value if second.status != "seller" else ""
        doubled = second.status != "seller" and second.value in members(value)
        if doubled or "multicolour" in (value, second.value) or second.value == value:
            left.pop("colour2")
    return left


def _of_packet(facts: dict[str, Claim], left_out: Sequence[str]) -> dict[str, Claim]:
    """The colour is that of a packet, and print that is hardly words names nothing."""
    return {n: c for n, c in facts.items() if n not in left_out or c.status == "seller"}


def _name(claims: Sequence[Claim], category: Claim, node: CategoryNode, facts: dict[str, Claim]) -> Claim:
    """The item type, or the category where something likelier contradicts the type; what is less likely goes."""
    name = next((c for c in claims if c.attribute == NAME), None)
    if name is None:
        return category
    if name.status == "check" and (name.value == node.phrase or category.place_status == "seller"):
        return category  # it is called so, too, or the seller has named it: no guess knows better
    for said in implied(node, name.value):
        attribute, _, value = said.partition("=")
        fact = facts.get(attribute)
        if policy(attribute).single and value and fact and fact.value != value:
            if _beats(fact, name):
                return category
            facts.pop(attribute)
    return name


def _beats(one: Claim, other: Claim) -> bool:
    rank: dict[SpanStatus, int] = {"seller": 2, "certain": 1, "check": 0}
    return (rank[one.status] == 2, one.likelihood) > (rank[other.status] == 2, other.likelihood)


def _silent(fact: Claim, silent: Iterable[str]) -> bool:
    if fact.status == "seller":
        return False
    return bool({fact.attribute, f"{fact.attribute}={fact.value}", f"={fact.value}"} & set(silent))


def _in_words(value: str, noun: str) -> bool:
    """True if a name has the value in its words ("striped" in "striped shirt", "wide legs" in "wide trousers")."""
    words = noun.replace("-", " ").split()
    parts = [part for part in value.replace("-", " ").split() if part not in _PARTS]
    return bool(parts) and all(any(w.startswith(part.rstrip("s")) for w in words) for part in parts)


def _details(
    claims: Sequence[Claim], node: CategoryNode, silent: frozenset[str], noun: str, second_colour: bool
) -> tuple[list[Claim], list[Claim]]:
    """Details that this item can have, one of a kind, without those that the name or a likely finer one says.

    Behind them those in a model's own words.
    """
    forms = detail_forms()
    details = [c for c in claims if c.attribute == "detail"]
    kinds: set[str] = set()
    chosen: list[Claim] = []
    for claim in sorted((c for c in details if c.value in forms), key=lambda c: -c.likelihood):
        form = forms[claim.value]
        words = (form_for(form.adjective, node), form_for(form.behind, node))
        named = _in_words(claim.value, noun) or any(_in_words(w, noun) for w in words if w)
        if claim.value in silent or not form.fits(node, second_colour) or form.kind in kinds or named:
            continue
        kinds |= {form.kind} if form.kind else set()
        chosen.append(claim)
    names = {claim.value for claim in chosen}
    guessed = {
        c.value for c in chosen if c.status == "check" and c.likelihood < FIRM and names & {*forms[c.value].covers}
    }
    covered = guessed | {
        coarse for claim in chosen for coarse in forms[claim.value].covers if claim.value not in guessed
    }
    free_details = [c for c in details if c.value not in forms and not _in_words(c.value, noun)]
    return [claim for claim in chosen if claim.value not in covered], free_details


def _balance(facts: dict[str, Claim], details: list[Claim]) -> None:
    """Between attributes and details: what is finer is said, of two that contradict each other the likelier."""
    details[:] = [claim for claim in details if _outlives(claim, facts)]
    pattern, material = facts.get("pattern"), facts.get("material")
    if pattern and pattern.value in _PRINTS and "text" in facts and pattern.status != "seller":
        pattern = facts.pop("pattern")
    if material and (other := next((c for c in details if detail_forms()[c.value].kind == "fabric"), None)):
        if _beats(material, other):  # of "leather-look suede-look" the likelier
            details.remove(other)
        else:
            facts.pop("material")
    if material and material.value in ("satin", "leather"):
        details[:] = [c for c in details if c.value != "shiny"]
    if pattern and pattern.value == "solid":
        facts.pop("pattern", None)  # no text calls a thing plain: what is on it may hardly show


def _outlives(detail: Claim, facts: dict[str, Claim]) -> bool:
    """True if no likelier fact contradicts a detail, nor a sure pattern says it; what it says or contradicts goes."""
    form = detail_forms()[detail.value]
    said = any(name in facts and facts[name].value in values for name, values in form.unless.items())
    if said and detail.status != "seller":
        return False
    for attribute, values in form.says.items():
        fact = facts.get(attribute)
        if fact is not None and fact.value in values:
            unsure = detail.status == "check" and detail.likelihood < FIRM
            if unsure and attribute == "pattern" and fact.status != "check" and fact.value not in _PRINTS:
                return False
            facts.pop(attribute)
        elif fact is not None and contradicts(attribute, fact, detail):
            if _beats(fact, detail):
                return False
            facts.pop(attribute)
    return True


def _pass_over(node: CategoryNode, facts: dict[str, Claim], details: list[Claim]) -> None:
    """Leave out what is not worth a marked word: a guess that tells a buyer nothing."""
    more = [c for c in details if detail_forms()[c.value].group in _PRINTED][_MOST_OF_A_PRINT:]
    waists = [c for c in details if c.value in _WAISTS]
    if len(waists) > 1 and min(c.likelihood for c in waists) < FIRM:
        more.append(min(waists, key=lambda c: c.likelihood))
    details[:] = [c for c in details if c.status != "check" or not (detail_forms()[c.value].weak or c in more)]
    if (closure := facts.get("closure")) and closure.status == "check" and "Bottoms" in node.path:
        facts.pop("closure")


def naming_print(node: CategoryNode, facts: Mapping[str, Claim], lexicon: Lexicon) -> Claim | None:
    """The print that such an item is called by, where it can be read."""
    text = facts.get("text")
    return text if text is not None and node.named_by_print and is_legible(text, lexicon) else None


def contradicts(attribute: str, fact: Claim, detail: Claim) -> bool:
    """True if an item cannot have both. Some close in two ways; not where the seller says how, and nobody the other."""
    form, rule = detail_forms()[detail.value], policy(attribute).against
    if rule is None or (rule.values and fact.value not in rule.values):
        return False
    if rule.seller:
        told = fact.status == "seller" and detail.status != "seller"
        return told and rule.beside.isdisjoint(form.says.get(attribute, ()))
    return not (rule.details or rule.groups) or detail.value in rule.details or form.group in rule.groups


def without_excluded(
    facts: Sequence[AttributeValue], told: Mapping[str, bool], present: Set[str]
) -> list[AttributeValue]:
    """The facts; of those that nobody stated, what the seller's word on a detail rules out goes, or is another.

    told: details of which the seller said that they are there, or not: "no elastic waist" is not pulled on.
    present: the details that are there.
    """
    return [fact if _is_stated(fact) else _beside(fact, told, present) for fact in facts] if told else [*facts]


def _is_stated(fact: AttributeValue) -> bool:
    return fact.locked or "seller" in {e.source for e in fact.evidence}


def _beside(fact: AttributeValue, told: Mapping[str, bool], present: Set[str]) -> AttributeValue:
    """A fact beside what the seller said of details."""
    name, value = fact.name, fact.value or fact.suggestion
    seller = [Evidence(source="seller")]
    for phrase, there in told.items() if value is not None else ():
        values = _values_by(phrase, name)
        if not there and value in values and not any(value in _values_by(other, name) for other in present):
            return AttributeValue(name=name, evidence=seller)
        told_of = Claim("detail", phrase, "seller")
        if there and values and value not in values and contradicts(name, Claim(name, value or ""), told_of):
            one = values[0] if len(values) == 1 else None
            return AttributeValue(
                name=name, value=one, status="supported" if one else "unknown", confidence=1.0 if one else None,
                evidence=[Evidence(source="seller", text=one)],
            )  # fmt: skip
    return fact


def _values_by(phrase: str, name: str) -> tuple[str, ...]:
    """The values of an attribute that a detail states along: "full zip" that it closes with a zip."""
    form = detail_forms().get(phrase)
    return form.says.get(name, ()) if form else ()


def spare(item: Item) -> list[Claim]:
    """Claims that a text can do without, the least likely first: details, then facts; nothing that the seller says."""
    facts = [c for name, c in item.facts.items() if not policy(name).short]
    return [
        c for part in (item.details, facts) for c in sorted(part, key=lambda c: c.likelihood) if c.status != "seller"
    ]


def without(item: Item, dropped: Sequence[Claim]) -> Item:
    """The item without these claims."""
    facts = {name: c for name, c in item.facts.items() if c not in dropped}
    return replace(item, details=[c for c in item.details if c not in dropped], facts=facts)
