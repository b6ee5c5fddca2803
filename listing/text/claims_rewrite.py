"""Take unproven claims out of a text so that what is left still reads well: the word, the phrase, or the sentence."""

# ruff: noqa: E501  (a pattern is read in one piece)
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from listing.schema import Flag
from listing.words import words

if TYPE_CHECKING:
    from listing.text.ground import Claim

_SENTENCE = re.compile(r"[^.!?\n]*(?:[.!?](?=\w)[^.!?\n]*)*[.!?\n]*\s*")
_VERBS = "has|have|is|are|was|comes? in|comes? with|looks?|shows?|features?|offers?|feels?|says?|reads?"
_LINKS = "with|by|from|featuring|made of|made from|made in|in|for|that|which|on|at|of|over|around|under|along|to|down|near|across|through|without|against|inside"
_DELIMITER = re.compile(
    rf"\s*,?\s*(?:\b(?:and|but)\s+)?(?:also\s+)?\b(?P<head>{_VERBS}|{_LINKS})\b\s+(?:also\s+)?|\s*(?:,\s*(?:and|or|but)\b|,|;|\band\b|\bor\b|\bbut\b|\s&|\s[-–—]\s|:|\(|\)|\n)\s*",
    re.I,
)
_VERB_HEAD = re.compile(rf"(?:{_VERBS})", re.I)
# What hangs on the phrase before it and falls with it.
_HANGING = words("hanging")
_EMPTY = words("empty")
_DANGLING = re.compile(
    rf"(?:[\s,;:&–-]|\b(?:and|or|but|a|an|the|its|it|also|very|made|covered|decorated|trimmed|lined|finished|edged|surrounded|embellished|{_VERBS}|{_LINKS}))+(?=[.!?]*\s*$)",
    re.I,
)
MESSAGES = {
    "unsupported": "Nothing in the photos or your words supports “{}”; it was taken out.",
    "contradicted": "“{}” does not agree with what was verified; it was taken out.",
    "copied": "“{}” stands only in similar listings; it was taken out.",
    "prohibited": "“{}” cannot be stated in a listing that was written for you; it was taken out.",
}


@dataclass
class _Unit:
    """A phrase between two delimiters; ``head`` is the preposition or verb that opens it, None for a list item."""

    lead: str
    head: str | None
    body: str
    start: int
    claims: list[Claim] = field(default_factory=list)
    dropped: bool = False
    touched: bool = False

    @property
    def false(self) -> list[Claim]:
        return [c for c in self.claims if c.verdict != "supported" and not _replaces(c)]

    @property
    def true(self) -> list[Claim]:
        return [c for c in self.claims if c.verdict == "supported" or _replaces(c)]


def _replaces(claim: Claim) -> bool:
    """A wrong noun is replaced by the right one; all other claims are removed."""
    return claim.kind == "category" and claim.verdict != "supported" and bool(claim.value)


def rewrite(
    text: str, claims: Sequence[Claim], field: Literal["title", "description"] | None = None
) -> tuple[str, list[Flag]]:
    """(text without its false claims, one flag for each of them).

    A flag's span is that of the claim in ``text`` as it came in. Sentences without a false claim stay as they are.
    """
    bad = [c for c in claims if c.verdict != "supported"]
    flags = [
        Flag(code=f"claim-{c.verdict}", message=MESSAGES[c.verdict].format(c.text), field=field, span=(c.start, c.end))
        for c in bad
    ]
    if not bad:
        return text, flags
    kept = []
    for start, end in _sentences(text, claims):
        inside = [c for c in claims if start <= c.start < end]
        sentence = text[start:end]
        kept.append(_mend(sentence, start, inside) if any(c.verdict != "supported" for c in inside) else sentence)
    whole = re.sub(r"[ \t]+", " ", "".join(kept)).strip()
    return whole, flags


def _sentences(text: str, claims: Sequence[Claim]) -> list[tuple[int, int]]:
    """Spans of sentences; a full stop inside a claim ends none."""
    spans: list[tuple[int, int]] = []
    for found in _SENTENCE.finditer(text):
        if not found[0]:
            continue
        joined = spans and any(c.start < found.start() < c.end for c in claims)
        if joined:
            spans[-1] = (spans[-1][0], found.end())
        else:
            spans.append(found.span())
    return spans


def _units(sentence: str, offset: int, claims: Sequence[Claim]) -> list[_Unit]:
    units, last, lead, head = [], 0, "", None
    for found in _DELIMITER.finditer(sentence):
        inner = (found.start() + offset, found.end() + offset)
        core = (
            found.start() + len(found[0]) - len(found[0].lstrip()) + offset,
            offset + found.end() - (len(found[0]) - len(found[0].rstrip())),
        )
        if found.end() == 0 or any(c.start < core[1] and core[0] < c.end for c in claims) or inner[0] == offset:
            continue
        units.append(_Unit(lead, head, sentence[last : found.start()], last + offset))
        last, lead, head = found.end(), found[0], (found["head"] or "").lower() or None
    units.append(_Unit(lead, head, sentence[last:], last + offset))
    for unit in units:
        unit.claims = [c for c in claims if unit.start <= c.start < unit.start + len(unit.body)]
    return units


def _strip_claims(unit: _Unit) -> None:
    """Remove the false words of a unit, put the right noun for a wrong one."""
    body = unit.body
    for claim in sorted(unit.claims, key=lambda c: -c.start):
        if claim.verdict == "supported":
            continue
        a, b = claim.start - unit.start, claim.end - unit.start
        body = body[:a] + (str(claim.value) if _replaces(claim) else "") + body[b:]
        unit.touched = True
    body = re.sub(r"\b(?:very|really|quite|slightly|a bit)\s*$", "", body)
    unit.body = re.sub(r"\s+", " ", body)


def _content(text: str) -> list[str]:
    return [w for w in re.findall(r"[\w'’]+", text.lower()) if w not in _EMPTY]


def _mend(sentence: str, offset: int, claims: Sequence[Claim]) -> str:
    """One sentence without its false claims, or nothing."""
    tail = sentence[len(sentence.rstrip()) :]
    stripped = sentence.rstrip()
    stop = re.search(r"[.!?]*$", stripped)
    end = stop[0] if stop else ""
    units = _units(stripped[: len(stripped) - len(end)], offset, claims)
    for i, unit in enumerate(units):
        if not unit.claims or all(c.verdict == "supported" for c in unit.claims):
            continue
        _strip_claims(unit)
        subject = i == 0 and bool(_content(unit.body)) and len(units) > 1
        if unit.false and not unit.true and not subject:
            unit.dropped = True
    _drop_hanging(units)
    lost_verb = any(u.dropped and u.head and _VERB_HEAD.fullmatch(u.head) for u in units)
    alive = [u for u in units if not u.dropped]
    proven = any(u.true for u in alive)
    said = _content(" ".join(u.body for u in alive))
    if not said or (not proven and (lost_verb or len(said) < 3)):
        return ""
    text = _tidy(_join(units))
    if not text or _still_there(text, claims) or not _content(text):
        return ""
    return text[:1].upper() + text[1:] + end + tail if sentence[:1].isupper() or offset else text + end + tail


def _drop_hanging(units: list[_Unit]) -> None:
    """What hangs on a dropped phrase falls with it, unless it is proven itself."""
    for before, unit in pairwise(units):
        if before.dropped and not unit.dropped and unit.head in _HANGING and not unit.true:
            unit.dropped = True
        if before.dropped and before.head in ("that", "which") and unit.head and not unit.true:
            unit.dropped = True
        if (
            before.dropped
            and before.head
            and _VERB_HEAD.fullmatch(before.head)
            and unit.head is None
            and not unit.claims
        ):
            unit.dropped = "," not in unit.lead


def _join(units: list[_Unit]) -> str:
    """Put the units that are left together; a list that lost an item gets its 'and' back."""
    groups: list[list[_Unit]] = []
    for unit in units:
        if not groups or unit.head is not None:
            groups.append([])
        groups[-1].append(unit)
    out = ""
    for group in groups:
        alive = [u for u in group if not u.dropped]
        if not alive:
            continue
        lead = group[0].lead
        if not out:
            lead = (
                ""
                if not group[0].head or group[0].head in ("with", "featuring", "has", "have")
                else f"{group[0].head} "
            )
        elif group[0].head is None:
            lead = alive[0].lead
        if out and re.match(r"\s*(?:and|but)\b", lead) and any(u.dropped for u in units):
            verb_before = any(
                g[0].head and _VERB_HEAD.fullmatch(g[0].head) and not g[0].dropped
                for g in groups[: groups.index(group)]
            )
            lead = lead if verb_before else re.sub(r"^(\s*)(?:and|but)\s+", r"\1", lead)
        changed = len(alive) < len(group)
        listed = changed and any(re.search(r"\b(?:and|or)\b", u.lead) for u in group[1:])
        word = "or" if any(re.search(r"\bor\b", u.lead) for u in group[1:]) else "and"
        for k, unit in enumerate(alive):
            if k == 0:
                out = (
                    f"{out.rstrip()} {lead.lstrip()}{unit.body}"
                    if out and not lead.lstrip().startswith((",", ";", ":"))
                    else out + lead + unit.body
                )
            elif _shared_noun(alive[k - 1], unit):
                out = f"{out.rstrip()} {unit.body.lstrip()}"
            elif listed and k == len(alive) - 1 and not re.search(r"\b(?:and|or)\b", unit.lead):
                out = out.rstrip() + f" {word} " + unit.body
            elif listed and k < len(alive) - 1:
                out = out.rstrip(" ,") + ", " + unit.body
            else:
                out += unit.lead + unit.body
    return out


def _shared_noun(left: _Unit, right: _Unit) -> bool:
    """'turquoise and grey stripes' without 'grey': the noun belongs to both."""
    if not left.claims or not right.claims or left.touched:
        return False
    last, first = left.claims[-1], right.claims[0]
    ends = last.end == left.start + len(left.body.rstrip()) and last.verdict == "supported"
    return (
        ends
        and last.kind in ("colour", "pattern", "material")
        and first.start == right.start
        and first.verdict != "supported"
        and first.kind == last.kind
    )


def _tidy(text: str) -> str:
    """Blanks, commas, articles and connecting words that were left alone."""
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\(\s*\)", "", text)
    text = re.sub(r"\s+([,;:.!?)])", r"\1", text)
    text = re.sub(r"([,;:])(?:\s*[,;:])+", r"\1", text)
    text = re.sub(r"\b(with|and|or|in|by|from|of|for)\s+(?:(?:and|or|with|,)\s+)+", r"\1 ", text, flags=re.I)
    text = re.sub(r"\b(?:a|an|the)\s+(?=(?:and|or|but|with|in|from|by|for|of|at|on)\b|[,.;])", "", text, flags=re.I)
    text = re.sub(r"^(?:\s|[,;:&–—-]|\b(?:and|or|but)\b)+", "", text, flags=re.I)
    text = _DANGLING.sub("", text)
    if text.count("(") != text.count(")"):
        text = text.replace("(", "").replace(")", "")
    text = re.sub(r"\b([Aa]) (?=[aeiouAEIO](?!ni|ne\b|u))", r"\1n ", text)
    text = re.sub(r"\b([Aa])n (?=[^aeiouAEIOU\W])", r"\1 ", text)
    return text.strip()


def _still_there(text: str, claims: Sequence[Claim]) -> bool:
    """Whether a false claim's words are left, and no proven claim has the same words."""
    proven = " | ".join(c.text.lower() for c in claims if c.verdict == "supported")
    return any(
        re.search(rf"(?<!\w){re.escape(c.text.lower())}(?!\w)", text.lower()) and c.text.lower() not in proven
        for c in claims
        if c.verdict != "supported"
    )
