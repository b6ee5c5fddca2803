"""How long pre-ranking takes: click probabilities times bids of many ads for one user, on one thread.

``python -m benchmarks.recommend.preranking_latency``: the vectors of ads are there, as a pre-ranker has them; the
vector of the user is computed for the request. Beside it DIN, which has to look at every ad together with the user.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from recommend.config import ModelConfig
from recommend.experiments.arms import FEATURES, MODEL
from recommend.experiments.recipes.copr import LARGE, SMALL
from recommend.features.ragged import Column, Ragged
from recommend.models.baselines.din import DIN
from recommend.models.copr import COPR, Terms, log_bid

ROWS = {"user_id": 848, "hour": 25, "channel": 5, "promotion": 4, "seller_id": 848, "single": 3}
ROWS |= {"item_id": 5_000, "category": 61, "condition": 7, "price_bucket": 12}
HISTORY = 20


def page(ads: int) -> dict[str, Column]:
    """One request's rows: the same user and history in each, another ad in each."""
    rng = np.random.default_rng(0)
    columns: dict[str, Column] = {}
    for feature in FEATURES.features:
        rows = ROWS.get(feature.vocabulary, 1)
        if feature.role == "history":
            one = (
                rng.normal(size=(HISTORY, feature.size)) if feature.kind == "vector" else rng.integers(0, rows, HISTORY)
            )
            values = torch.from_numpy(np.tile(one, (ads, *[1] * (one.ndim - 1))))
            columns[feature.column] = Ragged(values, torch.full((ads,), HISTORY))
        elif feature.kind == "id":
            drawn = rng.integers(0, rows, 1 if feature.role == "context" else ads)
            columns[feature.column] = torch.from_numpy(np.resize(drawn, ads))
        else:
            columns[feature.column] = torch.from_numpy(rng.normal(size=(ads, feature.size))).float().squeeze(1)
    return columns


def first(columns: dict[str, Column]) -> dict[str, Column]:
    """The first row."""
    return {n: c.slice(0, 1) if isinstance(c, Ragged) else c[:1] for n, c in columns.items()}


def pre_rank(config: ModelConfig, relaxed: bool, rows: dict[str, Column]) -> Callable[[], torch.Tensor]:
    """A request to two towers: the user's tower once, then all ads."""
    model = COPR(FEATURES, ROWS, config, terms=Terms(relaxed=relaxed)).eval()
    items, user, bid = model.item_vector(model.inputs(rows)), first(rows), torch.rand(len(rows["item_id"])) + 0.1

    def request() -> torch.Tensor:
        vector = model.user_vector(model.inputs(user))
        logit, log_alpha = model.scores(vector.expand_as(items), items)
        return (torch.nn.functional.logsigmoid(logit) + log_alpha + log_bid(bid)).topk(min(100, len(bid))).indices

    return request


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ads", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=20)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = page(args.ads)
    din = DIN(FEATURES, ROWS, MODEL).eval()
    kinds: dict[str, Callable[[], torch.Tensor]] = {
        "two small towers": pre_rank(SMALL, False, rows),
        "two small towers and alpha (COPR)": pre_rank(SMALL, True, rows),
        "two large towers": pre_rank(LARGE, False, rows),
        "DIN": lambda: din(rows)["click"].topk(min(100, args.ads)).indices,
    }
    with torch.no_grad():
        for name, request in kinds.items():
            repeats = args.repeats if name != "DIN" else max(args.repeats // 5, 2)
            request()
            spent = []
            for _ in range(repeats):
                began = time.process_time()
                request()
                spent.append(1e3 * (time.process_time() - began))
            print(f"{name}: {np.median(spent):.2f} ms of CPU (lowest {min(spent):.2f}, highest {max(spent):.2f})")


if __name__ == "__main__":
    main()
