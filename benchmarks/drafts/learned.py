"""Gains from a shop's past listings, by their number: its categories and answers on listings that were held out.

    python -m benchmarks.drafts.learned fashion_catalog --sizes 50 200 1000 2200 --work DIR

The table of ``shared/data/NAME`` is split once, by seed 0, into ``max(sizes)`` past listings and new ones; the first of
the past ones are the smaller shops. Of ``ikea_interior`` the groups of its kinds are judged, too. Arms and intervals:
``finetune.shops.measure``; titles are compared by the F1 of their words with the shop's own, and by the shares of the
shop's words that are in ours, of our words in the shop's title, and of our description's words in its description.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd

import finetune
from benchmarks.common import arguments, machine, peak_gb
from benchmarks.drafts.kinds import TRUTH
from finetune.shops.measure import interval
from finetune.shops.voice import overlap, shared
from listing.home import ipl_home
from listing.shops.shop import Shop

TITLES = {"fashion_catalog": "title", "ikea_interior": "type"}


def split(name: str, past: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(past, new) listings of a table."""
    table = pd.read_parquet(finetune.data_root() / name / "listings.parquet")
    table = table.assign(title=table[TITLES[name]])
    order = np.random.default_rng(0).permutation(len(table))
    return table.iloc[order[:past]], table.iloc[order[past:]]


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
    of = [(groups[p["category"]], groups.get(p["drafted"], p["drafted"])) for p in pairs if p["category"] in groups]
    return interval([truth == drafted for truth, drafted in of])


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("name", choices=TITLES)
    parser.add_argument("--sizes", type=int, nargs="+", required=True)
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    home, root = ipl_home(), finetune.data_root() / args.name
    past, rest = split(args.name, max(args.sizes))
    stamp, shop = finetune.weights_stamp(home / "models" / "ipl-mini"), Shop(args.work / "shop")
    args.work.mkdir(parents=True, exist_ok=True)
    new = args.work / "new.csv"
    rest.to_csv(new, index=False)
    print(json.dumps({**machine(), "new": len(rest)}))
    for size in sorted(args.sizes, reverse=True):  # the largest first: its photos are the others' as well
        titles = args.work / f"titles-{size}.jsonl"
        table, began, clock = args.work / f"past-{size}.csv", time.process_time(), time.monotonic()
        past.iloc[:size].to_csv(table, index=False)
        learned = finetune.learn(finetune.Table(table, photos=root), shop, home, stamp)
        spent = {"cpu_seconds": round(time.process_time() - began, 1), "seconds": round(time.monotonic() - clock, 1)}
        figures = finetune.measure(
            learned.version, finetune.Table(new, photos=root), args.work / "new", home, stamp, titles
        )
        group = {"group": group_figures(titles)} if args.name == "ikea_interior" else {}
        told = {**spent, "peak_gb": peak_gb(), **figures, "texts": text_figures(titles), **group}
        print(json.dumps({size: told}), flush=True)


if __name__ == "__main__":
    main()
