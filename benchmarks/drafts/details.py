"""Details, colours and places that drafts say, against what is there, is not, or is not settled by the photo.

    python -m benchmarks.drafts.details before=drafts.jsonl after=drafts.jsonl

Each line of a file is ``{"draft": ..., "annotation": ...}`` (``benchmarks.drafts.annotated``); the truth is that of
``finetune.data.details``. Lengths of sleeves, necklines and wear are no details here. ``right``: of what is said and
the photo settles; ``found``: of what is there. 95 % intervals by bootstrap over senders, and of the difference of each
file to the first one, paired by photo.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common import arguments
from finetune.data.details import PART, PARTS, details_of, read_details, second_parts
from finetune.data.files import read_lines
from finetune.evaluate.measures import distinct_2, mean_words, share

Row = dict[str, Any]
TRUTH = {Path(row["image"]).name: row for row in read_details(Path())}
CHECKED = frozenset(word for row in TRUTH.values() for words in details_of(row) for word in words)
PLACES = {PART.format(part): part for part in PARTS}
DRAWS = 1000


def words_of(phrases: Iterable[str], motifs: bool = False) -> set[str]:
    """The details among phrases that the checklists have, or the motifs; what no checklist has cannot be judged."""
    checked = {phrase for phrase in phrases if phrase in CHECKED and phrase not in PLACES}
    return {phrase for phrase in checked if phrase.endswith(" motif") == motifs}


def counts_of(draft: Row, truth: Row) -> dict[str, int]:
    """Counts that one draft adds to each sum."""
    every, unsettled = details_of(truth)
    there = words_of(every)
    spans = [s for s in draft["spans"] if s["attribute"] == "detail"]
    texts = {s["value"] for s in spans}
    plain = {s["value"] for s in spans if s["status"] != "check"}
    out = {"there": len(there), "photos": 1}
    for name, phrases in (("listed", {d["phrase"] for d in draft["details"]}), ("text", texts), ("unmarked", plain)):
        mentioned = words_of(phrases)
        out |= {
            f"{name} said": len(mentioned),
            f"{name} right": len(mentioned & there),
            f"{name} settled": len(mentioned - unsettled),
        }
    places, parts = {PLACES[word] for word in texts if word in PLACES}, second_parts(truth)
    out |= {"places": len(places) * (parts is not None), "places right": len(places & set(parts or ()))}
    motifs = words_of(texts, motifs=True)
    out |= {"motifs": len(motifs), "motifs right": len(motifs & every)}
    colour = next((a for a in draft["attributes"] if a["name"] == "colour"), {})
    guess, is_stated = colour.get("value") or colour.get("suggestion"), bool(colour.get("value"))
    out |= {"first colour": guess == truth["c"][0], "colours": guess in truth["c"]}
    out |= {"stated": is_stated, "stated right": is_stated and guess in truth["c"]}
    return {**out, "marks": len({(s["attribute"], s["value"]) for s in draft["spans"] if s["status"] == "check"})}


# Each: (counted, out of), keys of ``counts_of``; a measure is the ratio of their sums.
MEASURES = {
    "details listed a photo": ("listed said", "photos"),
    "details listed: right": ("listed right", "listed settled"),
    "details listed: found": ("listed right", "there"),
    "details in the text: right": ("text right", "text settled"),
    "details in the text: found": ("text right", "there"),
    "details unmarked: right": ("unmarked right", "unmarked settled"),
    "details unmarked: found": ("unmarked right", "there"),
    "first colour": ("first colour", "photos"),
    "one of the colours": ("colours", "photos"),
    "colour stated": ("stated", "photos"),
    "colour stated: right": ("stated right", "stated"),
    "place of the second colour said": ("places", "photos"),
    "place of the second colour: right": ("places right", "places"),
    "motif said": ("motifs", "photos"),
    "motif: right": ("motifs right", "motifs"),
    "marks a draft": ("marks", "photos"),
}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("sets", nargs="+", metavar="NAME=FILE")
    files = dict(entry.split("=", 1) for entry in parser.parse_args().sets)
    drafts: dict[str, dict[str, Row]] = {}
    for name, file in files.items():
        drafts[name] = {Path(line["annotation"]["image"]).name: line["draft"] for line in read_lines(file)}
    photos = sorted(set.intersection(*(set(d) for d in drafts.values())))
    counts = {n: pd.DataFrame([counts_of(d[photo], TRUTH[photo]) for photo in photos]) for n, d in drafts.items()}
    report(counts, [TRUTH[photo]["sender_id"] for photo in photos])
    for name, by_photo in drafts.items():
        texts = [by_photo[photo]["description"] for photo in photos]
        print(f"{name}: {mean_words(texts):.1f} words, distinct-2 {distinct_2(texts):.3f} over {len(texts)} texts")


def report(tables: dict[str, pd.DataFrame], senders: Sequence[Any]) -> None:
    """One line for each measure and file."""
    names = sorted(set(senders), key=str)
    member = np.array([[sender == name for sender in senders] for name in names], float)
    rng = np.random.default_rng(0)
    drawn = [np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names)) for _ in range(DRAWS)]
    print(f"{len(senders)} photos of {len(names)} senders")
    for measure, pair in MEASURES.items():
        first: list[float] = []
        for name, table in tables.items():
            columns = table[list(pair)].to_numpy(float)
            values = [share(*(times @ (member @ columns))) for times in drawn]
            first = first or values
            low, high = np.nanpercentile(values, [2.5, 97.5])
            more = np.nanpercentile(np.array(values) - np.array(first), [2.5, 97.5])
            whole = share(*columns.sum(0))
            print(f"{measure:36} {name:10} {whole:.3f} [{low:.3f}, {high:.3f}]  more [{more[0]:+.3f}, {more[1]:+.3f}]")


if __name__ == "__main__":
    main()
