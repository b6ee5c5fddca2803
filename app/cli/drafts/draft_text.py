"""A draft as plain text for the terminal: facts with their signs and what each rests on."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from app.views import FAR_FETCHED, likely_candidates
from listing.decide.claims import LIKELY
from listing.say.ask import OFFERS_AT_ONCE
from listing.say.check import LEFT_OUT
from listing.schema import AttributeValue, Category, Draft, Evidence, TextField
from listing.taxonomy import load_taxonomy

SIGNS = {"supported": "●", "unsupported": "◐", "unknown": "○", "contradicted": "✕"}
LEGEND = "● supported   ◐ guess: please check   ○ not known   ✕ contradicted"
WIDTH = 79  # of a terminal of 80 columns
VALUE_WIDTH = 24  # of a column of values; longer ones push what they rest on to the right


def draft_text(draft: Draft) -> str:
    """The whole draft, for reading: the listing first, what is marked in it, then what it rests on."""
    blocks = [
        _wrapped(marked(draft, "title")),
        "\n".join(map(_wrapped, marked(draft, "description").splitlines())),
        "\n".join(line for line in (_to_check(draft), _left_out(draft), _could_add(draft)) if line),
        _listed("Only you can answer", (q.text + _choices(q.choices) for q in draft.questions)),
        category_line(draft.category),
        "\n".join(fact_lines(draft.attributes)),
        _price(draft),
        _listed("Please look at", (flag.message for flag in draft.flags if flag.code != LEFT_OUT)),
        _listed(f"Quality {draft.quality.score} of 100", draft.quality.tips),
        f"Written by {draft.model}",
    ]
    return "\n\n".join(block for block in blocks if block)


def marked(draft: Draft, field: TextField) -> str:
    """The text with what the seller should look at as ``[navy?]``."""
    text = draft.title if field == "title" else draft.description
    for span in sorted((s for s in draft.spans if s.field == field), key=lambda s: -s.start):
        if span.status == "check":
            text = f"{text[: span.start]}[{text[span.start : span.end]}?]{text[span.end :]}"
    return text


def _to_check(draft: Draft) -> str:
    """One line of what is marked, with what else it may be."""
    entries: dict[tuple[str | None, str], str] = {}
    likely = {c.value for c in likely_candidates(draft.category)}
    for span in draft.spans:
        if span.status == "check":
            text = draft.title if span.field == "title" else draft.description
            others = [v for v in span.alternatives if span.attribute != "category" or v in likely]
            other = f" (or {', '.join(others)})" if others else ""
            words = text[span.start : span.end]
            entries.setdefault((span.attribute, span.value), (words if '"' in words else words.lower()) + other)
    line = "; ".join(entries.values())
    return textwrap.fill(f"Please check: {line}", WIDTH, subsequent_indent="  ") if line else ""


def _left_out(draft: Draft) -> str:
    """One line of what was taken out of a model's text."""
    line = "; ".join(dict.fromkeys(flag.message for flag in draft.flags if flag.code == LEFT_OUT))
    return textwrap.fill(f"Left out: {line}", WIDTH, subsequent_indent="  ") if line else ""


def _could_add(draft: Draft) -> str:
    """One line of what the photos may show and the text does not say."""
    line = ", ".join(offer.label for offer in draft.offers[:OFFERS_AT_ONCE])
    return textwrap.fill(f"Could add: {line}", WIDTH, subsequent_indent="  ") if line else ""


def category_line(category: Category) -> str:
    """What it is, how sure, and what else it may be."""
    others = [
        f"{c.value} {c.confidence:.0%}"
        for c in likely_candidates(category)
        if c.value != category.value and c.confidence >= 0.01
    ]
    if category.value is None:
        return "Outside what I know" + (f"; the nearest are {', '.join(others)}" if others else "")
    tail = f" (or {', '.join(others)})" if others else ""
    if category.confidence < FAR_FETCHED:
        return f"Not sure what it is, perhaps {category.value}, {category.confidence:.0%}{tail}"
    outside = "" if category.in_range else "; outside the range that the model was tuned on"
    how = "sure" if category.confidence >= LIKELY else "perhaps"
    return f"{category.value}, {how} {category.confidence:.0%}{tail}{outside}"


def fact_lines(attributes: Iterable[AttributeValue]) -> list[str]:
    """A legend and one line a fact; nothing without facts."""
    facts = list(attributes)
    if not facts:
        return []
    known = load_taxonomy().attributes
    labels = [known[a.name].label if a.name in known else a.name for a in facts]
    name_width = max(map(len, labels))
    value_width = min(VALUE_WIDTH, max(len(_value(a)) for a in facts))
    lines = [
        f"  {SIGNS[a.status]} {label:<{name_width}}  {_value(a):<{value_width}}  {support(a)}".rstrip()
        for a, label in zip(facts, labels, strict=True)
    ]
    return [*(textwrap.fill(line, WIDTH, subsequent_indent=" " * (name_width + 6)) for line in lines), f"  {LEGEND}"]


def support(attribute: AttributeValue) -> str:
    """What a fact rests on, in plain words."""
    reasons = list(dict.fromkeys(reason for e in attribute.evidence if (reason := _reason(e))))
    if attribute.status == "unsupported" and attribute.suggestion:
        reasons.append("guess: please check")
    if attribute.confidence is not None and attribute.status != "unknown":
        reasons.append(f"{attribute.confidence:.0%}")
    return ", ".join(reasons)


def _reason(evidence: Evidence) -> str:
    where = "" if evidence.photo is None else f" in photo {evidence.photo + 1}"
    if evidence.source == "ocr":
        return f'read "{evidence.text}"{where}' if evidence.text else f"read{where}"
    if evidence.source == "pixels":
        return f"measured on the pixels{where}"
    if evidence.source in ("mllm", "classifier"):
        return f"seen{where}"
    if evidence.source == "neighbours":
        return f"like {len(evidence.listing_ids)} past listings" if evidence.listing_ids else "like past listings"
    return "you told us"


def _value(attribute: AttributeValue) -> str:
    if attribute.value is not None:
        return attribute.value
    return f"{attribute.suggestion}?" if attribute.suggestion else "-"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH)


def _price(draft: Draft) -> str:
    if draft.price is None:
        return ""
    p = draft.price
    total = f" of {p.count}" if p.count and p.count > len(p.basis) else ""
    scope = f" ({p.scope})" if p.scope else ""
    return _wrapped(
        f"Price  {p.low:g} - {p.high:g} {p.currency}, like these {len(p.basis)}{total}{scope}: {', '.join(p.basis)}"
    )


def _choices(choices: list[str]) -> str:
    return f" ({', '.join(choices)})" if choices else ""


def _listed(label: str, rows: Iterable[str]) -> str:
    lines = [textwrap.fill(row, WIDTH, initial_indent="  - ", subsequent_indent="    ") for row in rows]
    return "\n".join([label, *lines]) if lines else ""
