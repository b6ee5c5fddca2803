"""Sellers' own words before others see them: contact data are taken out, goods that may not be listed are refused,
and what might be such goods waits for a person.

Whatever else they say, markup or what sounds like an instruction, is text and stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations_with_replacement

from app.views import AppError
from listing.safety.clauses import scrub_listing
from listing.safety.contacts import MASK, find_contacts, names_network
from listing.safety.plans import is_number
from listing.safety.prohibited_goods import GoodsVerdict, check_goods, check_message
from listing.schema import Draft
from listing.taxonomy import load_taxonomy

_PART = re.compile(r"[^,;\n\s](?:[^,;.\n]|\.(?!\s+[^\W\d]))*")  # between commas, and from sentence to sentence
_PERSON = re.compile(r"[A-ZÀ-ÞА-Я][^\W\d_]+(?:[-' ][A-ZÀ-ÞА-Я][^\W\d_]*){0,3}")  # as people are called, not accounts
_DIGITS = re.compile(r"\d(?:[\s,/().+-]{0,3}\d){8,40}")
_IBAN = re.compile(r"\b[A-Za-z]{2}\d{2}(?:[A-Za-z0-9]{11,30}\b|(?: [A-Za-z0-9]{4}){2,7}\b(?: [A-Za-z0-9]{1,3}\b)?)")
_CARD = re.compile(r"(?<!\d)(?:[3-6]\d{3}(?:[ -]?\d{4}){3}|3[47]\d{2}[ -]?\d{6}[ -]?\d{5})(?!\d)")


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


def scrub_sale(text: str) -> tuple[str, list[str]]:
    """What two who agreed on a sale write to each other, and what was taken out of it.

    They meet or send, so that streets pass, as names and times do anywhere. Other contact data do not, and neither does
    the number of an account or a card.
    """
    clean, out, last = "", list[str](), 0
    for start, end in sorted([*_reaches(text), *_pays(text)]):
        if start >= last:
            clean, last = clean + text[last:start] + MASK, end
            out.append(text[start:end])
    return clean + text[last:], list(dict.fromkeys(out))


def _reaches(text: str) -> Iterator[tuple[int, int]]:
    """Contact data but streets and people's names; what was found as one with a street is judged part by part."""
    for span in find_contacts(text):
        if span.kind == "messenger" and _PERSON.fullmatch(span.text) and not names_network(text):
            continue
        parts = [(m.span(), {found.kind for found in find_contacts(m[0])}) for m in _PART.finditer(span.text)]
        if span.kind != "address" and not any(kinds == {"address"} for _, kinds in parts):
            yield span.start, span.end
            continue
        taken = [place for place, kinds in parts if kinds - {"address"} or (span.kind != "address" and not kinds)]
        taken += _numbers(span.text)
        yield from ((span.start + start, span.start + end) for start, end in taken)


def _numbers(text: str) -> Iterator[tuple[int, int]]:
    """Digits that may be dialled, without those of a house or a town beside them."""
    for run in _DIGITS.finditer(text):
        groups = [(run.start() + m.start(), run.start() + m.end()) for m in re.finditer(r"\d+", run[0])]
        for first, last in combinations_with_replacement(range(len(groups)), 2):
            start, end = groups[first][0], groups[last][1]
            if is_number(re.sub(r"\D", "", text[start:end])):
                yield start, end


def _pays(text: str) -> Iterator[tuple[int, int]]:
    """IBANs (ISO 13616) and numbers of cards (ISO 7812), whose check digits are right."""
    for match in _IBAN.finditer(text):
        groups = match[0].split(" ")
        for count in range(len(groups), 0, -1):  # the last ones may be words that follow
            written = " ".join(groups[:count])
            sign = written.replace(" ", "")
            if len(sign) >= 15 and int("".join(str(int(char, 36)) for char in sign[4:] + sign[:4])) % 97 == 1:
                yield match.start(), match.start() + len(written)
                break
    for match in _CARD.finditer(text):
        digits = [int(d) for d in reversed(re.sub(r"\D", "", match[0]))]
        if sum(digits[::2] + [d * 2 - 9 * (d > 4) for d in digits[1::2]]) % 10 == 0:
            yield match.span()


def taken_out(texts: Iterable[str]) -> list[str]:
    """The contact data in these texts, each once."""
    return list(dict.fromkeys(span.text for text in texts for span in find_contacts(text)))
