"""Simulation, with a truth to compare to, of "sellers who used the drafts publish better listings"::

    python -m benchmarks.finetune.adoption [--seeds 20] [--sellers 20000]

Sellers differ in diligence. A diligent seller writes better listings alone, and also takes up a draft more readily;
a draft is accepted less often the more of its claims are wrong. Whether a seller is shown a draft is drawn by lot.
Three figures of the gain in listing quality (0..100) stand side by side:

- truth: the mean gain of the sellers who accepted, which no real log holds;
- by lot: the difference between all who were shown a draft and all who were not (intention to treat), and the same
  over the share that accepted, which estimates the truth;
- naive: adopters against everybody else, as an ordinary dashboard shows it.

Nothing here is fitted to a platform: the constants are assumptions and stand in ``World``. What is shown is the
direction and the size of the bias under them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from benchmarks.common import arguments


@dataclass(frozen=True)
class World:
    """Quality in points of 0..100; diligence is standard normal.

    alone: mean quality without help; per_diligence: points of one unit of it; spread: of one listing;
    draft: quality of an untouched draft without a wrong claim; wrong_cost: points that a wrong claim costs when it is
    published; repair: share of that which a seller with mean diligence corrects before publishing;
    accept: log-odds of taking a flawless draft at mean diligence; accept_wrong: change for each wrong claim;
    accept_diligence: change for a unit of diligence.
    """

    alone: float = 55.0
    per_diligence: float = 8.0
    spread: float = 10.0
    draft: float = 60.0
    wrong_cost: float = 6.0
    repair: float = 0.5
    accept: float = 1.2
    accept_wrong: float = -1.0
    accept_diligence: float = 0.7


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def run(world: World, wrong_mean: float, sellers: int, seed: int) -> dict[str, float]:
    """One market: shares, and each figure of the gain, in points. ``wrong_mean``: mean wrong claims of a draft."""
    rng = np.random.default_rng(seed)
    diligence = rng.standard_normal(sellers)
    wrong = rng.poisson(wrong_mean, sellers)
    offered = rng.random(sellers) < 0.5
    alone = np.clip(world.alone + world.per_diligence * diligence + world.spread * rng.standard_normal(sellers), 0, 100)
    repaired = np.clip(world.repair + 0.2 * diligence, 0, 1)
    # A seller brings own words and corrections to a draft, so that diligence shows there as well.
    helped = world.draft + world.per_diligence * diligence - world.wrong_cost * wrong * (1 - repaired)
    helped = np.clip(helped + world.spread * rng.standard_normal(sellers), 0, 100)
    takes = rng.random(sellers) < sigmoid(
        world.accept + world.accept_wrong * wrong + world.accept_diligence * diligence
    )
    adopted = offered & takes
    quality = np.where(adopted, helped, alone)
    by_lot = float(quality[offered].mean() - quality[~offered].mean())
    share = float(adopted[offered].mean())
    return {
        "accepted": share,
        "truth": float((helped - alone)[takes].mean()),
        "by_lot": by_lot,
        "by_lot_per_adopter": by_lot / share,
        "naive": float(quality[adopted].mean() - quality[~adopted].mean()),
    }


def main() -> None:
    args = arguments(__doc__, seeds=20, sellers=20_000).parse_args()
    for wrong_mean in (0.0, 0.25, 0.5, 1.0, 2.0):
        runs = [run(World(), wrong_mean, args.sellers, seed) for seed in range(args.seeds)]
        line: dict[str, float | list[float]] = {"wrong_claims": wrong_mean}
        for name in runs[0]:
            values = np.array([r[name] for r in runs])
            half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
            line[name] = [round(float(v), 3) for v in (values.mean(), values.mean() - half, values.mean() + half)]
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
