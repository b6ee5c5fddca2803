"""A generated text, sentence by sentence: one with an unproven claim goes as a whole, and so does what is not new.

No word is taken out of a sentence: what is left was written as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from listing.lexicon import load_lexicon
from listing.schema import Flag
from listing.taxonomy import Taxonomy
from listing.text.ground import PRINT_WORDS, Claim

_SENTENCE = re.compile(r"(?:\"[^\"\n]*\"|[.!?](?=\w)|[^.!?\n])*[.!?\n]*\s*")  # print in quotation marks ends none
_FINISHED = re.compile(r"[^\"]*(?:\"[^\"]*\"[^\"]*)*[.!?]")
MESSAGES = {
    "unsupported": "Nothing in the photos or your words supports “{}”; it was taken out.",
    "contradicted": "“{}” does not agree with what was verified; it was taken out.",
    "copied": "“{}” stands only in similar listings; it was taken out.",
    "prohibited": "“{}” cannot be stated in a listing that was written for you; it was taken out.",
}


def split(text: str, claims: Sequence[Claim] = ()) -> list[tuple[int, int]]:
    """Spans of the sentences, each with the blanks behind it; a full stop inside a claim ends none."""
    spans: list[tuple[int, int]] = []
    for match in _SENTENCE.finditer(text):
        if not match[0]:
            continue
        if spans and any(c.start < match.start() < c.end for c in claims):
            spans[-1] = (spans[-1][0], match.end())
        else:
            spans.append(match.span())
    return spans


def first(text: str) -> str:
    """The first sentence."""
    start, end = next(iter(split(text)), (0, 0))
    return text[start:end].strip()


def keep_supported(
    text: str, claims: Sequence[Claim], field: Literal["title", "description"] | None = None
) -> tuple[str, list[Flag]]:
    """(the sentences without an unproven claim, one flag for each such claim).

    A flag's span is that of the claim in ``text`` as it came in.
    """
    wrong = [c for c in claims if c.verdict != "supported"]
    flags = [
        Flag(code=f"claim-{c.verdict}", message=MESSAGES[c.verdict].format(c.text), field=field, span=(c.start, c.end))
        for c in wrong
    ]
    kept = [text[a:b] for a, b in split(text, claims) if not any(a <= c.start < b for c in wrong)]
    return "".join(kept).strip(), flags


def keep_new(text: str, facts: Mapping[str, str], taxonomy: Taxonomy, *, filler: bool = False) -> str:
    """The sentences that are whole and say something new; nothing where the first one is not.

    Args:
        facts: the verified facts that the text was written from.
        filler: whether later sentences without a fact belong to the tone.
    """
    kept: list[str] = []
    stated: set[str] = set()
    for a, b in split(text):
        sentence = text[a:b].strip()
        here = statements(sentence, facts, taxonomy)
        whole = _FINISHED.fullmatch(sentence) and not misfit(sentence, facts, taxonomy)
        fresh = set(here) - stated
        if not kept and not whole:
            return ""
        if kept and (not whole or sentence in kept or (not fresh and (here or not filler))):
            continue
        stated |= fresh
        kept.append(sentence)
    return " ".join(kept)


def misfit(sentence: str, facts: Mapping[str, str], taxonomy: Taxonomy) -> bool:
    """Whether a sentence or title says a fact twice, or puts a value where it makes no English ("with a pull-on")."""
    here = statements(sentence, facts, taxonomy)
    if len(here) > len(set(here)):
        return True
    unfit = (v for n, v in facts.items() if (forms := taxonomy.attributes[n].forms.get(v)) and not forms.behind)
    return any(re.search(rf"\bwith (?:an? )?\"?{re.escape(value)}\"?(?=[.,]|$)", sentence) for value in unfit)


def statements(text: str, facts: Mapping[str, str], taxonomy: Taxonomy) -> list[str]:
    """Names of the facts that a text states, one entry for each time."""
    lexicon = load_lexicon(taxonomy)
    spans: list[tuple[int, int, str]] = []
    for match in lexicon.phrases.finditer(text.lower()):
        meaning = lexicon.meaning(match[0])
        names = [n for n in facts if facts[n] in meaning.get(taxonomy.attributes[n].values_of or n, ())]
        spans += [(*match.span(), name) for name in names[:1]]
    for name, value in facts.items():
        if not taxonomy.attributes[name].values:
            spans += [(*m.span(), name) for m in re.finditer(rf"(?<!\w){re.escape(value)}(?!\w)", text, re.I)][:1]
    spans.sort()
    return [
        name
        for before, (start, end, name) in zip([None, *spans], spans, strict=False)
        if before is None or before[2] != name or not _one_phrase(text, before[0], before[1], start, end)
    ]


def _one_phrase(text: str, first: int, first_end: int, second: int, second_end: int) -> bool:
    """'printed motif': two words for print, side by side, are one statement."""
    words = {text[first:first_end].lower(), text[second:second_end].lower()}
    return len(words) == 2 and words <= PRINT_WORDS and text[first_end:second].strip(" -") == ""
