"""Surgery on a text that is not rendered: a seller's, or a model's. Pure functions.

Words are replaced and found again, sentences added, and the program's changes merged into what was typed. What
no press touches stays word for word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from listing.decide.claims import NAME
from listing.decide.policies import SELLER_ONLY
from listing.decide.settle import Item
from listing.lexicon import as_words, lower
from listing.say.marks import article, shifted, within_name
from listing.schema import Draft, Span, TextField
from listing.taxonomy import Forms, is_plural

_SENTENCES = ("condition", *SELLER_ONLY)  # said in sentences of their own, so that no single word can be replaced
_ARTICLE = re.compile(r"\b(an?) ((?:[\w-]+ )?)$", re.I)  # an adjective may stand between ("a wide boat neck")
_HAS = re.compile(r"\b(?:with|has|have)\s+(?:an?\s+)?(?:[\w-]+\s+)?$", re.IGNORECASE)
# Sentences, whose end stands before a blank ("example.org" and "3.5" hold none).
_SENTENCE = re.compile(r"(?:[^.!?\n]|[.!?]+(?=[^\s.!?]))+[.!?]*\s*|[.!?\n]+\s*")
_Change = tuple[int, int, list[str]]  # from, to, what stands there instead


def merged(old: str, new: str, typed: str) -> str | None:
    """``typed`` with the sentences that changed from ``old`` to ``new``; None where the seller changed them, too."""
    one, other, third = (_SENTENCE.findall(text) for text in (old, new, typed))
    (followed, _), (typed_in, base) = _changes(one, other), _changes(one, third)
    first = bool(typed_in) and typed_in[0][1] == 0  # the seller's words come first
    changes = sorted([*typed_in, *followed] if first else [*followed, *typed_in], key=lambda c: c[:2])
    if any(_meet(first, second) for first, second in pairwise(changes)):
        return None
    parts: list[str] = []
    at = 0
    for start, end, instead in changes:
        parts += [*base[at:start], *instead]
        if instead and end > start and "\n" in (gap := base[end - 1][len(base[end - 1].rstrip()) :]):
            parts[-1] = parts[-1].rstrip() + gap  # a line that they began stays one
        at = end
    return "".join(part if part[-1:].isspace() else f"{part} " for part in (*parts, *base[at:])).rstrip()


def _changes(old: Sequence[str], other: Sequence[str]) -> tuple[list[_Change], list[str]]:
    """Changes that ``other`` makes, a capital alone being no change; and ``old`` in the case of ``other``."""
    one, two = ([word.strip().lower() for word in each] for each in (old, other))
    codes = SequenceMatcher(None, one, two, autojunk=False).get_opcodes()
    cased = list(old)
    for kind, i1, i2, j1, j2 in codes:
        cased[i1:i2] = other[j1:j2] if kind == "equal" else old[i1:i2]
    return [(i1, i2, list(other[j1:j2])) for kind, i1, i2, j1, j2 in codes if kind != "equal"], cased


def _meet(first: _Change, second: _Change) -> bool:
    """True if two changes are of the same words; of two texts that were put in the same place the first goes first."""
    return second[0] < first[1] or (first[:2] == second[:2] and first[0] < first[1])


def nearest(text: str, words: str, start: int) -> int:
    """Where ``words`` stand in ``text`` nearest to ``start``; -1 when they do not."""
    if not words:
        return -1
    if text.startswith(words, start):
        return start
    return min((m.start() for m in as_words(words).finditer(text)), key=lambda at: abs(at - start), default=-1)


def moved(old: str, new: str, words: str, start: int) -> int:
    """Where the ``words`` at ``start`` of ``old`` stand in ``new``; -1 when they changed, or might be others there."""
    end = start + len(words)
    if not words or old[start:end] != words:
        return -1
    matches = [m.start() for m in as_words(words).finditer(new)]
    if len(matches) == 1 and len(as_words(words).findall(old)) == 1:
        return matches[0]
    same = _common(old, new)
    same_end = _common(old[same:][::-1], new[same:][::-1])
    at = start if end <= same else start + len(new) - len(old) if start >= len(old) - same_end else -1
    return at if at in matches else -1


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def says(text: str, words: str) -> bool:
    """True if the words stand in the text, in any case, as whole words."""
    return as_words(words.lower()).search(text.lower()) is not None


def replace_words(
    fields: Mapping[TextField, str], spans: Sequence[Span], index: int, value: str, item: Item
) -> tuple[dict[TextField, str], list[Span]] | None:
    """Another value in the place of a span's words, in both texts; the article follows, the other spans move along.

    None where the value has no words that can stand there.
    """
    old = spans[index]
    texts, out = dict(fields), list(spans)
    for i in [i for i, s in enumerate(out) if (s.attribute, s.value) == (old.attribute, old.value)]:
        span = out[i]
        text = texts[span.field]
        words = _words_for(span, text[: span.start], text[span.start : span.end], value, item)
        if words is None:
            return None
        start, lead = _article_place(text, span, words, item)
        if start == span.start and text[start].isupper():
            lead, words = (lead.capitalize(), words) if lead else ("", words[:1].upper() + words[1:])
        texts[span.field] = text[:start] + lead + words + text[span.end :]
        by = start + len(lead) + len(words) - span.end
        out = [shifted([s], by)[0] if s.field == span.field and s.start >= span.end else s for s in out]
        rest = [v for v in (span.value, *span.alternatives) if v != value]
        update = {"start": start + len(lead), "end": start + len(lead) + len(words), "alternatives": rest}
        out[i] = span.model_copy(update={**update, "value": value, "status": "seller", "confidence": None})
    return texts, out


def _article_place(text: str, span: Span, words: str, item: Item) -> tuple[int, str]:
    """Where other words begin in the place of a span's, and the article in front of them."""
    before, several = _ARTICLE.search(text[: span.start]), _needs_none(span, words, item)
    if before and (several or not before[2]):
        lead = before[2] if several else f"{article(words)} "
        return before.start(), lead.capitalize() if before[1][0].isupper() else lead
    alone = _needs_none(span, text[span.start : span.end], item) and span.attribute not in (NAME, "category")
    return span.start, f"{article(words)} " if alone and not before and not several else ""


def _words_for(span: Span, before: str, words: str, value: str, item: Item) -> str | None:
    """How the value is said in the same place of a sentence: before the noun, or behind "with" without its article."""
    name = span.attribute or ""
    attribute = item.attributes.get(name)
    ready = value.replace("-", " ") if attribute is not None and attribute.values else value
    if name == "category":
        return item.kind(value).phrase
    if attribute is None or name in _SENTENCES:
        return value if attribute is None else None
    if name == "size":
        return f"size {value}"
    if name == "text":
        return re.sub(r'".*"', lambda _: f'"{value}"', words) if words.startswith('"') else value
    if name == "audience" and (words.lower().startswith("for ") or before.lower().endswith("for ")):
        return f"{'for ' if words.lower().startswith('for ') else ''}{'a ' if value == 'baby' else ''}{value}"
    return _form_like(attribute.forms.get(span.value), attribute.forms.get(value), before, words, ready)


def _form_like(old: Forms | None, new: Forms | None, before: str, words: str, ready: str) -> str | None:
    """The form of a value that stands where the old one's ``words`` do; ``ready``: that of one without forms."""
    if new is None or not (new.before or new.behind):
        return None if new is not None and new.sentence else ready
    ends = {form.split()[-1][:4] for form in old.behind} if old is not None else set()
    as_noun = words.lower().split()[-1][:4] in ends or _HAS.search(before) is not None
    stays_before = old is None or words.lower() in old.before or not as_noun
    forms = new.before if stays_before else new.behind
    return re.sub(r"^an? ", "", forms[0]) if forms else None


def _needs_none(span: Span, words: str, item: Item) -> bool:
    """True if the words name several, so that no article stands before them."""
    if span.attribute in (NAME, "category"):
        return is_plural(words)
    attribute = item.attributes.get(span.attribute or "")
    behind = [w for f in attribute.forms.values() for w in f.behind] if attribute else []
    return words.lower() in behind  # a form without its own article


def placed_spans(draft: Draft, texts: Mapping[TextField, str]) -> list[Span]:
    """The spans of the draft where their words stand in what the seller typed instead; others go."""
    spans: list[Span] = []
    for span in draft.spans:
        written, text = lower(draft.texts[span.field]), lower(texts[span.field])  # "Navy" moved behind "My"
        words = written[span.start : span.end]
        start = moved(written, text, words, span.start) if text != written else span.start
        start = start if start >= 0 else nearest(text, words, span.start)
        if start >= 0 and within_name(span.attribute, text, start, start + len(words)):
            continue
        free = all(s.field != span.field or start >= s.end or start + len(words) <= s.start for s in spans)
        if start >= 0 and free:
            spans.append(span.model_copy(update={"start": start, "end": start + len(words)}))
    return spans
