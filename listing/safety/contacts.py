"""Contact data in texts: found and taken out, before a text is indexed and again before it is shown."""

from __future__ import annotations

import re

from listing.safety.contacts_handles import find_handles
from listing.safety.contacts_links import find_links
from listing.safety.contacts_messengers import find_messengers
from listing.safety.contacts_phones import find_phones
from listing.safety.contacts_places import find_places
from listing.safety.contacts_spoken import find_spoken
from listing.safety.fold import ContactSpan, fold

__all__ = ["MASK", "ContactSpan", "find_contacts", "has_contacts", "scrub"]

MASK = "[removed]"
_FINDERS = (find_links, find_messengers, find_places, find_phones, find_spoken, find_handles)
# What one pass uncovers (a second handle beside a removed one) the next takes out; texts settle after one or two.
_PASSES = 5

_BARE_DOMAIN = re.compile(r"\b([\w-]{2,})\.(?:com|net|org)\b", re.IGNORECASE)


def find_contacts(text: str) -> list[ContactSpan]:
    """Phone numbers, messenger handles, e-mail addresses, links and street addresses, in order, without overlaps.

    Offsets are characters of ``text``. Overlapping finds become one span that carries the kind of the longest.
    """
    folded = fold(text)
    found = sorted((span for finder in _FINDERS for span in finder(folded)), key=lambda s: (s.start, -s.end))
    merged: list[ContactSpan] = []
    for span in found:
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            kind = last.kind if last.end - last.start >= span.end - span.start else span.kind
            end = max(last.end, span.end)
            merged[-1] = ContactSpan(kind, last.start, end, text[last.start : end])
        else:
            merged.append(span)
    return merged


def has_contacts(text: str) -> bool:
    """Whether any contact data is left in ``text``; the mask itself is none."""
    return bool(find_contacts(text.replace(MASK, " ")))


def _scrub_once(text: str, mask: str) -> str:
    out, last = [], 0
    for span in find_contacts(text):
        out += [text[last : span.start], mask]
        last = span.end
    return "".join([*out, text[last:]])


def scrub(text: str, mask: str = MASK) -> str:
    """``text`` with every contact replaced by ``mask``; scrubbing again changes nothing."""
    for _ in range(_PASSES):
        cleaned = _scrub_once(text, mask)
        doubled = f"{re.escape(mask)}(?:[\\s,/|-]*{re.escape(mask)})+" if mask else None
        cleaned = re.sub(doubled, lambda _: mask, cleaned) if doubled else cleaned
        if cleaned == text:
            break
        text = cleaned
    return text


def scrub_for_index(text: str) -> str:
    """``scrub``, and a brand's bare domain ("Nike.com print"), which scrubbing leaves alone, written as its name.

    The index refuses every domain, so that a forgotten scrub cannot leak one; a seller's honest text must still pass.
    """
    return _BARE_DOMAIN.sub(r"\1", scrub(text))
