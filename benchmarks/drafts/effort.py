"""A seller's effort: what it takes to make drafts right and complete, by a simulated seller who knows the annotation.

    python -m benchmarks.drafts.effort ours=drafts.jsonl theirs=other.jsonl

Each line of a file is ``{"draft": ..., "annotation": ...}`` (a row of ``annotations.jsonl``). Costs in taps, a typed
letter counting as one: one tap confirms all marked words; a marked word that is wrong takes one tap where the right
value is among its alternatives or there is nothing to say, else 2 and its letters; a wrong word that is not marked 3,
because it must be noticed first; a fact that is missing 2, or its letters where it is free text. What the annotation
leaves open, or guessed, costs nothing.

That is the rule *typed*, as it was before drafts offered anything. *offered* counts the same drafts by the same rule
once the seller has tapped whatever is right among the offers that the page shows (``OFFERS_AT_ONCE``; a tap brings the
next one up), a tap each: the text is the one that the page has after these taps, so that what a tap fails to say, or
takes out of the text, costs what it costs. Looking at offers that are wrong costs nothing. *searched* goes on where
something is still missing: a tap on *More* shows the other offers, a tap each, and a field that finds further details:
a tap into it, letters until the detail is the first of those that hold them, and a tap on it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from statistics import mean, median
from typing import Any

from benchmarks.common import arguments
from benchmarks.drafts.details import TRUTH
from finetune.data.details import details_of
from finetune.data.files import read_lines
from listing.calibration import Calibration
from listing.decide.claims import NAME, Claim, name_of
from listing.decide.settle import implied, item_of, settle
from listing.details import load_details
from listing.lexicon import load_lexicon, plain
from listing.observe.seller import Edit, word_of
from listing.revise import revise
from listing.rules import Rules
from listing.say.ask import MOST, OFFERS_AT_ONCE, searchable
from listing.say.marks import find_spans
from listing.schema import Draft, Offer, Span
from listing.taxonomy import Taxonomy, load_taxonomy

Row = Mapping[str, Any]
CONFIRM, UNMARKED, CHOOSE = 1, 3, 2
ATTRIBUTES = ("colour", "colour2", "pattern", "sleeve", "neckline", "closure", "material", "audience")
OPEN = (None, "", "n/a", "unknown", "none")
GOES_WITHOUT_SAYING = {("pattern", "solid"), ("pattern", "other"), ("closure", "pull-on"), ("closure", "slip-on")}


@dataclass(frozen=True)
class Effort:
    """Taps by what they are for; ``details`` are those of details, whatever was wrong; ``offers``: what was added."""

    confirm: int = 0
    marked: int = 0
    unmarked: int = 0
    missing: int = 0
    details: int = 0
    offers: int = 0

    @property
    def total(self) -> int:
        """All taps."""
        return sum(astuple(self))


class Truth:
    """The facts that an annotation states of an item.

    Details that its description leaves out may well be there: the checklists of ``finetune.data.details`` judge them.
    """

    def __init__(self, row: Row, taxonomy: Taxonomy) -> None:
        self.row, self.taxonomy = row, taxonomy
        self.category: str = row["label"]
        text = f"{row['title']}. {row['description']}".lower()
        self.details = {phrase for phrase, pattern in load_details().patterns.items() if pattern.search(text)}
        checked = TRUTH.get(Path(row["image"]).name)
        there, unsettled = details_of(checked) if checked is not None else (set[str](), set[str]())
        self.there, self.unsettled = self.details | there, unsettled
        guessed = set(row.get("guess", ()))
        self.facts = {a: row[a] for a in ATTRIBUTES if row.get(a) not in OPEN and a not in guessed}
        self.free = {a: str(row[a]) for a in ("brand", "text") if row.get(a) not in OPEN}
        self.wear = set(row.get("condition") or ()) - {"none-visible"}

    def judge(self, attribute: str, value: str) -> bool | None:
        """True for a claim that is right; None where the annotation leaves it open."""
        if attribute == "category":
            return value == self.category
        if attribute == NAME:
            return self._is_called(value)
        if attribute == "detail":
            return True if value in self.there else None if value in self.unsettled else False
        if attribute == "condition":
            return value in self.wear
        if attribute in ("brand", "text"):
            return attribute in self.free and _alike(value, self.free[attribute])
        if attribute in ("colour", "colour2"):
            return value in (self.row.get("colour"), self.row.get("colour2"))
        if attribute in self.facts:
            return bool(value == self.facts[attribute])
        return False if self.row.get(attribute) == "n/a" else None

    def right(self, attribute: str) -> str | None:
        """The right value in the place of a wrong one, or None where there is nothing to say."""
        if attribute in ("category", NAME):
            return str(self.row["item"])
        return self.facts.get(attribute) or self.free.get(attribute)

    def _is_called(self, name: str) -> bool:
        nouns, words = load_lexicon(self.taxonomy).nouns, plain(name)
        keys = (words, words.removesuffix("s"), words.split()[-1], words.split()[-1].removesuffix("s"))
        named = next((nouns[key] for key in keys if key in nouns), frozenset())
        return self.category in named or plain(str(self.row["item"])).removesuffix("s").endswith(keys[-1])


def effort(draft: Draft, row: Row, taxonomy: Taxonomy) -> Effort:
    """Taps that make one draft right and complete."""
    truth = Truth(row, taxonomy)
    spans = claims_of(draft, taxonomy)
    claims = {(s.attribute or "", s.value): s for s in spans}
    confirm = marked = unmarked = missing = details = 0
    for (attribute, value), span in claims.items():
        verdict = truth.judge(attribute, value)
        if span.status == "check" and verdict is not False:
            confirm = CONFIRM
        if verdict is not False:
            continue
        cost = UNMARKED if span.status != "check" else _cost_of_marked(span, truth.right(attribute))
        if attribute == "detail":
            details += cost
        elif span.status == "check":
            marked += cost
        else:
            unmarked += cost
    corrected = {attribute for attribute, value in claims if truth.judge(attribute, value) is False}
    for attribute, value in unsaid(draft, truth, taxonomy):
        if attribute == "detail":
            details += len(value)
        elif attribute not in corrected:
            missing += len(value) if attribute in ("brand", "text", NAME) else CHOOSE
    return Effort(confirm, marked, unmarked, missing, details)


def with_offers(draft: Draft, row: Row, taxonomy: Taxonomy) -> Effort:
    """The same once every right offer that is shown was tapped."""
    current, taps = _tapped(draft, Truth(row, taxonomy), taxonomy, [], OFFERS_AT_ONCE)
    return replace(effort(current, row, taxonomy), offers=len(taps))


def with_search(draft: Draft, row: Row, taxonomy: Taxonomy) -> Effort:
    """The same once *More* was opened where something is still missing, for its offers and its search."""
    truth = Truth(row, taxonomy)
    current, taps = _tapped(draft, truth, taxonomy, [], OFFERS_AT_ONCE)
    offered, cost = len(taps), 0
    current, taps = _tapped(draft, truth, taxonomy, taps, MOST)
    cost += len(taps)
    while match := _search_result(current, truth, taxonomy, {tap.value for tap in taps}):
        offer, letters = match
        cost += letters + CHOOSE
        taps = [*taps, Edit("set", name_of(offer), offer.value)]
        current = revise(draft, word_of(taps), Rules(taxonomy, Calibration()))
    return replace(effort(current, row, taxonomy), offers=cost + (len(taps) > offered))


def _tapped(draft: Draft, truth: Truth, taxonomy: Taxonomy, taps: list[Edit], visible: int) -> tuple[Draft, list[Edit]]:
    """The draft after these taps and one on every right offer that is shown, and all of the taps."""
    while True:
        current = revise(draft, word_of(taps), Rules(taxonomy, Calibration())) if taps else draft
        missing = set(unsaid(current, truth, taxonomy))
        offer = next((o for o in current.offers[:visible] if (o.attribute, o.value) in missing), None)
        if offer is None:
            return current, taps
        taps = [*taps, Edit("set", name_of(offer), offer.value)]


def _search_result(
    draft: Draft, truth: Truth, taxonomy: Taxonomy, tried: Container[str | None]
) -> tuple[Offer, int] | None:
    """A detail that is missing and can be searched for, and after how many of its letters it comes first."""
    missing = {value for attribute, value in unsaid(draft, truth, taxonomy) if attribute == "detail"}
    listed = searchable(draft, item_of(draft.category.value, taxonomy))
    for offer in (o for o in listed if o.value in missing and o.value not in tried):
        label = offer.label
        firsts = (next(o for o in listed if label[:n] in o.label) for n in range(1, len(label) + 1))
        return offer, next((n for n, first in enumerate(firsts, 1) if first == offer), len(label))
    return None


def _cost_of_marked(span: Span, right: str | None) -> int:
    return 1 if right is None or right in span.alternatives else 2 + len(right)


def unsaid(draft: Draft, truth: Truth, taxonomy: Taxonomy) -> Iterable[tuple[str, str]]:
    """Facts of the item that stand nowhere in the texts, in no words, and do not go without saying."""
    claims = {(s.attribute or "", s.value) for s in claims_of(draft, taxonomy)}
    text = f"{draft.title}. {draft.description}"
    mentioned = load_lexicon(taxonomy).mentions(text)
    item_type = next((value for attribute, value in claims if attribute == NAME), None)
    node = taxonomy.categories.get(draft.category.value or "")
    silent = implied(node, item_type) if node else frozenset()
    if not any(attribute in ("category", NAME) for attribute, _ in claims):
        yield NAME, str(truth.row["item"])
    for fact in truth.facts.items():
        attribute, value = fact
        needless = {attribute, f"{attribute}={value}", f"={value}"} & silent or fact in GOES_WITHOUT_SAYING
        spoken = fact in claims or value in mentioned.get("colour" if attribute == "colour2" else attribute, ())
        if not needless and not spoken:
            yield fact
    for attribute, value in truth.free.items():
        claimed = any(a in ("brand", "text") and _alike(v, value) for a, v in claims)
        if not claimed and value.lower() not in text.lower():
            yield attribute, value
    yield from (("condition", value) for value in truth.wear if value not in mentioned.get("condition", ()))
    written = {phrase for phrase, pattern in load_details().patterns.items() if pattern.search(text.lower())}
    yield from (("detail", phrase) for phrase in truth.details - written - silent)


def claims_of(draft: Draft, taxonomy: Taxonomy) -> list[Span]:
    """Claims of a draft's texts."""
    return draft.spans or _spans_of_plain(draft, taxonomy)


def _spans_of_plain(draft: Draft, taxonomy: Taxonomy) -> list[Span]:
    """Claims of a draft without spans, all of them unmarked."""
    if draft.category.value is None:
        return []
    claims = [Claim("category", draft.category.value)]
    claims += [Claim(a.name, value) for a in draft.attributes if (value := a.value or a.suggestion)]
    return find_spans({"title": draft.title, "description": draft.description}, settle(claims, taxonomy))


def from_nothing(row: Row) -> int:
    """The letters of the annotator's own listing."""
    return len(row["title"]) + len(row["description"])


def _alike(one: str, other: str) -> bool:
    first, second = ("".join(c for c in text.lower() if c.isalnum()) for text in (one, other))
    return bool(first) and bool(second) and (first in second or second in first)


def table(sets: Mapping[str, Sequence[tuple[Draft, Row]]], taxonomy: Taxonomy) -> str:
    """One line a set and rule: mean taps in all and by kind, their median, and what writing from nothing takes."""
    head = ("drafts", "rule", "n", "taps", "median", *(part.name for part in fields(Effort)))
    lines = ["  ".join(f"{name:>9}" for name in head)]
    for name, pairs in sets.items():
        for rule, count in (("typed", effort), ("offered", with_offers), ("searched", with_search)):
            all_ = [count(draft, row, taxonomy) for draft, row in pairs]
            parts = [mean(getattr(e, part) for e in all_) for part in head[5:]]
            numbers = [mean(e.total for e in all_), median(e.total for e in all_), *parts]
            lines.append("  ".join([f"{name:>9}", f"{rule:>9}", f"{len(all_):>9}", *(f"{n:>9.2f}" for n in numbers)]))
    rows = [row for pairs in sets.values() for _, row in pairs]
    lines.append(
        "  ".join([f"{'nothing':>9}", f"{'typed':>9}", f"{len(rows):>9}", f"{mean(map(from_nothing, rows)):>9.2f}"])
    )
    return "\n".join(lines)


def read(file: Path) -> list[tuple[Draft, Row]]:
    """Drafts with their annotations."""
    return [(Draft.model_validate(line["draft"]), line["annotation"]) for line in read_lines(file)]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("sets", nargs="+", metavar="NAME=FILE")
    entries = [entry.partition("=") for entry in parser.parse_args().sets]
    print(table({name: read(Path(file)) for name, _, file in entries}, load_taxonomy()))


if __name__ == "__main__":
    main()
