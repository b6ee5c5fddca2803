"""Rec4Ad's weights and batches, on the seed on which they were chosen.

``python -m benchmarks.rec4ad_parts LINE [LINE ...] [--seed 100]``; a line such as ``rec4ad,batch=64,align=0.1`` names
an arm of the recipe, and what is otherwise: ``batch``, ``rate``, or a number of ``recommend.models.rec4ad.Parts``.
Prints the measures that the choice was made by, and whether the parting happened.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from listing.home import ipl_home
from recommend.experiments.recipe import Setting
from recommend.experiments.recipes.rec4ad import ARMS, Arm, Prepared, measured

SHOWN = ("auc", "pcoc", "auc_shown", "pcoc_shown", "probe", "probe_given", "correlation")


def changed(line: str) -> Arm:
    """The arm that a line names."""
    name, *settings = line.split(",")
    values = {key: float(text) for key, text in (s.split("=") for s in settings)}
    arm = ARMS[name]
    arm = replace(arm, batch=int(values.pop("batch", arm.batch)), rate=values.pop("rate", arm.rate))
    return replace(arm, parts=replace(arm.parts, **values)) if values and arm.parts else arm


def main() -> None:
    """Train and judge each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lines", nargs="+", metavar="LINE")
    parser.add_argument("--seed", type=int, default=100)
    args = parser.parse_args()
    setting = Setting("small", args.seed, ipl_home() / "worlds", {}, (), ("threads=1",))
    prepared = Prepared(setting)
    for line in args.lines:
        found = measured(changed(line), prepared, setting)
        print(f"{line}: " + ", ".join(f"{n} {found[n]:.4f}" for n in SHOWN if n in found), flush=True)


if __name__ == "__main__":
    main()
