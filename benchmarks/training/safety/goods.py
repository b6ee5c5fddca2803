"""Learns the goods check from the sets: ``python -m benchmarks.training.safety.goods``.

One logistic regression a policy group against everything else, over hashed words and letter groups. The thresholds come
from scores that were given without the text's own author: those of ``AUTHORS`` are each left out in turn. The weights
that are written are learned from all rows of the training and the development set. Prints the figures as JSON.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from finetune.data.files import read_lines
from listing.observe.printed.brands import brand_names
from listing.safety.prohibited_goods import (
    THRESHOLDS_FILE,
    WEIGHTS_FILE,
    GoodsModel,
    load_groups,
    spellings,
    vector,
)
from listing.taxonomy import load_taxonomy
from rag_index.sample.load import SAMPLE_FOLDER

SETS = Path("finetune/annotations/sets/goods")
AUTHORS = ("dev9", "dev10", "dev11")  # those who had read the same page of rules as the held author
BUCKETS = 100_000
SHORT_TEXTS = ("{}", "{}, works", "Used {}. In good condition.")
Row = dict[str, Any]


@dataclass(frozen=True)
class Recipe:
    """Settings of the training.

    strength: inverse of the regularisation. guilty, near: weights of rows of the group, and of allowed ones.
    near_misses: share of allowed rows that may be reviewed. precision: of what is refused. sentence: how far above
        a refused text one sentence of several has to score. caution: added to both limits, since of several
        spellings the worst one counts. seed: of the solver.
    """

    strength: float = 10.0
    guilty: float = 8.0
    near: float = 10.0
    near_misses: float = 0.0625
    precision: float = 0.97
    sentence: float = 1.5
    caution: float = 0.1
    seed: int = 7


def read_rows(folder: Path = SETS) -> list[Row]:
    """Rows of the training sets, of what is in the catalogue already, and of the development set."""
    train, disguised, development = (
        read_lines(folder / f"{name}.jsonl") for name in ("train", "disguised", "development")
    )
    train += disguised
    texts = {row["text"].casefold() for row in train}
    for category, text in catalogue():
        if text.casefold() not in texts:
            texts.add(text.casefold())
            train.append(
                {"author": "catalogue", "group": "ok", "category": category, "text": text, "prohibited": False}
            )
    return train + development


def catalogue() -> Iterator[tuple[str | None, str]]:
    """Honest texts by category: a thousand listings of the index's sample, whole or in part, the names of all
    categories, alone and in the shortest of texts, and every brand's name.
    """
    listings = read_lines(SAMPLE_FOLDER / "listings.jsonl.gz")
    random.Random(5).shuffle(listings)
    for number, listing in enumerate(listings[:1_000]):
        title, _, description = listing["text"].partition("\n")
        whole = f"{title}. {description}"
        brand = listing["attributes"].get("brand")
        with_brand = f"{title}. {brand}" if brand else None
        text = (whole, with_brand or title, description, with_brand or whole)[number % 4]
        yield listing["category"], text
    for leaf in load_taxonomy().leaves():
        for name in dict.fromkeys((leaf.name, *leaf.synonyms)):
            yield from ((leaf.name, form.format(name)) for form in SHORT_TEXTS)
    for name in brand_names():
        yield None, name


def inverse_frequency(rows: Sequence[Row], buckets: int = BUCKETS) -> np.ndarray:
    """Smoothed inverse document frequency of each bucket: float16 [buckets]."""
    counts = np.zeros(buckets)
    for row in rows:
        counts[np.unique(vector(row["text"], np.ones(buckets)).buckets)] += 1
    return (np.log((1 + len(rows)) / (1 + counts)) + 1).astype(np.float16)


def matrix(rows: Sequence[Row], idf: np.ndarray) -> csr_matrix:
    """Rows as the model sees them: [rows, buckets]."""
    vectors = [vector(row["text"], idf) for row in rows]
    at = np.repeat(np.arange(len(rows)), [len(v.buckets) for v in vectors])
    columns, values = np.concatenate([v.buckets for v in vectors]), np.concatenate([v.values for v in vectors])
    return csr_matrix((values, (at, columns)), shape=(len(rows), len(idf)))


def learn(rows: Sequence[Row], recipe: Recipe) -> GoodsModel:
    """A model of these rows in each of their spellings, its weights rounded to whole numbers as they are stored;
    thresholds are still open.
    """
    rows = [{**row, "text": spelling} for row in rows for spelling in spellings(row["text"])]
    groups, idf = load_groups(), inverse_frequency(rows)
    inputs, codes = matrix(rows, idf), np.array([row["group"] for row in rows])
    row_weights = np.where(codes == "ok", recipe.near, 1.0)
    weights, bias = np.zeros((len(idf), len(groups))), np.zeros(len(groups), np.float32)
    for column, group in enumerate(groups):
        model = LogisticRegression(
            C=recipe.strength, class_weight={0: 1, 1: recipe.guilty}, solver="liblinear", random_state=recipe.seed
        )
        model.fit(inputs, codes == group.code, sample_weight=row_weights)
        weights[:, column], bias[column] = model.coef_[0], model.intercept_[0]
    scale = (np.abs(weights).max(axis=0) / 127).astype(np.float32)
    return GoodsModel(groups, np.rint(weights / scale).astype(np.int8), scale, idf, bias, 0.0, 0.0, 0.0)


def scores(model: GoodsModel, rows: Sequence[Row]) -> np.ndarray:
    """The score of each row as a whole, of its worst spelling: float [rows]."""
    return np.array([max(model.judge(spelling)[0] for spelling in spellings(row["text"])) for row in rows])


def unseen_scores(rows: Sequence[Row], recipe: Recipe) -> tuple[list[Row], np.ndarray]:
    """Rows of ``AUTHORS`` with scores of models that have not seen their author."""
    judged, row_scores = [], []
    for author in AUTHORS:
        author_rows = [row for row in rows if row["author"] == author]
        model = learn([row for row in rows if row["author"] != author], recipe)
        judged += author_rows
        row_scores.append(scores(model, author_rows))
    return judged, np.concatenate(row_scores)


def thresholds(rows: Sequence[Row], row_scores: np.ndarray, recipe: Recipe) -> tuple[float, float]:
    """Scores from which on a text is refused (with the recipe's precision) and reviewed (its share of near-misses)."""
    guilty = np.array([row["prohibited"] for row in rows])
    review = float(np.quantile(row_scores[~guilty], 1 - recipe.near_misses))
    order = np.argsort(-row_scores)
    precision = np.cumsum(guilty[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(precision >= recipe.precision)
    refuse = float(row_scores[order][enough[-1]]) if len(enough) else float("inf")
    return max(refuse, review) + recipe.caution, review + recipe.caution


def figures(rows: Sequence[Row], row_scores: np.ndarray, refuse: float, review: float) -> dict[str, float]:
    """Recall of both levels together, of refusing, its precision, and shares of allowed rows that are flagged."""
    guilty = np.array([row["prohibited"] for row in rows])
    ordinary = np.array([row["group"] == "ordinary" for row in rows])
    is_near_miss = ~guilty & ~ordinary
    result = {
        "rows": len(rows),
        "recall": float((row_scores[guilty] >= review).mean()),
        "refused": float((row_scores[guilty] >= refuse).mean()),
        "precision of refusing": float(guilty[row_scores >= refuse].mean()),
        "near-misses flagged": float((row_scores[is_near_miss] >= review).mean()),
    }
    if ordinary.any():
        result["ordinary flagged"] = float((row_scores[ordinary] >= review).mean())
    return {name: round(value, 4) for name, value in result.items()}


def main() -> None:
    """Learn, choose thresholds, write the model's files, print the figures."""
    parser = argparse.ArgumentParser(description="Learn the goods check from the sets.")
    parser.add_argument("--sets", type=Path, default=SETS)
    parser.add_argument("--out", type=Path, default=WEIGHTS_FILE.parent)
    args = parser.parse_args()
    recipe = Recipe()
    rows = read_rows(args.sets)
    judged, row_scores = unseen_scores(rows, recipe)
    refuse, review = thresholds(judged, row_scores, recipe)
    model = learn(rows, recipe)
    tensors = {"weights": model.weights, "scale": model.scale, "idf": model.idf, "bias": model.bias}
    save_file(tensors, args.out / WEIGHTS_FILE.name)
    limits = {"refuse": refuse, "review": review, "sentence": refuse + recipe.sentence}
    limits = {name: round(value, 4) for name, value in limits.items()}
    (args.out / THRESHOLDS_FILE.name).write_text(json.dumps(limits) + "\n", encoding="utf-8")
    reports = {"all": figures(judged, row_scores, refuse, review)}
    for author in AUTHORS:
        is_author = np.array([row["author"] == author for row in judged])
        rows_of = [row for row in judged if row["author"] == author]
        reports[f"author {author} left out"] = figures(rows_of, row_scores[is_author], refuse, review)
    print(json.dumps({**limits, "seed": recipe.seed, "figures": reports}, indent=1))


if __name__ == "__main__":
    main()
