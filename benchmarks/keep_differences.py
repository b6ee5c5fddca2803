"""Paired differences between any two arms of KEEP's results, beside those that are claims.

``python -m benchmarks.keep_differences [NAME] --to ARM [--measure M] [--scale S]`` prints, for each other arm of the
recipe NAME (``keep`` or ``keep_parts``) that has the measure, mean and 95 % t-interval over the seeds of that arm minus
ARM. It reads the results that lie with the code and runs nothing.
"""

from __future__ import annotations

import argparse
import json

import numpy as np

from recommend.experiments.runner import result_file
from recommend.experiments.statistics import interval


def main() -> None:
    """Read and print a line for each arm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", default="keep", choices=("keep", "keep_parts"))
    parser.add_argument("--to", required=True, metavar="ARM")
    parser.add_argument("--measure", default="auc", metavar="M")
    parser.add_argument("--scale", default="small", choices=("small", "full"))
    args = parser.parse_args()
    arms = json.loads(result_file(args.name, args.scale).read_text(encoding="utf-8"))["arms"]
    if args.measure not in arms.get(args.to, {}):
        parser.error(f"there is no arm '{args.to}' with a measure '{args.measure}'.")
    base = np.array(arms[args.to][args.measure])
    for name, measures in arms.items():
        if name != args.to and args.measure in measures:
            mean, low, high = interval((np.array(measures[args.measure]) - base).tolist())
            value = np.mean(measures[args.measure])
            print(f"{name:20} {value:.4f}  {mean:+.4f} [{low:+.4f}, {high:+.4f}]")


if __name__ == "__main__":
    main()
