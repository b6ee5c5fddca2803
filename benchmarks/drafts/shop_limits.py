"""Limits of learning from past listings: bad tables, learning again, and 100,000 listings.

    python -m benchmarks.drafts.shop_limits bad --work DIR
    python -m benchmarks.drafts.shop_limits again --work DIR [--rows 2584] [--more 100]
    python -m benchmarks.drafts.shop_limits large --work DIR [--rows 100000]

``bad``: 200 rows of ``fashion_catalog``, spoilt in several ways, through the command; prints what each ends in.
``again``: seconds of learning the table cold, with ``--more`` rows, and once more with nothing new. ``large``: made-up
vectors of 60 kinds; seconds and memory of the index, and of a head on the listings that heads are fitted on.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

import finetune
import rag_index
from benchmarks.common import arguments, peak_gb
from benchmarks.drafts.learned import split
from benchmarks.serving.real_server import ROOT, environment
from finetune.shops import fitting
from finetune.shops.learn import MAX_LISTINGS
from listing.home import ipl_home
from listing.shops.shop import Shop

NAME, KINDS = "fashion_catalog", 60


def spoilt(base: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The table as it is, and spoilt in several ways."""
    rng, missing, shuffled = np.random.default_rng(1), base.copy(), base.copy()
    missing.loc[missing.index[::3], "image"] = "images/none.jpg"
    for column in ("article_type", "colour", "gender", "usage", "age_group"):
        shuffled[column] = rng.permutation(shuffled[column].to_numpy())
    twin = base.iloc[:40].assign(article_type="Other items")
    codes = [f"SKU{i:05}" for i in range(len(base))]
    return {
        "plain": base,
        "missing photos": missing,
        "copies of another kind": pd.concat([base, twin.assign(id=twin.id.astype(str) + "b")]),
        "ids twice": pd.concat([base, twin]),
        "labels shuffled": shuffled,
        "columns of ids": base.assign(sku=codes, serial=rng.integers(0, 10**9, len(base))),
        "one kind": base.assign(article_type="Item"),
        "no kind": base.drop(columns=["article_type", "sub_category", "master_category"]),
        "no rows": base.iloc[:0],
    }


def bad(work: Path) -> None:
    """Learn each spoilt table through the command."""
    past, _ = split(NAME, 2200)
    learn = [sys.executable, "-P", "-m", "app.cli", "learn", "-o", str(work / "shop")]
    variables = environment(work / "home")
    for name, table in spoilt(past.iloc[:200]).items():
        file = work / f"{name.replace(' ', '_')}.csv"
        table.to_csv(file, index=False)
        options = [str(file), "--photos", str(finetune.data_root() / NAME)]
        done = subprocess.run([*learn, *options], env=variables, cwd=ROOT, capture_output=True, text=True, check=False)
        lines = [x for x in done.stdout.splitlines() if "made ready" not in x and "looked at" not in x]
        print(f"== {name}: status {done.returncode}", *lines, done.stderr[-300:] if done.returncode else "", sep="\n")


def again(work: Path, rows: int, more: int) -> None:
    """Learn cold, with more rows, and with nothing new."""
    table, root = pd.concat(split(NAME, 2200)), finetune.data_root() / NAME
    stamp = finetune.weights_stamp(ipl_home() / "models" / "ipl-mini")
    for count in (rows, rows + more, rows + more):
        table.iloc[:count].to_csv(work / "table.csv", index=False)
        cpu, clock = time.process_time(), time.monotonic()
        given = finetune.Table(work / "table.csv", photos=root)
        finetune.learn(given, Shop(work / "shop"), ipl_home(), stamp, lambda line: None)
        seconds = (round(time.process_time() - cpu, 1), round(time.monotonic() - clock, 1))
        print(f"{count} listings: {seconds[0]} CPU s, {seconds[1]} s, {peak_gb()} GB", flush=True)


def made_up(rows: int, width: int) -> Iterator[rag_index.IndexRecord]:
    """Records of kinds whose vectors lie about a centre each."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(KINDS, width))
    for i in range(rows):
        vector = centres[i % KINDS] + rng.normal(size=width)
        yield rag_index.IndexRecord(
            listing_id=f"x{i}", seller_id=f"s{i % 5000}", category=f"Kind {i % KINDS}", phashes=[f"{i:016x}"],
            image_vectors=[(vector / np.linalg.norm(vector)).tolist()], text=f"made-up item {i}",
        )  # fmt: skip


def large(work: Path, rows: int) -> None:
    """An index of many listings, and a head with its folds."""
    encoders, began = rag_index.default_encoders(ipl_home()), time.process_time()
    rag_index.build(made_up(rows, 1280), work / "index", encoders.info)
    size = sum(file.stat().st_size for file in (work / "index").rglob("*") if file.is_file()) / 1e6
    print(f"index: {time.process_time() - began:.0f} CPU s, {peak_gb()} GB, {size:.0f} MB on disk", flush=True)
    count, rng = min(rows, MAX_LISTINGS), np.random.default_rng(0)
    kinds, centres = np.arange(count) % KINDS, rng.normal(size=(KINDS, 2000)) * 0.01
    features = (rng.normal(size=(count, 2000)) * 0.02 + centres[kinds]).astype(np.float32)
    examples = fitting.Examples(features, np.arange(count), [f"s{i % 5000}" for i in range(count)])
    stated: dict[str, list[str | None]] = {"category": [f"Kind {kind}" for kind in kinds]}
    began = time.process_time()
    heads = fitting.fit_heads(examples, stated)
    print(f"head on {count}: {time.process_time() - began:.0f} CPU s", flush=True)
    began = time.process_time()
    fitting.out_of_fold(examples, stated, dict(heads.values))
    print(f"its folds: {time.process_time() - began:.0f} CPU s, {peak_gb()} GB", flush=True)


def main() -> None:
    parser = arguments(__doc__, more=100)
    parser.add_argument("what", choices=("bad", "again", "large"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rows", type=int)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    if args.what == "bad":
        bad(args.work)
    elif args.what == "again":
        again(args.work, args.rows or 2584, args.more)
    else:
        large(args.work, args.rows or 100_000)


if __name__ == "__main__":
    main()
