"""Words that know which claim they make in a text, and where a text makes one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import get_args

from listing.decide.claims import NAME, Claim
from listing.decide.settle import Item
from listing.details import detail_forms
from listing.schema import Span, TextField

_OPEN, _MIDDLE, _CLOSE = "\ue000", "\ue001", "\ue002"
_MARK = re.compile(f"{_OPEN}(\\d+){_MIDDLE}(.*?){_CLOSE}")
_HYPHEN_BEFORE, _HYPHEN = re.compile(r"\w-$"), re.compile(r"-\w")
_SLEEVES = re.compile(f"((?:{_OPEN}\\d+{_MIDDLE})?[\\w-]+) sleeves({_CLOSE}?)")
_ARTICLE = re.compile(r"(?:an?|the) ")
_WHERE = re.compile(r" (?:at|on|in|with|inside|under) ")
_SOUNDS_LIKE_A_VOWEL = re.compile(r"(?:LED|LCD|LP|MP3|MDF|SUV|HDMI|SS?D|X*L|XS|FM|RGB|HP|RC)\b")  # spelt: an LED lamp
_NUMBERS = (("it is", "they are"), ("it's", "they're"), ("it has", "they have"), ("it was", "they were"),
            ("it does", "they do"), ("it works", "they work"), ("it fits", "they fit"), ("it runs", "they run"),
            ("it looks", "they look"), ("it feels", "they feel"), ("it closes", "they close"),
            ("it comes", "they come"), ("this is", "these are"), ("its", "their"))  # fmt: skip
_VERBS = (("is", "are"), ("has", "have"), ("was", "were"))
_DETERMINED = ({"these": "this", "those": "that"}, {"a": "", "an": "", "this": "these", "that": "those"})
_ENDS = r"(?:and|at|by|for|from|has|in|is|it|of|on|or|that|to|with)\b"  # no adjective before a noun
_SOUNDS_LIKE_YOU = re.compile(r"uni|use|usb\b|uv\b|eu|one\b|one-", re.I)


class Marker:
    """Gives claims their numbers."""

    def __init__(self) -> None:
        self.claims: list[Claim] = []

    def mark(self, claim: Claim, words: str) -> str:
        """The words as a claim; an article in front of them is none."""
        words = re.sub(f"[{_OPEN}{_MIDDLE}{_CLOSE}]", "", words)
        if claim not in self.claims:
            self.claims.append(claim)
        article = match[0] if (match := _ARTICLE.match(words)) else ""
        return f"{article}{_OPEN}{self.claims.index(claim)}{_MIDDLE}{words[len(article) :]}{_CLOSE}"

    def named(self, text: str) -> list[Claim]:
        """The claims whose words the text holds."""
        return [self.claims[int(match[1])] for match in _MARK.finditer(text)]

    def from_seller(self, text: str) -> bool:
        """True if something in the text is the seller's word."""
        return any(claim.status == "seller" for claim in self.named(text))

    def likelihood(self, text: str) -> float:
        """That of the least likely claim in the text which is for the seller to check; 1 where there is none."""
        return min((c.place_likelihood for c in self.named(text) if c.place_status == "check"), default=1.0)

    def unmark(self, text: str, field: TextField) -> tuple[str, list[Span]]:
        """The plain text and the spans of its claims."""
        plain, spans, end = "", [], 0
        for match in _MARK.finditer(text):
            plain += text[end : match.start()]
            claim = self.claims[int(match[1])]
            spans.append(span_of(claim, field, len(plain), len(plain) + len(match[2])))
            plain, end = plain + match[2], match.end()
        return plain + text[end:], spans


def span_of(claim: Claim, field: TextField, start: int, end: int) -> Span:
    """The claim as the span of these characters."""
    return Span(
        field=field,
        start=start,
        end=end,
        attribute=claim.attribute,
        value=claim.value,
        status=claim.status,
        confidence=claim.confidence,
        alternatives=list(claim.alternatives),
    )


def shifted(spans: Sequence[Span], by: int) -> list[Span]:
    """The spans so many characters further behind."""
    return [s.model_copy(update={"start": s.start + by, "end": s.end + by}) for s in spans]


def unmarked(text: str) -> str:
    """The text without marks."""
    return _MARK.sub(r"\2", text)


def article(words: str) -> str:
    """``a`` or ``an``, as the first word sounds."""
    first = unmarked(words)
    vowel = first[:1].lower() in tuple("aeiou") and not _SOUNDS_LIKE_YOU.match(first)
    return "an" if vowel or _SOUNDS_LIKE_A_VOWEL.match(first) else "a"


def with_article(words: str) -> str:
    """The words behind their indefinite article, the right one."""
    bare = re.sub(r"^an? ", "", words)
    return f"{article(bare)} {bare}"


def capital(text: str) -> str:
    """The first letter as a capital, inside a mark too."""
    match = re.match(f"(?:{_OPEN}\\d+{_MIDDLE})?", text)
    start = match.end() if match else 0
    return text[:start] + text[start : start + 1].upper() + text[start + 1 :]


def agreeing(text: str, noun: str, *, plural: bool) -> str:
    """The text with what agrees with a noun that is one or several now: its determiner, and what "it" or "they" do."""
    verbs = ((f"{noun} {one}", f"{noun} {several}") for one, several in _VERBS)
    for one, several in (*_NUMBERS, *verbs):
        old, new = (one, several) if plural else (several, one)
        for was, now in ((old, new), (capital(old), capital(new))):
            text = re.sub(rf"\b{re.escape(was)}\b", now.replace("\\", r"\\"), text)
    named = rf"((?:(?!{_ENDS})[\w-]+ ){{0,4}}{re.escape(noun)})\b"

    def determined(match: re.Match[str]) -> str:
        words = f"{_DETERMINED[plural][match[1].lower()]} {match[2]}".lstrip()
        return capital(words) if match[1][0].isupper() else words

    text = re.sub(rf"\b({'|'.join(_DETERMINED[plural])}) {named}", determined, text, flags=re.I)
    article_lost = rf"(?<=\bthis is ){named}"
    return text if plural else re.sub(article_lost, lambda match: with_article(match[1]), text, flags=re.I)


def listed(parts: Sequence[str]) -> str:
    """``a, b and c``; what has an "and" of its own stands last: ``a hood, ribbed cuffs and hem``.

    ``long sleeves, puffed sleeves`` are ``long and puffed sleeves``.
    """
    sleeves = [part for part in parts if _SLEEVES.fullmatch(part)]
    if len(sleeves) > 1:
        *first, last = sleeves
        kinds = [_SLEEVES.sub(r"\1\2", part) for part in first]
        parts = [part for part in parts if part not in sleeves] + [f"{', '.join(kinds)} and {last}"]
    parts = sorted(parts, key=lambda part: " and " in unmarked(part))
    if len(parts) == 1 or " and " in unmarked(parts[-1]):
        return ", ".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def word_count(text: str) -> int:
    """Words of a text with or without marks."""
    return len(unmarked(text).split())


def find_spans(fields: Mapping[TextField, str], item: Item, claims: Sequence[Claim] | None = None) -> list[Span]:
    """Where the texts say the item's claims, or these, the longest words first; no two spans overlap."""
    claims, spans = item.claims if claims is None else claims, list[Span]()
    phrases = [(phrase, claim) for claim in claims for phrase in _phrases(claim, item)]
    phrases.sort(key=lambda entry: -len(entry[0]))
    for field in get_args(TextField):
        for phrase, claim in phrases:
            pattern = re.escape(phrase).replace(r"\ ", r"[\s-]+").replace(r"\-", r"[\s-]")
            for match in re.finditer(rf"(?<!\w){pattern}(?!\w)", fields[field], re.IGNORECASE):
                if within_name(claim.attribute, fields[field], *match.span()):
                    continue
                if not any(s.field == field and s.start < match.end() and match.start() < s.end for s in spans):
                    spans.append(span_of(claim, field, *match.span()))
    return sorted(spans, key=lambda s: (s.field == "description", s.start))


def within_name(attribute: str | None, text: str, start: int, end: int) -> bool:
    """True for a name that is a part of another one: a t-shirt is no shirt."""
    return attribute in ("category", NAME) and bool(_HYPHEN_BEFORE.search(text[:start]) or _HYPHEN.match(text, end))


def _phrases(claim: Claim, item: Item) -> set[str]:
    """The words that any text may say a claim in."""
    node = item.node
    if claim.attribute == "category":
        return {node.phrase, *node.synonyms}
    if claim.attribute == "detail":
        form = detail_forms().get(claim.value)
        # "thumb loops" of "thumb loops at the cuffs"
        words = form.words(node) if form else [_WHERE.split(claim.value)[0]]
        return {claim.value, *(re.sub(r"^an? ", "", w) for w in words)}
    phrases = {claim.value, *item.attributes[claim.attribute].phrases.get(claim.value, ())}
    return {f"size {claim.value}"} if claim.attribute == "size" else phrases
