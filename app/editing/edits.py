"""Checks of what people send: texts, categories, and the versions that their page showed."""

from __future__ import annotations

import re

from app.views import AppError, Changed, DraftView, field_text, field_version
from listing.decide.claims import MAX_FACT_LENGTH, NAME
from listing.lexicon import english, load_lexicon
from listing.observe.seller import Edit
from listing.safety.contacts import scrub
from listing.safety.injection import instruction_like
from listing.taxonomy import CategoryNode, is_plural, load_taxonomy

# What somebody was shown: a field's version (text), the whole draft's (a number), or None: whatever stands there now.
Version = str | int | None
# Most characters of what a seller writes.
FACT_LENGTH = MAX_FACT_LENGTH
TITLE_LENGTH, DESCRIPTION_LENGTH, NOTE_LENGTH, CATEGORY_LENGTH = 120, 4000, 2000, 40
# Control characters but tab and newline, halves of surrogate pairs, and marks that reverse the reading direction.
_NOT_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def check_version(view: DraftView, version: Version, field: str = "") -> None:
    """Raises Changed (409) when the draft, or the field of it, is not what was shown any more."""
    if isinstance(version, int) and version != view.version:
        raise Changed("draft")
    if isinstance(version, str) and version != view.field_version(field):
        raise Changed(field, view.value(field))


def holds(view: DraftView, edit: Edit, version: Version) -> bool:
    """True where the field that was changed elsewhere holds the new value already."""
    price = edit.field == "price" and edit.value is not None
    text = field_text(float(edit.value or 0)) if price else edit.value
    same = edit.kind in ("set", "along", "drop") and field_version(text) == view.field_version(edit.field)
    if same and isinstance(version, str) and version != view.field_version(edit.field):
        return True
    check_version(view, version, edit.field)
    return False


def clean_text(text: str, most: int, what: str, *, lines: bool = False) -> str:
    """Text as it may be stored: no control characters, trimmed, one line unless ``lines``. Markup stays as text."""
    text = _NOT_TEXT.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = text.strip() if lines else " ".join(text.split())
    if len(text) > most:
        raise AppError("too_long", f"{what} has {len(text)} characters; shorten it to at most {most}.", 422)
    return text


def clean_note(text: str) -> str:
    """A note as it may be stored."""
    return clean_text(text, NOTE_LENGTH, "The note", lines=True)


def category_name(value: str, *, listed: bool = False) -> str:
    """The category of that name, phrase or synonym; else the words by which the seller calls the item.

    Raises:
        AppError: 422 where ``listed`` asks for one of the tree, or the words name nothing.
    """
    node = _named(value)
    if node is not None:
        return node.name
    if listed:
        raise AppError("bad_category", f"There is no category {value[:60]!r}; choose one of the list.", 422)
    words = clean_text(value, CATEGORY_LENGTH, "What it is")
    if not any(c.isalpha() for c in words) or scrub(words) != words or instruction_like(words):
        raise AppError("bad_category", 'Write in a few words what it is, as in "chopping board".', 422)
    return as_noun(words)


def as_noun(typed: str) -> str:
    """What an item is called, as it stands within a sentence: without the capital that a phone puts there."""
    first = typed.split(maxsplit=1)[0]
    ordinary = first.lower() in english() and not load_lexicon(load_taxonomy()).brands.fullmatch(first)
    return typed[:1].lower() + typed[1:] if ordinary and typed[1:] == typed[1:].lower() else typed


def _named(words: str) -> CategoryNode | None:
    """The category of that name, phrase or synonym, in the plural as well."""
    taxonomy, words = load_taxonomy(), " ".join(words.split())
    found = taxonomy.find(words)
    return taxonomy.find(words[:-1]) if found is None and is_plural(words) else found


def name_along(typed: str | None, view: DraftView | None) -> Edit | None:
    """What becomes of an item's name with the category that the seller says; None where nothing does.

    A synonym or a plural is the name ("bath towel" of a towel); one that they gave it under an earlier category goes.
    ``typed``: None where the category is as the program decided.
    """
    node, words = _named(typed or ""), " ".join((typed or "").split())
    if node is not None and words.lower() not in (node.name.lower(), node.phrase.lower()):
        return Edit("set", NAME, as_noun(words))
    if view is None or view.category is None or NAME not in view.locked:
        return None
    earlier = _named(next((a.value or "" for a in view.attributes if a.name == NAME), ""))
    return Edit("undo", NAME) if earlier is not None and earlier.name == view.category.value else None
