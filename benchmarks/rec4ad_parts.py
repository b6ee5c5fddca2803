"""Rec4Ad's weights and batches, on the seed on which they were chosen.

``python -m benchmarks.rec4ad_parts LINE [LINE ...] [--seed 100]``; a line such as ``rec4ad,batch=64,align=0.1`` names
an arm of the recipe, and what is otherwise: ``batch``, ``rate``, or a number of ``recommend.models.rec4ad.Parts``.
Prints the measures that the choice was made by, and whether the parting happened. The line ``bids`` prints what share
of the training days' ads was clicked, by third of the bid, of those that the policy chose and of the uniform ones.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import numpy as np

from listing.home import ipl_home
from recommend.data.schema import POLICIES
from recommend.experiments.recipe import Setting
from recommend.experiments.recipes.rec4ad import ARMS, OWN, Arm, Prepared, Side, column, measured

SHOWN = ("auc", "pcoc", "auc_shown", "pcoc_shown", "probe", "probe_given", "correlation")


def changed(line: str) -> Arm:
    """The arm that a line names."""
    name, *settings = line.split(",")
    values: dict[str, Any] = {key: float(text) for key, text in (s.split("=") for s in settings)}
    arm = ARMS[name]
    arm = replace(arm, batch=int(values.pop("batch", arm.batch)), rate=values.pop("rate", arm.rate))
    return replace(arm, parts=replace(arm.parts, **values)) if values and arm.parts else arm


def clicked_by_bid(side: Side) -> dict[str, list[float]]:
    """Shares of clicks in the lower, middle and upper third of the bids."""
    bid, click, policy = (column(side.ads, name).numpy() for name in (OWN, "click", "policy"))
    found = {}
    for name in ("ads", "uniform"):
        rows = policy == POLICIES.index(name)
        third = np.digitize(bid[rows], np.quantile(bid[rows], [1 / 3, 2 / 3]))
        found[name] = [float(click[rows][third == i].mean()) for i in range(3)]
    return found


def main() -> None:
    """Train and judge each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lines", nargs="+", metavar="LINE")
    parser.add_argument("--seed", type=int, default=100)
    args = parser.parse_args()
    setting = Setting("small", args.seed, ipl_home() / "worlds", {}, (), ("threads=1",))
    prepared = Prepared(setting)
    for line in args.lines:
        if line == "bids":
            for name, shares in clicked_by_bid(prepared.side("default")).items():
                print(f"policy {name}: " + ", ".join(f"{share:.4f}" for share in shares))
            continue
        found = measured(changed(line), prepared, setting)
        print(f"{line}: " + ", ".join(f"{n} {found[n]:.4f}" for n in SHOWN if n in found), flush=True)


if __name__ == "__main__":
    main()
