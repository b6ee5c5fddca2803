"""Countable figures of texts: words, variety, repetition, and how many of the annotated facts they state.

    python -m benchmarks.drafts.text_figures drafts.jsonl [--read finetune/annotations/read_drafts.jsonl]

Lines as ``benchmarks.drafts.effort`` reads them. A fact counts as said in any words, marked or not; what the annotation
guessed, and what goes without saying, does not count. ``--read``: claims that a reader judged in earlier texts of the
same photos; those that these texts still make are counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import mean

from benchmarks.common import arguments
from benchmarks.drafts.effort import GOES_WITHOUT_SAYING, Row, Truth, read, unsaid
from finetune.data.files import read_lines
from finetune.evaluate.measures import distinct_2
from listing.schema import Draft
from listing.taxonomy import Taxonomy, load_taxonomy

MIN_WORDS, TITLE_WORDS, SAMPLE = 12, range(4, 10), 100
_EMPTY_NOUN = re.compile(r"\b(?:item|garment|piece of clothing|product)s?\b", re.I)
Pair = tuple[Draft, Row]


def without_note(draft: Draft) -> str:
    """The description without the seller's note below it."""
    return draft.description.partition("\n\n")[0]


def coverage(pairs: Sequence[Pair], taxonomy: Taxonomy) -> float:
    """Share of the annotated facts (attributes, brand, print, wear) that a text says."""
    total = covered = 0
    for draft, row in pairs:
        truth = Truth(row, taxonomy)
        facts = {fact for fact in truth.facts.items() if fact not in GOES_WITHOUT_SAYING}
        facts |= set(truth.free.items()) | {("condition", value) for value in truth.wear}
        total += len(facts)
        covered += len(facts - set(unsaid(draft, truth, taxonomy)))
    return covered / max(1, total)


def marked_first(draft: Draft) -> int:
    """The number of marked words that the title opens with."""
    spans = sorted((s for s in draft.spans if s.field == "title"), key=lambda s: s.start)
    end = count = 0
    for span in spans:
        if span.status != "check" or draft.title[end : span.start].strip():
            break
        end, count = span.end, count + 1
    return count


def figures(pairs: Sequence[Pair], taxonomy: Taxonomy) -> Iterator[tuple[str, float]]:
    """(what, figure) of a set of drafts."""
    drafts = [draft for draft, _ in pairs]

    def share(test: Callable[[Draft], bool]) -> float:
        return mean(map(test, drafts))

    yield "drafts", len(drafts)
    yield "words of a title", mean(len(d.title.split()) for d in drafts)
    yield "titles of 4 to 9 words", share(lambda d: len(d.title.split()) in TITLE_WORDS)
    yield "titles that open with two marked words or more", share(lambda d: marked_first(d) >= 2)
    yield "words of a description", mean(len(without_note(d).split()) for d in drafts)
    yield "descriptions of 12 words or more", share(lambda d: len(without_note(d).split()) >= MIN_WORDS)
    yield "descriptions equal to their title", share(lambda d: without_note(d).strip(" .") == d.title)
    yield "texts with an empty noun", share(lambda d: bool(_EMPTY_NOUN.search(f"{d.title} {without_note(d)}")))
    yield f"distinct-2 of {SAMPLE} descriptions", distinct_2([without_note(d) for d in drafts[:SAMPLE]])
    yield (
        "marked claims in a draft",
        mean(len({(s.attribute, s.value) for s in d.spans if s.status == "check"}) for d in drafts),
    )
    yield "annotated facts said", coverage(pairs, taxonomy)


def read_claims(pairs: Sequence[Pair], file: Path) -> Iterator[tuple[str, float]]:
    """(what, figure) of the judged claims that the texts still make."""
    judged = {row["image"]: row["claims"] for row in read_lines(file)}
    still = [
        claim
        for draft, row in pairs
        for claim in judged.get(Path(row["image"]).name, ())
        if claim["words"].lower() in f"{draft.title}. {without_note(draft)}".lower()
    ]
    for marked in (False, True):
        labels = [claim["label"] for claim in still if claim["marked"] is marked]
        name = "marked" if marked else "unmarked"
        yield f"judged claims still made, {name} when judged", len(labels)
        for label in ("right", "wrong", "unsure"):
            yield f"  of these {label}", labels.count(label)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--read", type=Path)
    args = parser.parse_args()
    pairs = read(args.file)
    for what, figure in (*figures(pairs, load_taxonomy()), *(read_claims(pairs, args.read) if args.read else ())):
        print(f"{figure:8.3f}  {what}")


if __name__ == "__main__":
    main()
