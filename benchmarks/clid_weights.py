"""CLID's recipe on a seed that no verdict uses: every loss with every weight, and other learning rates.

``python -m benchmarks.clid_weights [--seed 100] ARM [ARM ...]`` prints one line an arm, on the small default world.
An arm is one of the recipe (``none``, ``teacher``, ``pal``, ...) or ``LOSS@RATIO``, a student with this weight of the
distillation over that of the clicks (``clid@0.1``, ``listmle@10``); ``/RATE`` behind it changes its learning rate
(``none/2e-3``).
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from listing.home import ipl_home
from recommend.experiments.recipe import Setting
from recommend.experiments.recipes import clid

SHOWN = ("auc", "gauc", "gauc_list", "ndcg10", "logloss", "pcoc", "ece", "ece_list")


def arm_of(name: str) -> clid.Arm:
    """The arm of a name as the command takes it."""
    base, _, rate = name.partition("/")
    loss, at, ratio = base.partition("@")
    arm = clid.student(loss, float(ratio)) if at else clid.ARMS[base]
    return replace(arm, rate=float(rate)) if rate else arm


def main() -> None:
    """Train the arms, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("arms", nargs="+", metavar="ARM")
    parser.add_argument("--seed", type=int, default=100)
    args = parser.parse_args()
    prepared = clid.Prepared(Setting("small", args.seed, ipl_home() / "worlds", {}))
    arms = {**clid.ARMS, **{name: arm_of(name) for name in args.arms}}
    for name in args.arms:
        found = prepared.fitted(name, arms)
        m = clid.judge(prepared.market(arms[name].noise), found.test)
        print(f"{name:18}", *(f"{k} {m[k]:.4f}" for k in SHOWN), f"cpu_s {found.seconds:.1f}", flush=True)


if __name__ == "__main__":
    main()
