"""What a text says once its seller has spoken: the claims that it made, less and more what their word makes of them.

A claim goes by the name of the field that it speaks of: an attribute's, ``category``, or ``detail:`` and its phrase.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from listing.decide.claims import NAME, Claim, blend_of, may_have, name_of, sayable
from listing.decide.policies import SELLER_ONLY
from listing.decide.settle import Item
from listing.details import detail_forms
from listing.observe.note import read_note
from listing.observe.seller import ClaimEdits
from listing.schema import DETAIL, Draft, Span


def stated_claims(draft: Draft) -> list[Claim]:
    """The claims that a draft's spans make, and its category."""
    blend = blend_of(draft.attribute("material"))
    noted = read_note(draft.description.partition("\n\n")[2]).facts
    claims = [_claim(span, noted, blend if span.attribute == "material" else "") for span in draft.spans]
    category = draft.category.value
    if category and not any(c.attribute == "category" for c in claims):
        claims.insert(0, Claim("category", category, confidence=draft.category.confidence))
    return list({(c.attribute, c.value): c for c in claims}.values())


def _claim(span: Span, noted: Mapping[str, str], blend: str) -> Claim:
    name, others = span.attribute or "", tuple(span.alternatives)
    read = span.status == "certain" and name in ("size", "material")  # nothing else makes these certain
    in_note = span.status == "seller" and noted.get(name) == span.value
    return Claim(name, span.value, span.status, span.confidence, others, read, blend if read else "", in_note)


def claims_after(draft: Draft, edits: ClaimEdits, item: Item) -> list[Claim]:
    """The draft's claims as the seller leaves them, without what they say besides."""
    before = stated_claims(draft)
    present = {name_of(claim) for claim in before}
    kind = item.kind(category) if (category := edits.get("category")) else None
    left = [each for each in before if not _disproved(draft, each, edits) and (kind is None or may_have(kind, each))]
    after = [claim for each in left for claim in _claims_now(each, edits, item)]
    if edits.get("colour2", "") is None:
        after += _without_second(draft, after, edits, item)
    pairs = {(c.attribute, c.value) for c in after}
    others = [claim for name, value in edits.items() if name in present for claim in told(name, value, item)]
    return after + [c for c in others if (c.attribute, c.value) not in pairs]


def _without_second(draft: Draft, claims: Sequence[Claim], edits: ClaimEdits, item: Item) -> Iterator[Claim]:
    """The facts that details in the second colour said, once it is left out: what has "black stripes" is striped."""
    said = {claim.attribute for claim in claims}
    for claim in claims:
        form = detail_forms().get(claim.value) if claim.attribute == "detail" else None
        if form is None or form.fits(item.node, False):
            continue
        for name, values in form.says.items():
            fact = draft.attribute(name)
            if fact is not None and fact.value in values and name not in said and name not in edits:
                yield Claim(name, fact.value, claim.status, fact.confidence)


def _disproved(draft: Draft, claim: Claim, edits: ClaimEdits) -> bool:
    """True if a detail says of a fact what the seller corrected or left out: no "full zip" where it has no zip."""
    form = detail_forms().get(claim.value) if claim.attribute == "detail" and name_of(claim) not in edits else None
    for name, values in form.says.items() if form is not None and claim.status != "seller" else ():
        fact = draft.attribute(name)
        before = (fact.value or fact.suggestion) if fact is not None else None
        if name in edits and before in values and edits[name] not in values and before != "tie":
            return True
    return False


def _claims_now(claim: Claim, edits: ClaimEdits, item: Item) -> Iterator[Claim]:
    """The claim as it stands once the seller has spoken: as it is, as theirs, or not any more."""
    name = name_of(claim)
    if name not in edits:
        yield claim
    elif claim.value in {c.value for c in told(name, edits[name], item)}:
        read = claim.from_print and claim.status != "check"
        yield replace(claim, status="seller", from_print=read, written_as=claim.status)


def told(name: str, value: str | None, item: Item) -> list[Claim]:
    """Claims of a text on a field that has this value by the seller's word."""
    if value is None or not sayable(item.attributes.get(name), value):
        return []
    if name.startswith(DETAIL):
        return [Claim("detail", value, "seller")]
    return [Claim(name, each, "seller") for each in item.values_in(name, value)]


def unsaid(draft: Draft, edits: ClaimEdits, item: Item) -> Iterator[Claim]:
    """Claims of the seller that no span makes."""
    present = {name_of(span) for span in draft.spans}
    spoken = {NAME, *item.spoken, *SELLER_ONLY}
    spoken |= {"category"} if draft.category.value is None else set()  # the item gets its name
    for name, value in edits.items():
        if name not in present and (is_detail(name, draft) or name in spoken):
            yield from told(name, value, item)


def is_detail(name: str, draft: Draft | None) -> bool:
    """True if it names a detail that texts know, or that the draft's model found."""
    phrase = name.removeprefix(DETAIL)
    of_model = {d.phrase for d in draft.details} if draft is not None else set()
    return name.startswith(DETAIL) and (phrase in detail_forms() or phrase in of_model)


def is_offered(draft: Draft, claim: Claim) -> bool:
    """True if a claim is a detail, what only the seller knows, or something that the draft offers to say."""
    offered = any((o.attribute, o.value) == (claim.attribute, claim.value) for o in draft.offers)
    return offered or claim.attribute in ("detail", "size", *SELLER_ONLY)


def fits(draft: Draft, name: str, item: Item) -> bool:
    """True unless it names a detail that such an item cannot have, or that a text cannot say of it."""
    form = detail_forms().get(name.removeprefix(DETAIL)) if name.startswith(DETAIL) else None
    if form is None or draft.category.value is None:  # none: the model's own words, which the text has already
        return True
    second = draft.attribute("colour2")
    return form.fits(item.node, second is not None and bool(second.value or second.suggestion))


def first_other(marks: Sequence[Span], name: str, value: str | None, item: Item) -> int | None:
    """The first span of that name that says something else."""
    expected = [] if value is None else item.values_in(name, value)
    if name.startswith(DETAIL) and value is not None:
        return None
    return next((n for n, s in enumerate(marks) if name_of(s) == name and s.value not in expected), None)
