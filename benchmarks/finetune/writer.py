"""Texts that the embedded model writes with a writer's adapter, beside the renderer's from the same claims.

    python -m benchmarks.finetune.writer --adapter DIR --out DIR [--photos 60] [--seed 0] [--data DIR]
    python -m benchmarks.finetune.writer --samples tuning/writing/train.jsonl

Photos are drawn by seed from the validation senders; their claims and past listings are the pipeline's own and are kept
in ``--out``, so that they are looked for once. Prints a Markdown table. Writes ``pairs.jsonl`` (photo, text A, text B,
in an order drawn by seed) for a reader who does not know which is which, and ``key.json``, which says it. The second
form prints what the samples of ``./ipl tune data --texts`` are like.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

from finetune.data.cutting import FRAME, RENDERED, WORD, stem
from finetune.data.photosets import data_root, read_annotations
from finetune.data.splits import split_rows
from finetune.data.writing import FEW
from finetune.evaluate.writer import Hints, Writer, choose, hints_of, missing
from listing.home import ipl_home
from listing.taxonomy import Taxonomy, load_taxonomy
from listing.text.claims import Claim, claims_of
from listing.text.render import CLOSERS, render

FILLERS = FRAME | RENDERED | {w for line in CLOSERS for w in WORD.findall(line.lower())}
SPARE = 1.7  # times as many photos are drafted, since some texts of the two are equal or the writer has none


def gather(args: argparse.Namespace, taxonomy: Taxonomy) -> list[dict[str, Any]]:
    """``{image, key, claims, examples}`` of photos drawn by seed; what was found before is kept."""
    rows = sorted(split_rows(read_annotations(args.data))[1], key=lambda row: str(row["image"]))
    drawn = Random(args.seed).sample(rows, min(len(rows), int(SPARE * args.photos)))
    file = args.out / "claims.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    kept = {row["image"]: row for row in map(json.loads, lines)}
    left = [row for row in drawn if row["image"] not in kept]
    if left:
        from listing.events import DraftEvent
        from listing.observe.past_listings import EXAMPLES, PastListings
        from listing.intake.photos import intake
        from listing.pipeline import Pipeline
        from listing.pipeline_parts import build_parts
        from listing.request import DraftRequest

        past = PastListings.open(ipl_home())
        parts = build_parts(None, True, ipl_home(), past)
        for row in left:
            request = DraftRequest(photos=intake([row["image"]]), seller_id=f"sample-{row['sender_id']}")
            (draft,) = (event.draft for event in Pipeline(parts).run(request) if isinstance(event, DraftEvent))
            claims = claims_of(draft.category, draft.attributes, draft.details, taxonomy, parts.calibration)
            records = [past.index.get(near.listing_id) for near in draft.neighbours]
            examples = [record.text for record in records if record is not None and record.text][:EXAMPLES]
            kept[row["image"]] = found = {
                "image": row["image"], "key": draft.id, "claims": [asdict(c) for c in claims], "examples": examples
            }  # fmt: skip
            with file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(found) + "\n")
    return [kept[row["image"]] for row in drawn if kept[row["image"]]["claims"]]


def sample_figures(file: Path) -> dict[str, float]:
    """Of training samples: words of meaning that stand in no prompt, sparse prompts, past listings, words."""
    foreign = said = sparse = toned = words = 0
    samples = [json.loads(line)["messages"] for line in file.read_text(encoding="utf-8").splitlines()]
    for asked, told in ((ask["content"], answer["content"]) for ask, answer in samples):
        prompt, _, tone = asked.partition("\nTone:")
        lines = [line for line in prompt.splitlines() if line.startswith(("Certain", "Likely"))]
        hints = {stem(w) for w in WORD.findall(prompt.lower())}
        found = [w for w in WORD.findall(told.lower()) if w not in FILLERS]
        said, foreign = said + len(found), foreign + sum(stem(w) not in hints for w in found)
        sparse, toned = sparse + (sum(line.count(";") + 1 for line in lines) <= FEW), toned + bool(tone)
        words += len(told.split())
    count = len(samples)
    shares = {"foreign words": foreign / said, "3 claims or fewer": sparse / count, "past listings": toned / count}
    return {"samples": count, **shares, "words": words / count}


def figures(texts: Sequence[tuple[str, str]], hints: Sequence[Hints]) -> dict[str, float]:
    """Coverage of the claims, foreign words, distinct pairs of words, words of a description."""
    whole = [f"{title}\n{description}" for title, description in texts]
    told = sum(len(h.told) for h in hints)
    said = told - sum(len(missing(text, h)) for text, h in zip(whole, hints, strict=True))
    found = [[w for w in WORD.findall(text.lower()) if w not in FILLERS] for text in whole]
    held = [{stem(w) for w in [*h.words(), *WORD.findall(h.beside.lower())]} for h in hints]
    foreign = sum(stem(w) not in stems for words, stems in zip(found, held, strict=True) for w in words)
    descriptions = [WORD.findall(description.lower()) for _, description in texts]
    pairs = [pair for words in descriptions for pair in pairwise(words)]
    return {
        "claims said": said / max(1, told),
        "foreign words": foreign / max(1, sum(map(len, found))),
        "distinct-2": len(set(pairs)) / max(1, len(pairs)),
        "words of a description": sum(map(len, descriptions)) / max(1, len(descriptions)),
    }


def main() -> None:
    """What the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=Path)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=data_root() / "clothing_cc0")
    args = parser.parse_args()
    if args.samples:
        print(", ".join(f"{name} {value:.4g}" for name, value in sample_figures(args.samples).items()))
    if args.adapter and args.out:
        compare(args)


def compare(args: argparse.Namespace) -> None:
    """Draft, write, and print how the two compare."""
    args.out.mkdir(parents=True, exist_ok=True)
    taxonomy, rng = load_taxonomy(), Random(args.seed)
    found = gather(args, taxonomy)
    writer = Writer(ipl_home() / "models" / "ipl-mini", args.adapter)
    pairs: list[dict[str, Any]] = []
    key: list[dict[str, str]] = []
    hints: list[Hints] = []
    times: list[float] = []
    drafted = 0
    written: list[tuple[str, str]] = []
    rendered: list[tuple[str, str]] = []
    for row in found:
        if len(pairs) == args.photos:
            break
        drafted += 1
        claims = [Claim(**{**claim, "alternatives": tuple(claim["alternatives"])}) for claim in row["claims"]]
        plain = render(claims, taxonomy, key=row["key"])
        held = hints_of(claims, plain, taxonomy)
        began = time.process_time()
        best = choose(writer.candidates(held, row["examples"], seed=args.seed), held)
        times.append(time.process_time() - began)
        if best is None or (best.title, best.description) == (plain.title, plain.description):
            continue
        both = [("writer", best.title, best.description), ("renderer", plain.title, plain.description)]
        rng.shuffle(both)
        a, b = ({"title": title, "description": description} for _, title, description in both)
        pairs.append({"photo": row["image"], "A": a, "B": b})
        key.append({"A": both[0][0], "B": both[1][0]})
        hints.append(held)
        written.append((best.title, best.description))
        rendered.append((plain.title, plain.description))
    (args.out / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    (args.out / "key.json").write_text(json.dumps(key, indent=1) + "\n", encoding="utf-8")
    print(f"{drafted} photos drafted; the writer has a text of its own for {len(pairs)}, else the renderer's stands.")
    rows = {"writer": figures(written, hints), "renderer": figures(rendered, hints)}
    print("| |", " | ".join(rows["writer"]), "|\n|---|", "---|" * len(rows["writer"]))
    for name, numbers in rows.items():
        print(f"| {name} |", " | ".join(f"{value:.3f}" for value in numbers.values()), "|")
    print(f"CPU seconds of the writer a text: {sum(times) / len(times):.1f}, at most {max(times):.1f}")


if __name__ == "__main__":
    main()
