"""Sellers' own words before others see them: contact data are taken out, goods that may not be listed are refused,
and what might be such goods waits for a person.

Whatever else they say, markup or what sounds like an instruction, is text and stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from app.views import AppError
from listing.safety.clauses import scrub_listing
from listing.safety.contacts import MASK, find_contacts
from listing.safety.prohibited_goods import GoodsVerdict, check_goods, check_message
from listing.schema import Draft
from listing.taxonomy import load_taxonomy


def without_contacts(draft: Draft) -> Draft:
    """The draft with title, description and facts as they may be published; what is clean stays as it is."""
    facts = [
        a if a.value is None or _is_listed(a.name, a.value) else a.model_copy(update={"value": clean_fact(a.value)})
        for a in draft.attributes
    ]
    texts = {"title": clean_title(draft.title), "description": scrub_listing(draft.description)}
    return draft.model_copy(update={**texts, "attributes": facts})


def clean_title(title: str) -> str:
    """The title without contact data; empty when it was nothing else."""
    cleaned = scrub_listing(title)
    return cleaned if cleaned == title or re.search(r"\w", cleaned) else ""


def clean_fact(value: str) -> str | None:
    """A fact without contact data; None when it was nothing else."""
    return clean_title(value) or None


def check_listed(
    category: str, title: str, description: str, facts: Mapping[str, str | None] | None = None
) -> GoodsVerdict | None:
    """Verdict that a person has to look at, or None. Title and description are judged together, and so are the facts.

    Values of the taxonomy's own lists say nothing by themselves ("ivory" is a colour) and are left out.
    """
    free = [value for name, value in (facts or {}).items() if value and not _is_listed(name, value)]
    texts = [f"{title}.\n{description}", *([f"{category}. {title}.\n{', '.join(free)}"] if free else [])]
    verdicts = [verdict for text in texts if (verdict := check_goods(category, text.replace(MASK, " ")))]
    for verdict in verdicts:
        if verdict.level == "refuse":
            raise AppError("prohibited", verdict.message, 422)
    return next(iter(verdicts), None)


def check_offered(text: str, *, private: bool = False) -> None:
    """Nothing where a message offers no goods that are refused in listings, else AppError 422. See check_message."""
    if verdict := check_message(text.replace(MASK, " "), private=private):
        raise AppError("prohibited", verdict.message, 422)


def _is_listed(name: str, value: str) -> bool:
    attributes = load_taxonomy().attributes
    attribute = attributes.get(name)
    if attribute is None:
        return False
    values = attributes[attribute.values_of].values if attribute.values_of else attribute.values
    return set(value.split(", ")) <= set(values)


def taken_out(texts: Iterable[str]) -> list[str]:
    """The contact data in these texts, each once."""
    return list(dict.fromkeys(span.text for text in texts for span in find_contacts(text)))
