"""Sellers' own words before others see them: contact data are taken out, goods that may not be listed are refused.

Whatever else they say, markup or what sounds like an instruction, is text and stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from app.views import AppError
from listing.safety.contacts import MASK, find_contacts, scrub
from listing.safety.prohibited_goods import check_goods
from listing.schema import Draft


def without_contacts(draft: Draft) -> Draft:
    """The draft with title, description and facts as they may be published; what is clean stays as it is."""
    facts = [a if a.value is None else a.model_copy(update={"value": scrub(a.value)}) for a in draft.attributes]
    texts = {"title": clean_title(draft.title), "description": scrub(draft.description)}
    return draft.model_copy(update={**texts, "attributes": facts})


def clean_title(title: str) -> str:
    """The title without contact data; empty when it was nothing else."""
    cleaned = scrub(title)
    return cleaned if cleaned == title or re.search(r"\w", cleaned.replace(MASK, "")) else ""


def check_listed(category: str, title: str, description: str, facts: Mapping[str, str | None]) -> None:
    """Title and description are judged together, as sentences of their own; each fact with its name.

    Raises:
        AppError: this may not be listed (422).
    """
    texts = [f"{title}.\n{description}", *(f"{name}: {value}" for name, value in facts.items() if value)]
    for text in texts:
        refusal = check_goods(category, text)
        if refusal is not None:
            raise AppError("prohibited", refusal.message, 422)


def taken_out(texts: Iterable[str]) -> list[str]:
    """The contact data in these texts, each once."""
    return list(dict.fromkeys(span.text for text in texts for span in find_contacts(text)))
