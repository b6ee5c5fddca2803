"""Gains from a shop's past listings, by their number: its categories and answers on listings that were held out.

    python -m benchmarks.drafts.learned fashion_catalog --sizes 50 200 1000 2200 --work DIR [--out FILE]

The table of ``shared/data/NAME`` is split once, by seed 0, into ``max(sizes)`` past listings and new ones; the first of
the past ones are the smaller shops. Arms and intervals: ``finetune.shops.measure``.
"""

from __future__ import annotations

import json
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import finetune
from benchmarks.common import arguments
from listing.home import ipl_home
from listing.shops.shop import Shop

TITLES = {"fashion_catalog": "title", "ikea_interior": "type"}


def split(name: str, past: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(past, new) listings of a table."""
    table = pd.read_parquet(finetune.data_root() / name / "listings.parquet")
    table = table.assign(title=table[TITLES[name]])
    order = np.random.default_rng(0).permutation(len(table))
    return table.iloc[order[:past]], table.iloc[order[past:]]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("name", choices=TITLES)
    parser.add_argument("--sizes", type=int, nargs="+", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    home, root = ipl_home(), finetune.data_root() / args.name
    past, rest = split(args.name, max(args.sizes))
    stamp, shop = finetune.weights_stamp(home / "models" / "ipl-mini"), Shop(args.work / "shop")
    args.work.mkdir(parents=True, exist_ok=True)
    new = args.work / "new.csv"
    rest.to_csv(new, index=False)
    results: dict[str, Any] = {"machine": f"{platform.machine()}, one thread", "new": len(rest)}
    for size in sorted(args.sizes, reverse=True):  # the largest first: its photos are the others' as well
        table, began = args.work / f"past-{size}.csv", time.process_time()
        past.iloc[:size].to_csv(table, index=False)
        learned = finetune.learn(finetune.Table(table, photos=root), shop, home, stamp)
        spent = round(time.process_time() - began, 1)
        figures = finetune.measure(learned.version, finetune.Table(new, photos=root), args.work / "new", home, stamp)
        results[str(size)] = {"cpu_seconds": spent, **figures}
        print(json.dumps({size: results[str(size)]}), flush=True)
        if args.out:
            args.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
