"""What a shop's past listings teach, by their number: its own categories and answers, of listings that were kept apart.

    python -m benchmarks.drafts.learned fashion_catalog --sizes 50 200 1000 2200 --work DIR [--out FILE]

The table of ``shared/data/NAME`` is split once, by seed 0, into ``max(sizes)`` past listings and new ones. Arms: out of
the box (each leaf of ours as the shop's most frequent word for it), past listings alone, heads alone, and all of them in
a shop's calibration (``shop``). No language model takes part. Intervals are 95 %, by bootstrap over the new listings.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import finetune
import rag_index
from finetune.shops.observing import PhotoObserver, by_name, in_a_draft
from listing.calibration import Calibration
from listing.decide.category import shop_votes
from listing.decide.decision import Decision, Rules
from listing.decide.views import Views
from listing.home import ipl_home
from listing.intake.photos import intake
from listing.observe.heads import FILE, Heads
from listing.observe.neighbours import Neighbours
from listing.observe.past_listings import PastListings
from listing.shop import INDEX, TAXONOMY, Shop
from listing.taxonomy import load_taxonomy

QUESTIONS = {"fashion_catalog": {"category": "article_type", "colour": "colour", "audience": "gender"},
             "ikea_interior": {"category": "category"}}  # fmt: skip
DRAWS, FREQUENT = 1000, 20
Row = dict[str, Any]


def split(name: str, past: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(past, new) listings of a table, by seed 0."""
    table = pd.read_parquet(finetune.data_root() / name / "listings.parquet")
    if name == "ikea_interior":
        table = table.assign(title=table["type"])
    order = np.random.default_rng(0).permutation(len(table))
    return table.iloc[order[:past]], table.iloc[order[past:]]


class NewListings:
    """Photos of listings that are kept apart, looked at once: observations, heads' features, the index's vectors."""

    def __init__(self, root: Path, rows: pd.DataFrame, observer: PhotoObserver, encoders: rag_index.Encoders) -> None:
        files = [root / image for image in rows["image"]]
        self.photos = [intake([file])[0] for file in files]
        self.seen = []
        for file, photo in zip(files, self.photos, strict=True):
            self.seen.append(observer.observe(hashlib.sha256(file.read_bytes()).hexdigest(), photo))
        images = [photo.image for photo in self.photos]
        self.features, self.vectors = observer.features.encode(images), encoders.image_vectors(images).tolist()


def answers(
    version: Path, new: NewListings, questions: list[str], base: Calibration
) -> dict[str, list[dict[str, object]]]:
    """Question -> of each new listing: the answer of each arm, and the shop's probability and threshold."""
    taxonomy, heads = load_taxonomy(version / TAXONOMY), Heads.load(version / FILE)
    learned = Calibration.load(version)
    rules = Rules(taxonomy, base.model_copy(update={"questions": {**base.questions, **learned.questions}}))
    encoders = rag_index.default_encoders(ipl_home())
    shares = {q: heads(new.features, q) for q in heads.values}
    out: dict[str, list[Row]] = {q: [] for q in questions}
    with rag_index.ListingIndex.open(version / INDEX, encoders.info) as index:
        past = PastListings(index, encoders, taxonomy)
        for i, photo in enumerate(new.photos):
            past.remember(photo, new.vectors[i])
            near = past.find([photo], category=None, seller_id=None)
            by_heads = {q: by_name(heads.values[q], shares[q][i]) for q in shares}
            decision = Decision(in_a_draft(new.seen[i], taxonomy, by_heads, near), 1, rules)
            plain = Views(in_a_draft(new.seen[i], taxonomy, {}, Neighbours()), 1)
            facts = {f.name: f for f in decision.facts}
            for q in questions:
                if q == "category":
                    value, p = decision.category.value, decision.category.confidence
                    three = [c.value for c in decision.category.candidates]
                    box, votes = shop_votes(plain, taxonomy, base.range).get("general", {}), near.categories
                else:
                    fact = facts.get(q)
                    value, p = (fact.value or fact.suggestion, fact.confidence or 0.0) if fact else (None, 0.0)
                    three = [value, *(fact.alternatives[:2] if fact else ())]
                    seen, votes = plain.pooled(q), near.votes.get(q, {})
                    box = seen.get("pixels") or seen.get("classifier", {})
                top = {"out of the box": box, "past listings": votes, "heads": by_heads.get(q, {})}
                tops = {arm: max(d, key=d.get) if d else None for arm, d in top.items()}
                out[q].append({**tops, "shop": value, "three": three, "p": p, "stated": p >= learned.of(q).threshold})
    return out


def interval(hits: np.ndarray) -> list[float]:
    """Share of 0/1 hits and its 95 % interval."""
    draws = np.random.default_rng(0).choice(hits, (DRAWS, len(hits))).mean(1)
    return [round(float(x), 3) for x in (hits.mean(), *np.percentile(draws, (2.5, 97.5)))]


def figures(rows: list[Row], truths: list[str], frequent: set[str]) -> Row:
    """Shares that are right, by arm; of the shop also among three, of frequent answers, and of what is stated."""
    told = [(row, truth) for row, truth in zip(rows, truths, strict=True) if truth not in ("", "nan", "NA", "None")]
    out: Row = {"listings": len(told)}
    for arm in ("out of the box", "past listings", "heads", "shop"):
        hits = np.array([str(row[arm]).lower() == truth.lower() for row, truth in told], float)
        out[arm] = interval(hits)
        out[f"{arm}, frequent"] = interval(hits[[truth in frequent for _, truth in told]])
    out["three"] = round(float(np.mean([truth in row["three"] for row, truth in told])), 3)
    stated = [row["shop"] == truth for row, truth in told if row["stated"]]
    out |= {
        "stated": round(len(stated) / len(told), 3),
        "right of those": round(float(np.mean(stated)), 3) if stated else None,
    }
    return out | {"empty": sum(row["shop"] is None for row, _ in told)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=QUESTIONS)
    parser.add_argument("--sizes", type=int, nargs="+", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    home, columns = ipl_home(), QUESTIONS[args.name]
    folder, root = home / "models" / "ipl-mini", finetune.data_root() / args.name
    past, rest = split(args.name, max(args.sizes))
    stamp, shop = finetune.weights_stamp(folder), Shop(args.work / "shop")
    args.work.mkdir(parents=True, exist_ok=True)
    new = NewListings(
        root, rest, PhotoObserver(folder, stamp, args.work / "new.jsonl"), rag_index.default_encoders(home)
    )
    results: Row = {"machine": f"{platform.machine()}, one thread", "new": len(rest)}
    for size in sorted(args.sizes, reverse=True):
        table, began = args.work / f"past-{size}.csv", time.process_time()
        past.iloc[:size].to_csv(table, index=False)
        learned = finetune.learn(finetune.Table(table, photos=root), shop, home, stamp, print)
        spent = round(time.process_time() - began, 1)
        made = answers(learned.version, new, list(columns), Calibration.load(folder))
        each = {}
        for question, column in columns.items():
            counts = past[column].astype(str).value_counts()
            frequent = {str(value) for value in counts[counts >= FREQUENT].index}
            each[question] = figures(made[question], rest[column].astype(str).tolist(), frequent)
        results[str(size)] = {"cpu_seconds": spent, **each}
        print(json.dumps({size: results[str(size)]}, indent=1), flush=True)
        if args.out:
            args.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
