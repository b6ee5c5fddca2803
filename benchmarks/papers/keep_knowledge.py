"""What KEEP's extractors have learned on the simulated marketplace, and of how many rows something is known.

``python -m benchmarks.papers.keep_knowledge [--seeds N]`` prints JSON; small worlds of seeds 0 to N - 1, kept in
``$IPL_HOME/worlds``. Tasks: AUC of clicks, carts and orders (the log's ripe labels) among all channels' rows of days 14
and 15, by the extractor as it is on day 14 and by the one that has learned clicks alone, whose click output ranks all
three. Known: share of the ads of days 14 to 29 whose key the store holds, by kind; ``others``: when every user and item
stands for another, as in the arm ``keep_others``.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import torch

from listing.home import ipl_home
from recommend.data.memory import MemoryStream
from recommend.experiments.arms import EVALUATED_ROWS
from recommend.experiments.recipe import Setting
from recommend.experiments.recipes.keep import of_others
from recommend.experiments.setups.keep_data import TASKS
from recommend.experiments.setups.keep_lab import FIRST, Knowledge, Lab, Labs
from recommend.metrics.ranks import auc
from recommend.models.keep import KINDS
from recommend.training.scoring import predictions

LATER = (FIRST, FIRST + 1)  # days


def tasks(lab: Lab) -> dict[str, dict[str, float]]:
    """Of each task: positives before and in the days that are asked, and AUC of both extractors."""
    index = lab.domain.where(*LATER)
    rows, window = lab.domain.rows(index), lab.domain.window(0, FIRST - 1)
    of_all, of_clicks = (
        predictions(m, MemoryStream(rows, EVALUATED_ROWS)) for m in (lab.extractor, lab.clicks_only[0])
    )
    found = {}
    for task in TASKS:
        label = np.asarray(rows[task])
        found[task] = {
            "learned from": int(np.asarray(window[task]).sum()),
            "positives": int(label.sum()),
            "auc": auc(label, of_all[f"p_{task}"]),
            "auc, clicks alone": auc(label, of_clicks["p_click"]),
        }
    return found


def known(knowledge: Knowledge) -> dict[str, float]:
    """Share of the rows of all days whose key was found."""
    return {
        kind: float(torch.cat([(day[f"knowledge_{kind}"] != 0).any(1) for day in knowledge.values()]).float().mean())
        for kind in KINDS
    }


def main() -> None:
    """Learn, ask and print JSON: means over the seeds, and each seed's values."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    runs = []
    for seed in range(args.seeds):
        lab = Labs(Setting("small", seed, ipl_home() / "worlds", {}))["default"]
        runs.append({**tasks(lab), "known": known(lab.knowledge), "known of others": known(of_others(lab))})
    found: dict[str, dict[str, object]] = {}
    for part, names in runs[0].items():
        for name in names:
            values = [round(run[part][name], 4) for run in runs]
            found.setdefault(part, {})[name] = {"mean": round(float(np.mean(values)), 4), "seeds": values}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
