"""What a reader would stumble over in a title and a description: rules of plain English, no model of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from listing.say.settle import detail_forms
from listing.taxonomy import is_plural, load_taxonomy

_OPEN = "a|an|at|by|from|has|have|in|its|my|no|of|on|the|their|these|this|to|with|women's|men's|kids'"
_HUES = "|".join(value.replace("-", " ") for value in load_taxonomy().attributes["colour"].values)
_RULES = {
    "article": r"\ba (?=[aeiou](?!ne\b|ne-|ni[^mn]|u|s[ei]))|\ban (?![aeiou\"]|hour|honest)",
    "doubled": rf"(?<![\w-])([\w'-]+) \1(?![\w'-])|(?<!light )\b({_HUES}) and \2\b|[.,;:!?]\s*[.,;:!?]|\s[.,;:!?]|  ",
    "open end": rf"(?<![\w'-])(?:(?:{_OPEN})(?:\s*[.,;:!?)]|$|\s+(?:and|with|for|by|of|or|in)\b)"
    r"|(?:and|but|or|for|is|are|(?<!the )size)(?:\s*[.,;:!?]|$))|\bfor (?:women's|men's|kids')",
    "number": r"\b(?:(?:it|this) (?:are|have|look|close|need|say|work|do)|(?:they|these) (?:is|was|has|looks|closes|"
    r"needs|says|works|does)|there are an?|there is (?:\w+ )?\w+[^s']s|(?:sole|surface|fabric) (?:are|look)|"
    r"soles (?:is|looks)|these are an?)\b",
    "small letter": r"(?<!\bapprox)(?<!\bca)[.!?] +(?-i:[a-z])",
}
_ONE = re.compile(r"\ban? (?:[\w'-]+ )*?([\w'-]+)(?=[,.;]|$| (?:and|with|in|on|at|for|by|down|all|that|or)\b)", re.I)
_LISTS = re.compile(r"\b(?:with|has|have|are) ([^.]+)")


def faults(title: str, description: str) -> list[str]:
    """Every fault of both texts, with the words around it; a note below the description is the seller's."""
    own = description.partition("\n\n")[0]
    found = [*_marks(title, title=True), *_words(title)]
    return [f"title: {f}" for f in found] + [f"text: {f}" for f in (*_marks(own), *_words(own), *_sentences(own))]


def _marks(text: str, *, title: bool = False) -> Iterator[str]:
    if not re.search(r"[A-Za-z]{2}", text):
        yield "it is empty"
    if text.strip() != text or text.lstrip('"“(')[:1].islower():
        yield f"start: {text[:20]}"
    if text[-1:] in ".,;:" if title else not text.endswith((".", "!", "?", '"', ")")):
        yield f"end: {text[-20:]}"
    if (
        text.count('"') % 2
        or re.search(r'"\s*"|“\s*”', text)
        or any(text.count(a) != text.count(b) for a, b in ("()", "[]"))
    ):
        yield "quotes or brackets are empty or open"


def _words(text: str) -> Iterator[str]:
    plain = re.sub(r'"[^"]*"', '"X"', text)
    for name, rule in _RULES.items():
        for match in re.finditer(rule, plain, re.I):
            yield f"{name}: …{plain[max(0, match.start() - 15) : match.end() + 15]}…"
    for match in _ONE.finditer(plain):
        if is_plural(match[1].lower()) and not match[1].lower().endswith(("'s", "us", "is")):
            yield f"a with several: {match[0]}"


def _sentences(text: str) -> Iterator[str]:
    plain = re.sub(r'"[^"]*"', '"X"', text)
    if len({word.lower() in ("it", "this") for word in re.findall(r"(?:^|[.!?] )(It|This|They|These)\b", plain)}) > 1:
        yield "number: one thing and several"
    for sentence in re.split(r"(?<=[.!?])\s+", plain):
        if len(re.findall(r"\bwith\b", sentence)) > 1:
            yield f"with twice: {sentence}"
        for match in _LISTS.finditer(sentence):
            parts = [p.strip().lower() for p in re.split(r",| and ", match[1])]
            bare = [re.sub(r"^(?:also )?(?:an? )?", "", part) for part in parts]
            if any(
                b == a or (a.endswith("s") and b.startswith(f"{a} ")) for n, a in enumerate(bare) for b in bare[n + 1 :]
            ):
                yield f"listed twice: {match[1]}"
            yield from (f"no article: {part}" for part in parts if part in _single())


@cache
def _single() -> frozenset[str]:
    """Single things that our texts name with an article."""
    forms = [w for a in load_taxonomy().attributes.values() for f in a.forms.values() for w in f.behind]
    for form in detail_forms().values():
        forms += [form.behind] if isinstance(form.behind, str) else form.behind.values()
    return frozenset(re.sub(r"^an? ", "", w) for w in forms if w.startswith(("a ", "an ")))
