"""The one-epoch fall by learning rate, on the seed on which the recipes' rates were set.

``python -m benchmarks.one_epoch_rates RECIPE RATE [RATE ...] [--seed 100]`` prints a line for each rate: the test AUC
at the end of the first pass and at the start and end of the second (means over a quarter of a pass), and the fall.
With ``--model din`` DIN is trained instead of the recipe's DNN; each line ends with the CPU seconds of its two passes.
RECIPE is one_epoch, one_epoch_amazon or one_epoch_taobao; the real logs are read from ``IPL_DATA``.
"""

from __future__ import annotations

import argparse
import importlib
import time
from dataclasses import replace

from listing.home import ipl_home
from recommend.experiments.epochs import run
from recommend.experiments.recipe import RECIPES, Setting
from recommend.experiments.recipes import one_epoch, one_epoch_amazon
from recommend.experiments.recipes.one_epoch import MODEL, moments

BASES = {"one_epoch": one_epoch.BASE, "one_epoch_amazon": one_epoch_amazon.BASE}
BASES["one_epoch_taobao"] = one_epoch_amazon.BASE  # it has the rates of Amazon


def main() -> None:
    """Train the recipe's DNN twice over its rows at each rate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=list(BASES))
    parser.add_argument("rates", type=float, nargs="+")
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--model", default="dnn", help="name in the registry (default: dnn)")
    args = parser.parse_args()
    setting = Setting("small", args.seed, ipl_home() / "worlds", {})
    data = importlib.import_module(RECIPES[args.recipe]).prepare(setting)
    for rate in args.rates:
        plan = replace(BASES[args.recipe], learning_rate=rate, model=args.model)
        began = time.process_time()
        trace, _ = run(plan, data.features, data.sizes, data.learn, data.test, MODEL, args.seed)
        at = moments(trace, plan.evaluations)
        seen = ", ".join(f"{at[m]['auc']:.4f} at {m}" for m in ("1", "2", "end"))
        cpu = time.process_time() - began
        print(f"{args.recipe}, rate {rate:g}: AUC {seen}; fall {at['2']['fall']:.4f}; {cpu:.1f} CPU s", flush=True)


if __name__ == "__main__":
    main()
