"""Every press that a seller's page offers on a draft; drafts that the embedded model wrote, replayed without it.

What a reader would stumble over in a title and a description: rules of plain English, no model of it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from app.seller.draft_part import draft_html
from app.views import DraftView
from listing.decide.claims import name_of
from listing.decide.settle import Item, item_of
from listing.details import detail_forms
from listing.observe.seller import Edit, word_of
from listing.pipeline import Pipeline
from listing.request import DraftEvent, DraftRequest, Event, Photo
from listing.revise import follow, revise
from listing.say.ask import statable
from listing.say.plan import fits
from listing.schema import Draft, Observation
from listing.taxonomy import is_plural, load_taxonomy
from tests.listing.stubs import NOW, StubBackend, parts

DRAFTS = Path(__file__).parents[1] / "drafting" / "real_drafts.jsonl"
SAMPLES: Mapping[str, str] = {  # what is typed where a field has no list
    "brand": "Nike", "size": "M", "text": "LOVE", "defects": "a small stain at the cuff", "item_type": "costume",
    "dimensions": "40 x 30 cm", "reason": "It is too small for me",
}  # fmt: skip
_BUTTON = re.compile(r'<button type="button"[^>]*? data-do="(?:fact|fact_drop|add|answer|category)"[^>]*>')
_FIELD = r'<form class="setrow" data-do="(?:fact|answer)"><input type="hidden" name="name" value="([^"]+)">(.*?)</form>'
Press = tuple[str, str | None]


@dataclass
class Replay:
    """Gives stored drafts in turn; writes their texts again as the real pipeline does, which needs no model for it."""

    drafts: Iterator[Draft]
    concurrency: int = 1
    again: Pipeline = field(default_factory=lambda: Pipeline(parts(StubBackend(name="ipl-mini"), writes=False)))

    def run(self, request: DraftRequest) -> Iterator[Event]:
        if request.earlier_draft is not None:
            yield from self.again.run(request)
        else:
            draft = next(self.drafts)
            photos = {"photos": [p.ref for p in request.photos], "observations": observations_of(draft)}
            yield DraftEvent(draft=draft.model_copy(update=photos))

    def glance(self, photo: Photo) -> tuple[str, str]:
        return self.again.glance(photo)


def observations_of(draft: Draft) -> list[Observation]:
    """What such a draft could have been decided from: facts as they were read, guesses as a model words them."""

    def on(source: str, question: str, shares: Mapping[str, float], text: str | None = None) -> Observation:
        return Observation(source=source, question=question, probabilities=dict(shares), text=text)

    category = {draft.category.value: max(0.6, draft.category.confidence)} if draft.category.value else {}
    facts = [
        on("ocr" if a.value else "mllm", a.name, {value: a.confidence or 0.5}, None if a.value else value)
        for a in draft.attributes
        if (value := a.value or a.suggestion)
    ]
    details = on("mllm", "detail", {d.phrase: d.confidence for d in draft.details})
    return [on("mllm", "category", category), details, *facts]


def stored_drafts() -> list[Draft]:
    """25 drafts of photos under CC0."""
    return [Draft.model_validate_json(line) for line in DRAFTS.read_text(encoding="utf-8").splitlines()]


def view_of(written: Draft, made: Sequence[Edit] = ()) -> DraftView:
    """The draft as its seller sees it after these edits."""
    changed = word_of(made)
    seen = revise(written, changed, NOW)
    same = {name: getattr(seen, name) for name in ("category", "title", "description", "quality")}
    lists = {name: tuple(getattr(seen, name)) for name in ("attributes", "questions", "flags")}
    return replace(DraftView(seen.id, "ready", draft=seen, locked=changed.locked), **same, **lists)


def pressed(written: Draft, made: Sequence[Edit], press: Press) -> list[Edit]:
    """The edits, and those that one more press makes."""
    name, value = press
    edit = Edit("drop", name) if value is None else Edit("set", name, value)
    return [*made, edit, *follow(written, made, edit, NOW)]


def presses(view: DraftView, *, all_words: bool = True) -> list[Press]:
    """Each chip of the page, each value of its lists, words in its free fields, and (``all_words``) all that can be
    told: a claim's name and its value. Without the categories for which the photos are looked at again.
    """
    page = draft_html(view, [], False)
    taps: list[Press] = []
    for button in _BUTTON.findall(page):
        data = {name: html.unescape(value) for name, value in re.findall(r'data-(\w+)="([^"]*)"', button)}
        name = "category" if data["do"] == "category" else data["name"]
        taps.append((name, None if data["do"] == "fact_drop" else data["value"]))
    for name, form in re.findall(_FIELD, page, re.S):
        options = [html.unescape(value) for value in re.findall(r'<option value="([^"]+)">', form)]
        taps += [(name, value) for value in options or [SAMPLES.get(name, "")] if value]
    if all_words and view.draft is not None:
        taps += [(name_of(o), o.value) for o in statable(view.draft, _item(view.draft))]
    return [tap for tap in dict.fromkeys(taps) if _at_once(view, tap)]


def _item(draft: Draft) -> Item:
    return item_of(draft.category.value, load_taxonomy())


def _at_once(view: DraftView, press: Press) -> bool:
    nodes = load_taxonomy().categories
    name, value = press
    if name != "category":
        return value is None or view.draft is None or fits(view.draft, name, _item(view.draft))
    here = nodes.get(view.value("category") or "")
    return here is not None and nodes[value or ""].attributes == here.attributes


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
