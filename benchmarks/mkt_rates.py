"""Learning rates of MKT's arms that were tried on seed 100, which no verdict uses.

IPL_DATA=... python -m benchmarks.mkt_rates --worlds FOLDER mkt_amazon   # first rates, on the users set aside
python -m benchmarks.mkt_rates --worlds FOLDER mkt                       # second step of mmoe_finetune
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from recommend.experiments.entities import open_entities
from recommend.experiments.recipe import Setting
from recommend.experiments.recipes import mkt, mkt_amazon


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=("mkt", "mkt_amazon"))
    parser.add_argument("--worlds", type=Path, required=True, help="folder in which worlds are kept")
    parser.add_argument("--seed", type=int, default=100)
    args = parser.parse_args()
    logs: dict[bool, Any]
    if args.recipe == "mkt":
        setting = Setting("small", args.seed, args.worlds, {})
        logs = {False: open_entities(setting, {})}
        tried = [("mmoe_finetune", "second", rate) for rate in (1e-3, 2e-3)]
    else:
        setting = Setting("full", args.seed, args.worlds, {})
        logs = {False: mkt_amazon.load(setting, swapped=False)}
        firsts = {"din": "second", "fibinet": "second", "ple": "first", "finetune": "first", "mkt": "first"}
        tried = [(name, step, rate) for name, step in firsts.items() for rate in (2e-3, 5e-3)]
    recipe = mkt if args.recipe == "mkt" else mkt_amazon
    for name, step, rate in tried:
        usual = recipe.ARMS[name]
        recipe.ARMS[name] = replace(usual, **{step: rate})
        found = recipe.run(name, logs, setting)
        recipe.ARMS[name] = usual
        wanted = ("gauc", "gauc_true", "auc", "auc_true", "logloss")
        print(
            f"{name}, {step} rate {rate}: " + ", ".join(f"{n} {found[n]:.4f}" for n in wanted if n in found), flush=True
        )


if __name__ == "__main__":
    main()
