"""Take words out of a seller's text so that no broken sentence is left: the words alone, or their whole sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator

from listing.lexicon import words

_ARTICLES, _VERBS, _LINKS, _JOINTS = map(words, ("determiners", "verbs", "prepositions", "conjunctions"))
_NEEDS_MORE = _ARTICLES | _VERBS | _LINKS | _JOINTS  # a sentence does not end in these
_STARTS_NONE = _VERBS | _JOINTS | _LINKS  # what is left of a sentence does not start with these
# A full stop that ends no sentence: of an initial, or of a short form.
_SHORT_FORM = re.compile(r"(?:\b\w|\b(?:approx|ca|incl|excl|no|nr|vs|etc|max|min))\.$", re.IGNORECASE)
_END = re.compile(r"[.!?]+[\"”')]*(?:\s+|$)|\n+")
_ARTICLE_END = re.compile(r"\b(?:an?|the)\s+$", re.IGNORECASE)
_JOINT_START = re.compile(r"\s*(?:,|and\b|or\b)\s*(?=an?\b|the\b)", re.IGNORECASE)
_WORD = re.compile(r"[\w'’%&-]+")


def cut(text: str, start: int, end: int) -> str:
    """``text`` without the words at ``start``..``end`` (characters); a sentence that would break goes as a whole."""
    start, end = _whole_words(text, start, end)
    kept = ""
    for a, b in _sentences(text):
        sentence, first, last = text[a:b], max(a, start) - a, min(b, end) - a
        if first < last:
            blanks = sentence[len(sentence.rstrip()) :]
            left = _mended(sentence.rstrip(), first, last)
            own_line = not kept or kept.endswith("\n")
            sentence = left + blanks if left else "" if own_line or "\n" not in blanks else blanks
        kept += sentence
    return kept.strip()


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
    for found in _END.finditer(text):
        if "\n" not in found[0] and _SHORT_FORM.search(text[start : found.start() + 1]) and found.end() < len(text):
            continue
        yield start, found.end()
        start = found.end()
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
    """What stands before the words, without a comma or an "and" at its end."""
    return re.sub(rf"(?:[\s,;:(–—-]|\b(?:{'|'.join(_JOINTS)})\b)+$", "", before, flags=re.IGNORECASE)


def _clean(before: str, after: str) -> bool:
    """Whether both sides fit together when the words between them are gone."""
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
    """Whether what is left of ``whole`` is no sentence: no word of its own, its verb lost, or an open end."""
    said = _words(rest)
    if not [word for word in said if word not in _NEEDS_MORE and len(word) > 1]:
        return True
    lost = said[0] in _ARTICLES and _VERBS & set(_words(whole)) and not _VERBS & set(said)
    return bool(lost) or said[-1] in _NEEDS_MORE or said[0] in _STARTS_NONE


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]
