"""What the photos may show and the texts do not say: offered to the seller, who adds it with a tap."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from listing.observe.networks.details import load_details
from listing.say.claims import FIBRES, NAME, Claim
from listing.say.forms import detail_forms, form_for, implied
from listing.say.settle import Item, settle
from listing.say.spans import find_spans, said
from listing.schema import Draft, Offer
from listing.taxonomy import CategoryNode, Taxonomy

SHOWN = 8  # offers at a time: two rows of a phone
MOST = 24  # offers that a draft keeps
MOST_VALUES = 2  # of one attribute
FACT = 0.5  # how much a fact weighs beside a detail of its probability
Likely = Mapping[tuple[str, str], float]  # (attribute, value) -> probability


def offers_of(likely: Likely, category: str, taxonomy: Taxonomy) -> list[Offer]:
    """All that is likely as offers, the best first; ``open_offers`` says which of them a draft still has.

    No fibre: no photo shows one. Of an attribute the likeliest values alone, and behind details of twice their
    probability: a fact has a place of its own to be set, a detail has to be typed.
    """
    node, labels, values = taxonomy.node(category), set[str](), Counter[str]()
    ranked = sorted(likely.items(), key=lambda entry: (-_worth(entry), entry[0]))
    offers = []
    for (attribute, value), p in ranked:
        label = _label(attribute, value, node, taxonomy)
        few = attribute == "detail" or values[attribute] < MOST_VALUES
        if label and label not in labels and value not in FIBRES and few:
            labels.add(label)
            values[attribute] += 1
            offers.append(Offer(attribute=attribute, value=value, label=label, confidence=min(1.0, p)))
    return offers


def searchable(draft: Draft, taxonomy: Taxonomy) -> list[Offer]:
    """Every detail that a text can say of such a thing and does not say, what is offered first."""
    category = draft.category.value
    if not draft.spans or category is None:
        return []
    offered = {("detail", o.value): o.confidence for o in draft.offers if o.attribute == "detail"}
    said = {span.value for span in draft.spans if span.attribute == "detail"}
    others = {("detail", phrase): 0.0 for phrase in detail_forms() if phrase not in said}
    return offers_of({**others, **offered}, category, taxonomy)


def facts_to_say(draft: Draft, taxonomy: Taxonomy) -> list[Offer]:
    """Every value of the closed facts that a text can say of such a thing and does not say."""
    category = draft.category.value
    if not draft.spans or category is None:
        return []
    node = taxonomy.node(category)
    said: set[tuple[str | None, str | None]] = {(span.attribute, span.value) for span in draft.spans}
    said |= {(a.name, a.value) for a in draft.attributes if a.locked}
    return [
        Offer(attribute=a.name, value=value, label=label, confidence=0.0)
        for a in taxonomy.schema_of(node)
        if a.in_text is not None
        for value in a.values
        if (a.name, value) not in said and (label := _label(a.name, value, node, taxonomy).removeprefix(f"{a.label}: "))
    ]


def _worth(entry: tuple[tuple[str, str], float]) -> float:
    (attribute, _), p = entry
    return p if attribute == "detail" else p * FACT


def open_offers(draft: Draft, taxonomy: Taxonomy) -> list[Offer]:
    """Those offers of a draft that its texts do not say, that fit the thing and contradict nothing that is sure."""
    claims = said(draft)
    if not draft.spans or draft.category.value is None:
        return []
    before = settle(claims, taxonomy)
    own = f"{draft.title}. {draft.description.partition(chr(10) * 2)[0]}"
    written = {c.value for c in claims if c.attribute == "detail"} | load_details().named(own)
    found: list[Offer] = []
    for offer in draft.offers:
        if offer.value in written if offer.attribute == "detail" else _speaks(draft, claims, offer, taxonomy):
            continue
        if _adds(offer, claims, before, taxonomy):
            found.append(offer)
    return found[:MOST]


def _label(attribute: str, value: str, node: CategoryNode, taxonomy: Taxonomy) -> str:
    """What an offer says on its button; empty where a text has no words for it."""
    if attribute == "detail":
        form = detail_forms().get(value)
        if form is None or not form.fits(node):
            return ""
        looks = f"looks {form.looks}" if form.looks else ""
        return re.sub(r"^an? ", "", form_for(form.behind, node)) or form_for(form.adjective, node) or looks
    if attribute == NAME:
        return f"type: {value}"
    known = taxonomy.attributes[attribute]
    if value in known.unspoken:
        return ""
    words = value.replace("-", " ")
    if attribute == "colour2":
        return f"also {words}"
    if attribute == "audience":
        return "for a baby" if value == "baby" else f"for {words}"
    if attribute == "condition":
        return next(iter(known.phrases.get(value, ())), words)
    forms = known.forms.get(value)
    if forms is None:
        return f"{known.label}: {value}"
    return next((re.sub(r"^an? ", "", each) for each in (*forms.before, *forms.behind) if each), words)


def _speaks(draft: Draft, claims: Sequence[Claim], offer: Offer, taxonomy: Taxonomy) -> bool:
    """Whether the texts speak of an attribute: another value of it is a tap on its word away."""
    if any(claim.attribute == offer.attribute for claim in claims):
        return True
    others = [claim for claim in claims if claim.attribute == "category"]
    claim = Claim(offer.attribute, offer.value)
    texts = find_spans({"title": draft.title, "description": draft.description}, [*others, claim], taxonomy)
    return any(span.attribute == offer.attribute for span in texts)


def _adds(offer: Offer, claims: Sequence[Claim], before: Item, taxonomy: Taxonomy) -> bool:
    """Whether a text would say it, and would say no less of what is sure."""
    claim = Claim(offer.attribute, offer.value, "seller", offer.confidence)
    if offer.attribute == "detail":
        if "text" in before.facts and detail_forms()[offer.value].place == "printed":  # the print says it finer
            return False
    elif offer.attribute != NAME:
        silent = implied(before.node, before.name.value if before.name.attribute == NAME else None)
        if {offer.attribute, f"{offer.attribute}={offer.value}", f"={offer.value}"} & silent:
            return False
    after = settle([*claims, claim], taxonomy)
    here = [after.name, *after.facts.values(), *after.details, *after.wear]
    gone = [c for c in (*before.facts.values(), *before.details) if c not in here]
    return claim in here and all(c.status == "check" or _finer(claim, c) for c in gone)


def _finer(claim: Claim, other: Claim) -> bool:
    """Whether a detail says another claim, too."""
    form = detail_forms().get(claim.value) if claim.attribute == "detail" else None
    return form is not None and (other.value in form.covers or other.value in form.says.get(other.attribute, ()))
