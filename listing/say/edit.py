"""Surgery on a text that is not rendered: a seller's, or a model's. Pure functions.

Words are cut out, replaced and found again, sentences added, and the program's changes merged into what was typed. What
no press touches stays word for word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from difflib import SequenceMatcher
from itertools import pairwise

from listing.decide.claims import NAME, SELLER_ONLY
from listing.lexicon import as_words, lower, words
from listing.say.marks import article
from listing.schema import Draft, Flag, Span, TextField
from listing.taxonomy import Forms, Taxonomy, is_plural

_ARTICLES, _VERBS, _LINKS, _JOINTS = map(words, ("determiners", "verbs", "prepositions", "conjunctions"))
_NEEDS_MORE = _ARTICLES | _VERBS | _LINKS | _JOINTS  # a sentence does not end in these
_STARTS_NONE = _VERBS | _JOINTS | _LINKS  # what is left of a sentence does not start with these
# A full stop that ends no sentence: of an initial, or of a short form.
_SHORT_FORM = re.compile(r"(?:\b\w|\b(?:approx|ca|incl|excl|no|nr|vs|etc|max|min))\.$", re.IGNORECASE)
_END = re.compile(r"[.!?]+[\"”')]*(?:\s+|$)|\n+")
_ARTICLE_END = re.compile(r"\b(?:an?|the)\s+$", re.IGNORECASE)
_JOINT_START = re.compile(r"\s*(?:,|and\b|or\b)\s*(?=an?\b|the\b)", re.IGNORECASE)
_SENTENCES = ("condition", *SELLER_ONLY)  # said in sentences of their own, so that no single word can be replaced
_ARTICLE = re.compile(r"\b(an?) ((?:[\w-]+ )?)$", re.I)  # an adjective may stand between ("a wide boat neck")
_FRAGMENT = re.compile(r"(?:^|[.!?]\s+)(?:It|They|This|These)\.")
_HAS = re.compile(r"\b(?:with|has|have)\s+(?:an?\s+)?(?:[\w-]+\s+)?$", re.IGNORECASE)
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


def merged(old: str, new: str, typed: str, brands: re.Pattern[str]) -> str | None:
    """``typed`` with what changed from ``old`` to ``new``; None where both changed the same words.

    Whole sentences are compared first, so that what the program writes stays as it wrote it. ``brands``: names that
    keep their capital.
    """
    units = (map(unit.findall, (old, new, typed)) for unit in _UNITS)
    texts = (_merged(one, other, third, brands) for one, other, third in units)
    return next((text for text in texts if text is not None and not _FRAGMENT.search(text)), None)


def _merged(old: Sequence[str], new: Sequence[str], typed: Sequence[str], brands: re.Pattern[str]) -> str | None:
    (followed, _), (typed_in, base) = _changes(old, new), _changes(old, typed)
    first = bool(typed_in) and typed_in[0][1] == 0  # the seller's words come first: no capital behind them
    amid = first and "".join(typed_in[0][2]).rstrip()[-1:] not in (".", "!", "?")
    if amid and followed and followed[0][2][:1] == list(new[:1]):
        followed[0] = (*followed[0][:2], [_small(new[0], brands), *new[1 : len(followed[0][2])]])
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


def _small(word: str, brands: re.Pattern[str]) -> str:
    """A word that began a text as it stands within one; a brand keeps its capital."""
    return word if brands.fullmatch(word.strip()) else word[:1].lower() + word[1:]


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


def without(text: str, words: str, start: int) -> str:
    """``text`` without ``words`` (the place nearest to ``start``); a sentence that would break goes as a whole."""
    at = nearest(text, words, start)
    return text if at < 0 else cut(text, at, at + len(words))


def says(text: str, words: str) -> bool:
    """True if the words stand in the text, in any case, as whole words."""
    return as_words(words.lower()).search(text.lower()) is not None


def with_sentence(text: str, words: str) -> str:
    """``text`` with the words as a sentence of its own before the note; as it is where they stand there already."""
    body, blank, note = text.partition("\n\n")
    if says(body, words):
        return text
    body = body.rstrip()
    body += "." if body[-1:].isalnum() else ""
    return f"{body} {words[:1].upper()}{words[1:]}.".lstrip() + blank + note


def replace_words(
    fields: Mapping[TextField, str], spans: Sequence[Span], index: int, value: str, taxonomy: Taxonomy
) -> tuple[dict[TextField, str], list[Span]] | None:
    """Another value in the place of a span's words, in both texts; the article follows, the other spans move along.

    None where the value has no words that can stand there.
    """
    old = spans[index]
    texts, out = dict(fields), list(spans)
    for i in [i for i, s in enumerate(out) if (s.attribute, s.value) == (old.attribute, old.value)]:
        span = out[i]
        text = texts[span.field]
        words = _words_for(span, text[: span.start], text[span.start : span.end], value, taxonomy)
        if words is None:
            return None
        start, lead = _article_place(text, span, words, taxonomy)
        if start == span.start and text[start].isupper():
            lead, words = (lead.capitalize(), words) if lead else ("", words[:1].upper() + words[1:])
        texts[span.field] = text[:start] + lead + words + text[span.end :]
        moved = start + len(lead) + len(words) - span.end
        out = [
            s.model_copy(update={"start": s.start + moved, "end": s.end + moved})
            if s.field == span.field and s.start >= span.end
            else s
            for s in out
        ]
        rest = [v for v in (span.value, *span.alternatives) if v != value]
        update = {"start": start + len(lead), "end": start + len(lead) + len(words), "alternatives": rest}
        out[i] = span.model_copy(update={**update, "value": value, "status": "seller", "confidence": None})
    return texts, out


def _article_place(text: str, span: Span, words: str, taxonomy: Taxonomy) -> tuple[int, str]:
    """Where other words begin in the place of a span's, and the article in front of them."""
    before, several = _ARTICLE.search(text[: span.start]), _needs_none(span, words, taxonomy)
    if before and (several or not before[2]):
        lead = before[2] if several else f"{article(words)} "
        return before.start(), lead.capitalize() if before[1][0].isupper() else lead
    alone = _needs_none(span, text[span.start : span.end], taxonomy) and span.attribute not in (NAME, "category")
    return span.start, f"{article(words)} " if alone and not before and not several else ""


def _words_for(span: Span, before: str, words: str, value: str, taxonomy: Taxonomy) -> str | None:
    """How the value is said in the same place of a sentence: before the noun, or behind "with" without its article."""
    name = span.attribute or ""
    attribute, ready = taxonomy.attributes.get(name), value.replace("-", " ")
    if name == "category":
        return taxonomy.node(value).phrase
    if attribute is None or name in _SENTENCES:
        return value if attribute is None else None
    if name == "size":
        return f"size {value}"
    if name == "text":
        return f'"{value}"' if words.startswith('"') else value
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


def _needs_none(span: Span, words: str, taxonomy: Taxonomy) -> bool:
    """True if the words name several, so that no article stands before them."""
    if span.attribute in (NAME, "category"):
        return is_plural(words)
    attribute = taxonomy.attributes.get(span.attribute or "")
    behind = [w for f in attribute.forms.values() for w in f.behind] if attribute else []
    return words.lower() in behind  # a form without its own article


def placed_flags(draft: Draft, confirmed: Set[tuple[str, str]], texts: Mapping[TextField, str]) -> list[Flag]:
    """Flags whose words still stand in the text, at the place where they now stand, and were not confirmed."""
    flags: list[Flag] = []
    for flag in draft.flags:
        if flag.span is None or flag.field not in ("title", "description"):
            flags.append(flag)
            continue
        written = draft.texts[flag.field]
        words = written[slice(*flag.span)]
        if (flag.field, words) in confirmed:
            continue
        if (text := texts[flag.field]) != written:
            start = moved(written, text, words, flag.span[0])
            start = start if start >= 0 else nearest(text, words, flag.span[0])
            placed = flag.model_copy(update={"span": (start, start + len(words))})
            if start >= 0 and placed not in flags:
                flags.append(placed)
        else:
            flags.append(flag)
    return flags


def placed_spans(draft: Draft, texts: Mapping[TextField, str]) -> list[Span]:
    """The spans of the draft where their words stand in what the seller typed instead; others go."""
    spans: list[Span] = []
    for span in draft.spans:
        written, text = lower(draft.texts[span.field]), lower(texts[span.field])  # "Navy" moved behind "My"
        words = written[span.start : span.end]
        start = moved(written, text, words, span.start) if text != written else span.start
        start = start if start >= 0 else nearest(text, words, span.start)
        free = all(s.field != span.field or start >= s.end or start + len(words) <= s.start for s in spans)
        if start >= 0 and free:
            spans.append(span.model_copy(update={"start": start, "end": start + len(words)}))
    return spans
