"""Questions and offers to the seller, and remarks on the model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from listing.backends.base import RepliesUnreadable
from listing.decide.claims import FIBRES, NAME, Claim
from listing.decide.colour_words import members
from listing.decide.decision import Decision
from listing.decide.policies import policy
from listing.decide.settle import Item, implied
from listing.details import detail_forms, exclusive, form_for, load_details, words_stand
from listing.observe.language_model import TOWERS
from listing.say.marks import find_spans
from listing.say.plan import stated_claims
from listing.schema import Category, Draft, Flag, Offer, Question
from listing.taxonomy import CategoryNode

MAX_QUESTIONS = 3
OFFERS_AT_ONCE = 8  # offers at a time: two rows of a phone
MOST = 24  # offers that a draft keeps
MOST_VALUES = 2  # of one attribute
FACT = 0.5  # how much a fact weighs beside a detail of its probability
Likely = Mapping[tuple[str, str], float]  # (attribute, value) -> probability


def questions(decision: Decision, brands: Sequence[str] = ()) -> list[Question]:
    """Questions that only the seller can answer, the most useful first; nothing that is already known.

    brands: those of past listings that look alike, which a shop's seller chooses from.
    """
    category, node = decision.category, decision.node
    first = [_what_it_is(category, node)] if decision.asks_kind else []
    own = {"brand": brands} if decision.rules.taxonomy.voice else {}
    asked = [
        Question(attribute=a.name, text=a.question, choices=list(a.seller_choices or own.get(a.name, ())))
        for a in decision.unanswered
    ]
    return [*first, *asked][:MAX_QUESTIONS]


def _what_it_is(category: Category, node: CategoryNode) -> Question:
    """The question on an item that nobody has named, or by its group alone; the seller can write anything else."""
    kind = node.phrase.removeprefix("piece of ")
    text = f"What kind of {kind} is it?" if node.members and not node.plural else "What is it?"
    return Question(attribute="category", text=text, choices=[c.value for c in category.candidates])


def unreadable(model: str) -> Flag:
    """The remark on a model none of whose replies could be read."""
    message = (
        f"The replies of the model {model!r} cannot be read: it fills in no form and answers no question in the "
        "words that it is given. Serve one that follows instructions, with thinking switched off."
    )
    return Flag(code=RepliesUnreadable.code, message=message)


AWAY = "model-away"


def away() -> Flag:
    """The remark on a draft that was to be a larger model's, and is none."""
    message = (
        "The larger model could not be asked just now, so the small one wrote this draft. Written again once that "
        "answers, it is the larger one's; what you changed stays."
    )
    return Flag(code=AWAY, message=message)


def readable(draft: Draft) -> Draft:
    """The draft as it is. RepliesUnreadable: it rests on no reply of the model, and on no network beside it."""
    alone = not any(observation.source in TOWERS for observation in draft.observations)
    for flag in draft.flags:
        if flag.code == RepliesUnreadable.code and alone:
            raise RepliesUnreadable(flag.message)
    return draft


def offers_of(likely: Likely, item: Item) -> list[Offer]:
    """All that is likely as offers, the best first; ``open_offers`` says which of them a draft still has.

    No fibre: no photo shows one. Of an attribute the likeliest values alone, and behind details of twice their
    probability: a fact has a place of its own to be set, a detail has to be typed.
    """
    labels, values = set[str](), Counter[str]()
    ranked = sorted(likely.items(), key=lambda entry: (-_worth(entry), entry[0]))
    offers = []
    for (attribute, value), p in ranked:
        label = _label(attribute, value, item)
        few = attribute == "detail" or values[attribute] < MOST_VALUES
        words = label.replace("-", " ")
        if words and words not in labels and value not in FIBRES and few:
            labels.add(words)
            values[attribute] += 1
            offers.append(Offer(attribute=attribute, value=value, label=label, confidence=min(1.0, p)))
    return offers


def searchable(draft: Draft, item: Item) -> list[Offer]:
    """Every detail that a text can say of such an item and does not say, what is offered first."""
    category = draft.category.value
    if not draft.spans or category is None:
        return []
    offered = {("detail", o.value): o.confidence for o in draft.offers if o.attribute == "detail"}
    in_text = {span.value for span in draft.spans if span.attribute == "detail"}
    others = {("detail", phrase): 0.0 for phrase in detail_forms() if phrase not in in_text}
    return offers_of({**others, **offered}, item)


def statable(draft: Draft, item: Item) -> list[Offer]:
    """Every detail, and behind them every value of a closed fact, that a text can say of such an item and does not."""
    category = draft.category.value
    if not draft.spans or category is None:
        return []
    in_text: set[tuple[str | None, str | None]] = {(span.attribute, span.value) for span in draft.spans}
    in_text |= {(a.name, a.value) for a in draft.attributes if a.locked}
    facts = [
        Offer(attribute=a.name, value=value, label=label, confidence=0.0)
        for a in item.schema
        if a.in_text is not None
        for value in a.values
        if (a.name, value) not in in_text
        if (label := _label(a.name, value, item).removeprefix(f"{a.label}: "))
    ]
    return [*searchable(draft, item), *facts]


def _worth(entry: tuple[tuple[str, str], float]) -> float:
    (attribute, _), p = entry
    return p if attribute in ("detail", "colour") else p * FACT


def open_offers(draft: Draft, item: Item) -> list[Offer]:
    """Those offers of a draft that its texts do not say, that fit the item and contradict nothing that is sure."""
    claims = stated_claims(draft)
    if not draft.spans or draft.category.value is None:
        return []
    before, text = item.of(claims), f"{draft.title}. {draft.description}"
    written = {c.value for c in claims if c.attribute == "detail"} | load_details().named(text)
    offers: list[Offer] = []
    for offer in draft.offers:
        if offer.attribute == "detail":
            said = offer.value in written or words_stand(offer.label, text)
            said = said or _excluded(offer.value, draft, claims, before)
        else:
            said = _speaks(draft, claims, offer, before)
        if not said and _adds(offer, claims, before):
            offers.append(offer)
    return offers[:MOST]


def _excluded(detail: str, draft: Draft, claims: Sequence[Claim], item: Item) -> bool:
    """True if what the texts say for sure leaves no room for a detail: no puffed sleeves where it is sleeveless."""
    forms, sure = detail_forms(), [c for c in claims if c.status != "check"]
    stated = {c.value for c in sure if c.attribute == "detail" and c.value in forms}
    if any(detail in line and not stated.isdisjoint(line) for line in exclusive()):
        return True
    barred = [Claim(name, value) for name, values in forms[detail].unless.items() for value in values]
    spoken = find_spans(draft.texts, item, [*claims, *barred]) if barred else []
    said = {(c.attribute, c.value) for c in sure} | {(s.attribute, s.value) for s in spoken if s.status != "check"}
    said |= {(name, value) for each in stated for name, values in forms[each].says.items() for value in values}
    silent = _silent(item)
    return any((c.attribute, c.value) in said or f"{c.attribute}={c.value}" in silent for c in barred)


def _silent(item: Item) -> frozenset[str]:
    return implied(item.node, item.name.value if item.name.attribute == NAME else None)


def _label(attribute: str, value: str, item: Item) -> str:
    """The words on an offer's button; empty where a text has no words for it."""
    if attribute == "detail":
        form = detail_forms().get(value)
        if form is None or not form.fits(item.node):
            return ""
        looks = f"looks {form.looks}" if form.looks else ""
        return re.sub(r"^an? ", "", form_for(form.behind, item.node)) or form_for(form.adjective, item.node) or looks
    if attribute == NAME:
        return f"type: {value}"
    spec = item.attributes[attribute]
    if value in spec.unspoken:
        return ""
    words = value.replace("-", " ")
    if attribute == "colour2":
        return f"also {words}"
    if attribute == "audience":
        return "for a baby" if value == "baby" else f"for {words}"
    if attribute == "condition":
        return next(iter(spec.phrases.get(value, ())), words)
    forms = spec.forms.get(value)
    if forms is None:
        return f"{spec.label}: {value}"
    return next((re.sub(r"^an? ", "", each) for each in (*forms.before, *forms.behind) if each), words)


def _speaks(draft: Draft, claims: Sequence[Claim], offer: Offer, item: Item) -> bool:
    """True if the texts speak of an attribute: another value of it is a tap on its word away.

    Not of a colour that they name by its family alone.
    """
    said = [claim.value for claim in claims if claim.attribute == offer.attribute]
    if said:
        return not any(offer.attribute == "colour" and offer.value in members(value) for value in said)
    others = [claim for claim in claims if claim.attribute == "category" and offer.attribute != NAME]
    values = item.attributes[offer.attribute].values if policy(offer.attribute).single else (offer.value,)
    texts = find_spans(draft.texts, item, [*others, *(Claim(offer.attribute, value) for value in values)])
    return any(span.attribute == offer.attribute for span in texts)


def _adds(offer: Offer, claims: Sequence[Claim], before: Item) -> bool:
    """True if a text would say it, and would say no less of what is sure."""
    claim = Claim(offer.attribute, offer.value, "seller", offer.confidence)
    if offer.attribute == "detail":
        if "text" in before.facts and detail_forms()[offer.value].place == "printed":  # the print says it finer
            return False
    elif offer.attribute != NAME and not _silent(before).isdisjoint(
        (offer.attribute, f"{offer.attribute}={offer.value}", f"={offer.value}")
    ):
        return False
    after = before.of([*claims, claim])
    here = [after.name, *after.facts.values(), *after.details, *after.wear]
    gone = [c for c in (*before.facts.values(), *before.details) if c not in here]
    return claim in here and all(c.status == "check" or _finer(claim, c) for c in gone)


def _finer(claim: Claim, other: Claim) -> bool:
    """True if a detail says another claim, too, or a colour which one of a family it is."""
    if claim.attribute == other.attribute == "colour":
        return claim.value in members(other.value)
    form = detail_forms().get(claim.value) if claim.attribute == "detail" else None
    return form is not None and (other.value in form.covers or other.value in form.says.get(other.attribute, ()))
