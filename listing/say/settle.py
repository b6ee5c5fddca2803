"""Of all that may be said, what is worth saying together: nothing twice, nothing that contradicts what is likelier."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from listing.say.claims import NAME, Claim
from listing.say.forms import detail_forms, form_for, implied, is_plural
from listing.schema import SpanStatus
from listing.taxonomy import CategoryNode, Taxonomy

_EXCLUSIVE = ("sleeve", "neckline")  # attributes of which a thing has one value
_PRINTED = frozenset({"print"})
_KEPT = frozenset({"colour", "brand", "size"})  # the shortest text says them
_PARTS = frozenset({"a", "an", "up", "look", "cut", "legs", "toes", "front"})  # of them a name tells by its adjective
_NO_COLLAR, _COLLARS = ("hood", "crew", "scoop"), ("classic collar", "polo collar", "stand-up collar")
_WEAK = frozenset({"plain", "sporty", "shiny", "lightweight", "smooth", "soft"})


@dataclass
class Item:
    """What a text is about. ``facts``: attribute -> claim; ``details`` are in the order of ``details.yaml``.

    own: details in a model's own words; no form says how to render them, a model that writes can.
    """

    node: CategoryNode
    name: Claim
    noun: str
    plural: bool
    facts: dict[str, Claim]
    details: list[Claim]
    wear: list[Claim] = field(default_factory=list)
    own: list[Claim] = field(default_factory=list)

    def has(self, detail: str) -> Claim | None:
        """The detail of that phrase, or None."""
        return next((claim for claim in self.details if claim.value == detail), None)


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
    silent = implied(node, name.value if name.attribute == NAME else None)
    noun = name.value if name.attribute == NAME else node.phrase
    facts = {n: c for n, c in facts.items() if not _silent(c, silent) and not _in_words(c.value, noun)}
    many = {facts[n].value for n in ("colour", "colour2") if n in facts}
    if len(many) == 1 or "multicolour" in many:
        facts.pop("colour2", None)
    details = _details(claims, node, silent, noun, "colour2" in facts)
    _balance(facts, details)
    _pass_over(node, facts, details)
    order = list(detail_forms())
    details.sort(key=lambda c: order.index(c.value))
    plural = is_plural(noun) if name.attribute == NAME else node.plural
    wear = [c for c in claims if c.attribute == "condition"]
    if any(c.value == "faded" for c in wear):
        details = [c for c in details if c.value != "washed"]
    free = (c for c in claims if c.attribute == "detail" and c.value not in detail_forms())
    own = [c for c in free if not _in_words(c.value, noun)]
    return Item(node, name, noun, plural, facts, details, wear, own)


def _name(claims: Sequence[Claim], category: Claim, node: CategoryNode, facts: dict[str, Claim]) -> Claim:
    """The item type, or the category where something likelier contradicts the type; what is less likely goes."""
    name = next((c for c in claims if c.attribute == NAME), None)
    if name is None:
        return category
    for words in implied(node, name.value):
        attribute, _, value = words.partition("=")
        fact = facts.get(attribute)
        if attribute in _EXCLUSIVE and value and fact and fact.value != value:
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
    """Whether a name has the value in its words ("striped" in "striped shirt", "wide legs" in "wide trousers")."""
    words = noun.replace("-", " ").split()
    parts = [part for part in value.replace("-", " ").split() if part not in _PARTS]
    return bool(parts) and all(any(w.startswith(part.rstrip("s")) for w in words) for part in parts)


def _details(
    claims: Sequence[Claim], node: CategoryNode, silent: frozenset[str], noun: str, second_colour: bool
) -> list[Claim]:
    """Details that this thing can have, one of a kind, without those that a finer one or the name says."""
    forms = detail_forms()
    best = sorted((c for c in claims if c.attribute == "detail" and c.value in forms), key=lambda c: -c.likelihood)
    kinds: set[str] = set()
    kept: list[Claim] = []
    for claim in best:
        form = forms[claim.value]
        words = (form_for(form.adjective, node), form_for(form.behind, node))
        named = _in_words(claim.value, noun) or any(_in_words(w, noun) for w in words if w)
        if claim.value in silent or not form.fits(node, second_colour) or form.kind in kinds or named:
            continue
        if form.kind:
            kinds.add(form.kind)
        kept.append(claim)
    covered = {coarse for claim in kept for coarse in forms[claim.value].covers}
    return [claim for claim in kept if claim.value not in covered]


def _balance(facts: dict[str, Claim], details: list[Claim]) -> None:
    """Between attributes and details: what is finer is said, of two that contradict each other the likelier."""
    forms = detail_forms()
    for claim in list(details):
        for attribute, values in forms[claim.value].says.items():
            fact = facts.get(attribute)
            if fact is None:
                continue
            if fact.value in values:
                facts.pop(attribute)
            elif fact.value not in values and contradicts(attribute, fact, claim):
                if _beats(fact, claim):
                    details.remove(claim)
                    break
                facts.pop(attribute)
    pattern, material = facts.get("pattern"), facts.get("material")
    if pattern and pattern.value in ("graphic", "logo") and "text" in facts and pattern.status != "seller":
        pattern = facts.pop("pattern")
    if material and material.value in ("satin", "leather"):
        details[:] = [c for c in details if c.value != "shiny"]
    if pattern and pattern.value == "solid" and _not_plain(facts, details):
        facts.pop("pattern")
    if _not_plain(facts, details):
        details[:] = [c for c in details if c.value != "plain"]


def _pass_over(node: CategoryNode, facts: dict[str, Claim], details: list[Claim]) -> None:
    """What is not worth a marked word: a guess that tells a buyer nothing."""
    details[:] = [c for c in details if c.status != "check" or c.value not in _WEAK]
    if (pattern := facts.get("pattern")) and pattern.value == "solid" and pattern.status == "check":
        facts.pop("pattern")
    if (closure := facts.get("closure")) and closure.status == "check" and "Bottoms" in node.path:
        facts.pop("closure")


def contradicts(attribute: str, fact: Claim, detail: Claim) -> bool:
    """Whether a thing cannot have both. Some close in two ways; not where the seller says how, and nobody the other."""
    form = detail_forms()[detail.value]
    closed = fact.status == "seller" and detail.status != "seller" and "tie" not in form.says.get("closure", ())
    return (
        attribute == "sleeve"
        or (attribute == "neckline" and fact.value in _NO_COLLAR and detail.value in _COLLARS)
        or (attribute == "pattern" and fact.value == "solid" and form.group in _PRINTED)
        or (attribute == "closure" and closed)
    )


def _not_plain(facts: dict[str, Claim], details: Sequence[Claim]) -> bool:
    """Whether something on it speaks against "plain"."""
    forms = detail_forms()
    loud = {"washed", "ripped", "melange", "denim look", "sequins or glitter", "lace trim"}
    return (
        "text" in facts
        or "colour2" in facts
        or ("pattern" in facts and facts["pattern"].value != "solid")
        or any(c.value in loud or forms[c.value].group in _PRINTED for c in details)
    )


def spare(item: Item) -> list[Claim]:
    """What a text can do without, the least likely first: details, then facts; nothing that the seller says."""
    facts = [c for name, c in item.facts.items() if name not in _KEPT]
    return [
        c for part in (item.details, facts) for c in sorted(part, key=lambda c: c.likelihood) if c.status != "seller"
    ]


def without(item: Item, dropped: Sequence[Claim]) -> Item:
    """The item without these claims."""
    facts = {name: c for name, c in item.facts.items() if c not in dropped}
    return replace(item, details=[c for c in item.details if c not in dropped], facts=facts)
