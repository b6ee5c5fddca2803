"""Gains from a shop's past listings, by their number: its categories and answers on listings that were held out.

    python -m benchmarks.drafts.learned fashion_catalog --sizes 50 200 1000 2200 --work DIR [--out FILE]

The table of ``shared/data/NAME`` is split once, by seed 0, into ``max(sizes)`` past listings and new ones; the first of
the past ones are the smaller shops. ``--validate`` judges the last fifth of the past ones by shops of the others: what
is chosen is chosen there, and the new are looked at once, at the end. ``clothing_cc0`` is a shop of its own senders:
those that training may see are the past, the validation senders the new. Of ``ikea_interior`` the groups of its kinds
are judged, too. Arms and intervals: ``finetune.shops.measure``; titles are compared by the F1 of their words with the
shop's own, and by the shares of the shop's words that are in ours, of our words in the shop's title, and of our
description's words in its description.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import finetune
from benchmarks.common import arguments, machine, peak_gb
from benchmarks.drafts.kinds import TRUTH
from finetune.data.splits import is_validation_sender
from finetune.shops.measure import interval
from finetune.shops.voice import overlap, shared
from listing.home import ipl_home
from listing.shops.shop import Shop

TITLES = {"fashion_catalog": "title", "ikea_interior": "type", "clothing_cc0": "title"}
CC0_COLUMNS = ("image", "title", "description", "colour", "pattern", "sleeve", "neckline", "closure", "material")
NOT_STATED = ("unknown", "n/a")
VALIDATION = 0.2


def split(name: str, past: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(past, new) listings of a table."""
    if name == "clothing_cc0":
        return _senders(past)
    table = pd.read_parquet(finetune.data_root() / name / "listings.parquet")
    table = table.assign(title=table[TITLES[name]])
    order = np.random.default_rng(0).permutation(len(table))
    return table.iloc[order[:past]], table.iloc[order[past:]]


def validation(past: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(past, new) of the past alone: the last fifth of what the seed has drawn is judged by the others."""
    cut = round(len(past) * (1 - VALIDATION))
    return past.iloc[:cut], past.iloc[cut:]


def _senders(past: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Annotated photos as listings of their senders; what was guessed, or does not apply, is not stated."""
    rows = []
    for row in finetune.read_annotations(finetune.data_root() / "clothing_cc0"):
        cells = {c: row[c] for c in CC0_COLUMNS if c not in row["guess"] and row[c] not in NOT_STATED}
        rows.append({"id": Path(row["image"]).stem, "seller": row["sender_id"], "category": row["label"], **cells})
    table = pd.DataFrame(rows)
    new = table.seller.map(is_validation_sender)
    order = np.random.default_rng(0).permutation(int((~new).sum()))
    return table[~new].iloc[order[:past]], table[new]


def text_figures(file: Path) -> dict[str, list[float]]:
    """Overlap with the shop's titles before and after learning, the paired difference, and the shares of words."""
    pairs = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    before, after = ([overlap(pair[arm], pair["title"]) for pair in pairs] for arm in ("out of the box", "shop"))
    gains = [a - b for a, b in zip(after, before, strict=True)]
    return {
        "out of the box": interval(before), "shop": interval(after), "gain": interval(gains),
        "shop's words in ours": interval([shared(pair["title"], pair["shop"]) for pair in pairs]),
        "our words in the shop's": interval([shared(pair["shop"], pair["title"]) for pair in pairs]),
        "of descriptions": interval([shared(pair["shop's description"], pair["description"]) for pair in pairs]),
    }  # fmt: skip


def group_figures(file: Path) -> list[float]:
    """Share of the drafts whose kind is of the group of the listing's kind, by ``benchmarks/drafts/kinds.yaml``."""
    groups = {kind: truth["groups"][0] for kind, truth in TRUTH["ikea"].items() if truth.get("groups")}
    pairs = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    of = [
        (groups[pair["category"]], groups.get(pair["drafted"], pair["drafted"]))
        for pair in pairs
        if pair["category"] in groups
    ]
    return interval([truth == drafted for truth, drafted in of])


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("name", choices=TITLES)
    parser.add_argument("--sizes", type=int, nargs="+", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--validate", action="store_true")
    args = parser.parse_args()
    home, root = ipl_home(), finetune.data_root() / args.name
    past, rest = split(args.name, max(args.sizes))
    if args.validate:
        past, rest = validation(past)
    stamp, shop = finetune.weights_stamp(home / "models" / "ipl-mini"), Shop(args.work / "shop")
    args.work.mkdir(parents=True, exist_ok=True)
    new = args.work / "new.csv"
    rest.to_csv(new, index=False)
    results: dict[str, Any] = {**machine(), "new": len(rest)}
    for size in sorted(args.sizes, reverse=True):  # the largest first: its photos are the others' as well
        titles = args.work / f"titles-{size}.jsonl"
        table, began, clock = args.work / f"past-{size}.csv", time.process_time(), time.monotonic()
        past.iloc[:size].to_csv(table, index=False)
        learned = finetune.learn(finetune.Table(table, photos=root), shop, home, stamp)
        spent = {"cpu_seconds": round(time.process_time() - began, 1), "seconds": round(time.monotonic() - clock, 1)}
        figures = finetune.measure(
            learned.version, finetune.Table(new, photos=root), args.work / "new", home, stamp, titles
        )
        results[str(size)] = {**spent, "peak_gb": peak_gb(), **figures, "texts": text_figures(titles)}
        if args.name == "ikea_interior":
            results[str(size)]["group"] = group_figures(titles)
        print(json.dumps({size: results[str(size)]}), flush=True)
        if args.out:
            args.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
