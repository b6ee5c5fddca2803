"""How much of the world can be learned: AUC of the oracle, of a quick logistic regression and of popularity.

``python -m benchmarks.recommend.world_learnable [--scale small|full] [--seeds N]`` prints one JSON line a seed.
Training: all days but the last two; test: those two. The regression sees only what the log holds before a page is
shown.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from recommend.data.world import World, make_config, simulate
from recommend.data.world.pages import ITEM

PRIOR = 20.0  # impressions that a smoothed click rate starts with


def smoothed_rate(key: np.ndarray, click: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Click rate of each row's key in the training days, drawn to the mean where the key is rare."""
    shown = np.bincount(key[train], minlength=key.max() + 1)
    clicked = np.bincount(key[train], weights=click[train], minlength=key.max() + 1)
    return ((clicked + PRIOR * click[train].mean()) / (shown + PRIOR))[key]


def features(world: World, train: np.ndarray) -> np.ndarray:
    """(rows, n): context, smoothed rates, and the match of the content vector with the content clicked in training."""
    rows, items, posts = world.rows, world.truth.items, world.truth.posts
    item, click = rows["entity"] == ITEM, rows["click"]
    content = np.where(item[:, None], items.content[rows["item"]], posts.content[rows["post"]])
    weight = np.where(train, click - click[train].mean(), 0).astype(np.float32)
    profile = np.zeros((world.config.users, content.shape[1]), dtype=np.float32)
    np.add.at(profile, rows["user"], weight[:, None] * content)
    # A training row's own click must not stand in its own feature.
    mine = profile[rows["user"]] - weight[:, None] * content
    norm = np.linalg.norm(mine, axis=1) + 1
    match = np.einsum("nk,nk->n", mine, content) / norm
    maker = np.where(item, items.seller[rows["item"]], posts.author[rows["post"]])
    return np.column_stack(
        [
            match,
            match * np.sqrt(norm),
            rows["position"],
            np.where(item, items.price_z[rows["item"]], 0),
            np.where(item, items.condition[rows["item"]], 0),
            item & items.single[rows["item"]],
            np.eye(4)[rows["channel"]],
            world.truth.calendar.promotion[rows["day"]] > 0,
            smoothed_rate(rows["category"], click, train),
            smoothed_rate(maker, click, train),
        ]
    ).astype(np.float64)


def measure(scale: str, seed: int) -> dict[str, float | int | str]:
    """AUCs on the last two days, and what they took."""
    began = time.process_time()
    world = simulate(make_config(scale), seed)  # type: ignore[arg-type]
    seconds = time.process_time() - began
    rows = world.rows
    train, click = rows["day"] < world.config.days - 2, rows["click"]
    x = StandardScaler().fit_transform(features(world, train))
    model = LogisticRegression(max_iter=200).fit(x[train], click[train])
    shown_id = np.where(rows["entity"] == ITEM, rows["item"], len(world.truth.items.price) + rows["post"])
    scores = {
        "oracle": rows["p_click"],
        "oracle_without_page": rows["p_click_without_page"],
        "logistic": model.predict_proba(x)[:, 1],
        "popularity": smoothed_rate(shown_id, click, train),
    }
    auc = {f"auc_{name}": round(float(roc_auc_score(click[~train], s[~train])), 4) for name, s in scores.items()}
    bought = rows["click"] & (rows["entity"] == ITEM)
    auc["auc_order_oracle"] = round(float(roc_auc_score(rows["order"][bought], rows["p_order"][bought])), 4)
    return {"scale": scale, "seed": seed, **auc, "simulation_cpu_s": round(seconds, 1)}


def main() -> None:
    """Print one line a seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", choices=("small", "full"), default="small")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    for seed in range(options.seeds):
        print(json.dumps(measure(options.scale, seed)), flush=True)


if __name__ == "__main__":
    main()
