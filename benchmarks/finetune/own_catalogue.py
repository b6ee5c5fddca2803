"""The embedded model, shipped and tuned on a catalogue, on rows of brands that it was not tuned on.

    python -m benchmarks.finetune.own_catalogue split --out DIR [--rows 500] [--seed 0]
    python -m benchmarks.finetune.own_catalogue draft --out DIR [--model tuning/model] [--skip 0] [--items 160]
    python -m benchmarks.finetune.own_catalogue facts --out DIR
    python -m benchmarks.finetune.own_catalogue count finetune/annotations/judged_catalogue_500.jsonl --out DIR

``split`` writes ``shop.csv`` (to tune on; ``--rows`` of it, drawn by seed) and ``held.csv``: whole brands, and no
photo that looks like one of the shop's. ``draft`` drafts rows of ``held.csv`` with a model, those behind the first
``--skip``, and goes on where it was stopped; ``facts`` compares the two with the catalogue's own columns, paired, with
95 % intervals over brands. ``count`` reads what readers preferred who did not know whose text was whose, one JSON line
a pair: ``{"pair": 0, "tuned": "A", "better": "A"}`` (or B, or same). The photo set is ``fashion_catalog`` (IPL_DATA).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from benchmarks.common import arguments, markdown
from benchmarks.drafts.photos import draft_of
from finetune.data.build import without_lookalikes
from finetune.data.files import read_lines
from finetune.data.photosets import data_root
from finetune.data.splits import is_validation_sender
from finetune.shops.columns import no_vectors
from listing.lexicon import load_lexicon
from listing.shops.catalogue import vocabulary_of
from listing.shops.shop import Words, use_shop
from listing.taxonomy import load_taxonomy
from rag_index.imports.catalogue import PlainRow, open_catalogue
from rag_index.imports.glossary import read_glossary

MAPPING = Path(__file__).with_suffix(".yaml")
FOLDER = data_root() / "fashion_catalog"
ARMS = ("shipped", "tuned")
SHARE, DRAWS = 0.25, 2000  # of the brands; of the bootstrap
Row = dict[str, Any]


def split(args: argparse.Namespace) -> None:
    """Whole brands on either side."""
    import pandas as pd

    table = pd.read_parquet(FOLDER / "listings.parquet")
    table["image"] = table["image"].map(lambda name: name.removeprefix("images/"))
    held = table["brand"].str.lower().map(lambda brand: is_validation_sender(f"{args.seed}:{brand}", SHARE))
    photos = [{"image": str(FOLDER / "images" / n), "id": i} for n, i in zip(table["image"], table["id"], strict=True)]
    shop, rest = ([p for p, h in zip(photos, held, strict=True) if h == side] for side in (False, True))
    apart = {row["id"] for row in without_lookalikes(rest, shop)}
    args.out.mkdir(parents=True, exist_ok=True)
    shop_table = table[~held]
    shop_table = shop_table.sample(args.rows, random_state=args.seed) if args.rows else shop_table
    shop_table.to_csv(args.out / "shop.csv", index=False)
    table[table["id"].isin(apart)].to_csv(args.out / "held.csv", index=False)
    alike = len(rest) - len(apart)
    print(f"{len(shop_table)} rows in shop.csv; {len(apart)} in held.csv, without {alike} that look alike")


def held_rows(args: argparse.Namespace) -> list[PlainRow]:
    """The held-out rows of kinds that the embedded model was tuned on, in an order drawn by seed."""
    table = open_catalogue(
        args.out / "held.csv",
        vocabulary_of(load_taxonomy()),
        no_vectors,
        glossary=read_glossary(MAPPING),
        photos=FOLDER / "images",
    )
    categories = load_taxonomy().categories
    rows = [r for r in table.rows() if isinstance(r, PlainRow) and r.in_vocabulary and categories[r.category].tuned]
    Random(args.seed).shuffle(rows)
    return rows


def draft(args: argparse.Namespace) -> None:
    """``drafts-ARM.jsonl``: a draft of each row, and whether its texts are the model's own."""
    from listing.decide.claims import claims_of
    from listing.home import ipl_home
    from listing.pipeline import Pipeline
    from listing.pipeline_parts import build_parts
    from listing.say.render import render

    tax, file = load_taxonomy(), args.out / f"drafts-{'tuned' if args.model else 'shipped'}.jsonl"
    done = {row["id"] for row in read(file)}
    parts = build_parts(args.model, True, ipl_home(), words=Words.of(use_shop()))
    for row in held_rows(args)[args.skip : args.skip + args.items]:
        if row.listing_id in done:
            continue
        drafted = draft_of(Pipeline(parts), FOLDER / "images" / row.photos[0])
        claims = claims_of(drafted.category, drafted.attributes, drafted.details, tax, parts.calibration)
        plain = render(claims, tax) if claims else drafted
        differs = {name: getattr(drafted, name) != getattr(plain, name) for name in ("title", "description")}
        line = {"id": row.listing_id, "own": differs, "truth": asdict(row), "draft": drafted.model_dump(mode="json")}
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line, ensure_ascii=False) + "\n")


def read(file: Path) -> list[Row]:
    return read_lines(file) if file.is_file() else []


def both(args: argparse.Namespace) -> list[tuple[Row, Row]]:
    """Drafts of the same row, shipped and tuned."""
    shipped, tuned = ({row["id"]: row for row in read(args.out / f"drafts-{arm}.jsonl")} for arm in ARMS)
    return [(shipped[name], tuned[name]) for name in shipped if name in tuned]


def judged_attributes(row: Row) -> Iterator[tuple[bool, bool]]:
    """(stated, right) of each closed attribute that the catalogue's own columns give."""
    facts = {fact["name"]: fact for fact in row["draft"]["attributes"]}
    closed = {a.name for a in load_taxonomy().attributes.values() if a.values and a.can_be("seen")}
    for name, truth in row["truth"]["attributes"].items():
        if name in closed and name in facts:
            yield facts[name]["value"] is not None, (facts[name]["value"] or facts[name]["suggestion"]) == truth


def category(row: Row) -> str | None:
    candidates: list[Mapping[str, Any]] = row["draft"]["category"]["candidates"]
    return row["draft"]["category"]["value"] or next((c["value"] for c in candidates), None)


def contradicted(row: Row) -> tuple[int, int]:
    """(claims of the texts that the catalogue's columns contradict, claims that they can judge)."""
    truth, tax = row["truth"], load_taxonomy()
    text = f"{row['draft']['title']}. {row['draft']['description']}"
    facts = {name: value for name, value in truth["attributes"].items() if tax.attributes[name].values}
    said = load_lexicon(tax).mentions(text)
    judged = [value in said[name] for name, value in facts.items() if said.get(name)]
    return len(judged) - sum(judged), len(judged)


# Each: (counted, out of) of a row; a measure is the ratio of the sums.
MEASURES: dict[str, Callable[[Row], tuple[int, int]]] = {
    "category right": lambda row: (int(category(row) == row["truth"]["category"]), 1),
    "attributes right, guesses counted": lambda row: (
        sum(r for _, r in judged_attributes(row)),
        len(list(judged_attributes(row))),
    ),
    "stated attributes that are right": lambda row: (
        sum(s and r for s, r in judged_attributes(row)),
        sum(s for s, _ in judged_attributes(row)),
    ),
    "attributes stated": lambda row: (sum(s for s, _ in judged_attributes(row)), len(list(judged_attributes(row)))),
    "claims of the texts that the columns contradict": contradicted,
    "titles of the model's own": lambda row: (int(row["own"]["title"]), 1),
    "descriptions of the model's own": lambda row: (int(row["own"]["description"]), 1),
}


def facts(args: argparse.Namespace) -> None:
    """A Markdown table: shipped, tuned, their difference with its interval over brands."""
    pairs = both(args)
    brands = [(a["truth"]["attributes"].get("brand") or a["id"]).lower() for a, _ in pairs]
    names = sorted(set(brands))
    counts = np.random.default_rng(0).multinomial(len(names), np.full(len(names), 1 / len(names)), size=DRAWS)
    weights = counts[:, [names.index(brand) for brand in brands]]
    print(f"{len(pairs)} rows of {len(names)} brands\n")
    rows = []
    for name, measure in MEASURES.items():
        sums = np.array([[measure(row) for row in pair] for pair in pairs], dtype=float)  # [rows, arms, 2]
        whole = sums.sum(0)
        drawn = np.einsum("dr,rac->dac", weights, sums)
        ratio, ratios = whole[:, 0] / whole[:, 1], drawn[..., 0] / drawn[..., 1]
        low, high = np.nanpercentile(ratios[:, 1] - ratios[:, 0], [2.5, 97.5])
        more = f"{ratio[1] - ratio[0]:+.3f} [{low:+.3f}, {high:+.3f}]"
        rows.append((name, f"{ratio[0]:.3f}", f"{ratio[1]:.3f}", more))
    print(markdown(("", "shipped", "tuned", "difference"), rows))


def count(args: argparse.Namespace) -> None:
    """Share of pairs in which the tuned text was preferred; "same" is half a preference."""
    rows = read(args.labels)
    votes = ["same" if r["better"] == "same" else "tuned" if r["better"] == r["tuned"] else "shipped" for r in rows]
    won: dict[int, list[float]] = {}  # of each pair, by all readers
    for row, arm in zip(rows, votes, strict=True):
        won.setdefault(row["pair"], []).append({"tuned": 1.0, "same": 0.5, "shipped": 0.0}[arm])
    wins = np.array([np.mean(each) for each in won.values()])
    draws = np.random.default_rng(0).choice(wins, (DRAWS, len(wins))).mean(1)
    low, high = np.percentile(draws, [2.5, 97.5])
    tally = ", ".join(f"{arm} {votes.count(arm)}" for arm in (*ARMS, "same"))
    print(f"{len(wins)} pairs, {len(votes)} readings: {tally}")
    print(f"tuned preferred {wins.mean():.2f} [{low:.2f}, {high:.2f}]")


def main() -> None:
    """Run the step that the first argument names."""
    steps = {"split": split, "draft": draft, "facts": facts, "count": count}
    parser = arguments(__doc__, skip=0, items=160, seed=0)
    parser.add_argument("step", choices=steps)
    parser.add_argument("labels", type=Path, nargs="?")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model")
    parser.add_argument("--rows", type=int, default=0, help="of the shop's; 0: all")
    args = parser.parse_args()
    steps[args.step](args)


if __name__ == "__main__":
    main()
