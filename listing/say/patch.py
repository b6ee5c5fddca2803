"""A text that the seller typed: words cut out, the program's changes merged in, words found again. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from listing.lexicon import load_lexicon, words

_ARTICLES, _VERBS, _LINKS, _JOINTS = map(words, ("determiners", "verbs", "prepositions", "conjunctions"))
_NEEDS_MORE = _ARTICLES | _VERBS | _LINKS | _JOINTS  # a sentence does not end in these
_STARTS_NONE = _VERBS | _JOINTS | _LINKS  # what is left of a sentence does not start with these
# A full stop that ends no sentence: of an initial, or of a short form.
_SHORT_FORM = re.compile(r"(?:\b\w|\b(?:approx|ca|incl|excl|no|nr|vs|etc|max|min))\.$", re.IGNORECASE)
_END = re.compile(r"[.!?]+[\"”')]*(?:\s+|$)|\n+")
_ARTICLE_END = re.compile(r"\b(?:an?|the)\s+$", re.IGNORECASE)
_JOINT_START = re.compile(r"\s*(?:,|and\b|or\b)\s*(?=an?\b|the\b)", re.IGNORECASE)
_WORD = re.compile(r"[\w'’%&-]+")
# Sentences, whose end stands before a blank ("example.org" and "3.5" hold none); words.
_UNITS = (re.compile(r"(?:[^.!?\n]|[.!?]+(?=[^\s.!?]))+[.!?]*\s*|[.!?\n]+\s*"), re.compile(r"\S+\s*|\s+"))
_Change = tuple[int, int, list[str]]  # from, to, what stands there instead


def cut(text: str, start: int, end: int) -> str:
    """``text`` without the words at ``start``..``end`` (characters); a sentence that would break goes as a whole."""
    start, end = _whole_words(text, start, end)
    whole = ""
    for a, b in _sentences(text):
        sentence, first, last = text[a:b], max(a, start) - a, min(b, end) - a
        if first < last:
            blanks = sentence[len(sentence.rstrip()) :]
            left = _mended(sentence.rstrip(), first, last)
            alone = not whole or whole.endswith("\n")
            sentence = left + blanks if left else "" if alone or "\n" not in blanks else blanks
        whole += sentence
    return whole.strip()


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    """Half a word, or half of "wool-blend", says something else: it goes with its other half."""
    while start > 0 and text[start].isalnum() and re.search(r"(?:\w|\w-)$", text[:start]):
        start -= 1
    while end < len(text) and text[end - 1].isalnum() and re.match(r"\w|-\w", text[end:]):
        end += 1 + (text[end] == "-")
    return start, end


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each sentence, with the blanks behind it."""
    start = 0
    for stop in _END.finditer(text):
        if "\n" not in stop[0] and _SHORT_FORM.search(text[start : stop.start() + 1]) and stop.end() < len(text):
            continue
        yield start, stop.end()
        start = stop.end()
    if start < len(text):
        yield start, len(text)


def _mended(body: str, start: int, end: int) -> str:
    """One sentence without the words at ``start``..``end``, or nothing."""
    stop = re.search(r"[.!?\"”')]*$", body)
    stop_at = max(start, stop.start()) if stop else len(body)
    inner, end = body[:stop_at], min(end, stop_at)
    before, after = inner[:start], inner[end:]
    article, joint = _ARTICLE_END.search(before), _JOINT_START.match(after)
    if article and joint:  # "with [a zip and] a hood"
        rest = before[: article.start()] + after[joint.end() :]
    elif _clean(before, after):
        rest = _joined(before, after)
    else:
        return ""
    if _broken(rest, inner):
        return ""
    rest = rest[:1].upper() + rest[1:] if body[:1].isupper() else rest
    return rest + body[stop_at:].removeprefix("." if rest.endswith(".") else "")


def _joined(before: str, after: str) -> str:
    """Both sides with one blank between them; a comma or an "and" that stood before the words goes with them."""
    left, right = _open_end(before), after.lstrip(" )")
    rest = f"{left}{'' if not right or right[0] in ',;:' else ' '}{right}".strip(" ,;:–—-")
    rest = re.sub(r"\b([Aa])n (?=[^aeiouAEIOU\W])", r"\1 ", rest)
    return re.sub(r"\b([Aa]) (?=[aeiAEI])", r"\1n ", rest)


def _open_end(before: str) -> str:
    """The text before the words, without a comma or an "and" at its end."""
    return re.sub(rf"(?:[\s,;:(–—-]|\b(?:{'|'.join(_JOINTS)})\b)+$", "", before, flags=re.IGNORECASE)


def _clean(before: str, after: str) -> bool:
    """True if both sides fit together when the words between them are gone."""
    left, right = _words(_open_end(before)), _words(after)
    closed = not right or right[0] in _NEEDS_MORE or after.lstrip()[:1] in ",;:–—"
    if not left:
        return not closed or not right or after.lstrip()[:1] in ",;:"
    if before.rstrip()[-1:] in ",;:(–—" or _words(before)[-1] in _JOINTS:
        return closed or left[-1] not in _NEEDS_MORE
    # "has a deep [hood] and ...": what an article or a preposition opened has lost its noun.
    opened = any(word in _ARTICLES | _LINKS | _VERBS for word in left)
    return not closed or not opened


def _broken(rest: str, whole: str) -> bool:
    """True if what is left of ``whole`` is no sentence: no word of its own, its verb lost, or an open end."""
    left = _words(rest)
    if not [word for word in left if word not in _NEEDS_MORE and len(word) > 1]:
        return True
    lost = left[0] in _ARTICLES and _VERBS & set(_words(whole)) and not _VERBS & set(left)
    return bool(lost) or left[-1] in _NEEDS_MORE or left[0] in _STARTS_NONE


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def merged(old: str, new: str, typed: str) -> str | None:
    """``typed`` with what changed from ``old`` to ``new``; None where both changed the same words.

    Whole sentences are compared first, so that what the program writes stays as it wrote it.
    """
    return next((text for unit in _UNITS if (text := _merged(*map(unit.findall, (old, new, typed)))) is not None), None)


def _merged(old: Sequence[str], new: Sequence[str], typed: Sequence[str]) -> str | None:
    (followed, _), (typed_in, base) = _changes(old, new), _changes(old, typed)
    first = bool(typed_in) and typed_in[0][1] == 0  # the seller's words come first: no capital behind them
    amid = first and "".join(typed_in[0][2]).rstrip()[-1:] not in (".", "!", "?")
    if amid and followed and followed[0][2][:1] == list(new[:1]):
        followed[0] = (*followed[0][:2], [_small(new[0]), *new[1 : len(followed[0][2])]])
    changes = sorted([*typed_in, *followed] if first else [*followed, *typed_in], key=lambda c: c[:2])
    if any(_meet(one, other) for one, other in pairwise(changes)):
        return None
    parts: list[str] = []
    at = 0
    for start, end, instead in changes:
        parts += [*base[at:start], *instead]
        at = end
    text = "".join(part if part[-1:].isspace() else f"{part} " for part in (*parts, *base[at:])).rstrip()
    return text[:1].upper() + text[1:] if typed and typed[0][:1].isupper() else text


def _small(word: str) -> str:
    """A word that began a text as it stands within one; a brand keeps its capital."""
    return word if load_lexicon().brands.fullmatch(word.strip()) else word[:1].lower() + word[1:]


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


def _pattern(words: str) -> re.Pattern[str]:
    """Finds the words as whole words: "new" does not stand in "newer"."""
    left, right = (r"(?<!\w)" if words[:1].isalnum() else ""), (r"(?!\w)" if words[-1:].isalnum() else "")
    return re.compile(left + re.escape(words) + right)


def nearest(text: str, words: str, start: int) -> int:
    """Where ``words`` stand in ``text`` nearest to ``start``; -1 when they do not."""
    if not words:
        return -1
    if text.startswith(words, start):
        return start
    return min((m.start() for m in _pattern(words).finditer(text)), key=lambda at: abs(at - start), default=-1)


def moved(old: str, new: str, words: str, start: int) -> int:
    """Where the ``words`` at ``start`` of ``old`` stand in ``new``; -1 when they changed, or might be others there."""
    end = start + len(words)
    if not words or old[start:end] != words:
        return -1
    matches = [m.start() for m in _pattern(words).finditer(new)]
    if len(matches) == 1 and len(_pattern(words).findall(old)) == 1:
        return matches[0]
    same = _common(old, new)
    same_end = _common(old[same:][::-1], new[same:][::-1])
    at = start if end <= same else start + len(new) - len(old) if start >= len(old) - same_end else -1
    return at if at in matches else -1


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def without(text: str, words: str, start: int) -> str:
    """``text`` without ``words`` (the place nearest to ``start``); a sentence that would break goes as a whole."""
    at = nearest(text, words, start)
    return text if at < 0 else cut(text, at, at + len(words))


def says(text: str, words: str) -> bool:
    """True if the words stand in the text, in any case, as whole words."""
    return _pattern(words.lower()).search(text.lower()) is not None


def with_sentence(text: str, words: str) -> str:
    """``text`` with the words as a sentence of its own before the note; as it is where they stand there already."""
    body, blank, note = text.partition("\n\n")
    if says(body, words):
        return text
    body = body.rstrip()
    body += "." if body[-1:].isalnum() else ""
    return f"{body} {words[:1].upper()}{words[1:]}.".lstrip() + blank + note
