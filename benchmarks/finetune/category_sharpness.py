"""How sure a category is: its calibration error, cross-fitted, and the sharpness in ``listing/decide/category.json``.

    python -m benchmarks.finetune.category_sharpness [--write]

Reads the opinions that ``./ipl evaluate`` keeps. Each half of the senders is judged with the sharpness that has the
least log loss on the other half; ``--write`` sets the one that is fitted on all. *Chance* is the mean error of as many
photos whose probabilities are exactly right: the least that the measure can tell from none.
"""

from __future__ import annotations

import argparse
import json

import numpy as np

from finetune.data.photosets import data_root
from finetune.evaluate.arms.system import category_of
from finetune.evaluate.calibrate import fit_sharpness, halves
from finetune.evaluate.evaluation import EvaluationPlan, gather_material
from finetune.evaluate.measures import calibration_error
from listing.decide.category import DEFAULT_FILE, load_rule
from listing.home import ipl_home
from listing.pipeline_parts import EMBEDDED

GRID = np.round(np.arange(1.0, 2.51, 0.05), 2)
DRAWS = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="set the sharpness in listing/decide/category.json")
    args = parser.parse_args()
    home, rule = ipl_home(), load_rule()
    folder, store = home / "models" / EMBEDDED, home / "evaluation"
    stamp = json.loads((folder / "ipl.json").read_text(encoding="utf-8"))["fingerprint"]
    plan = EvaluationPlan(arms=("system",), texts=0)
    material = gather_material(
        data_root() / "clothing_cc0", folder, lambda: folder, store / f"{stamp}.jsonl", home, plan
    )
    said, rows = material.predictions("tuned"), material.rows
    p, right = np.zeros((len(GRID), len(rows))), np.zeros((len(GRID), len(rows)), bool)
    for k, sharpness in enumerate(GRID):
        sharper = rule.model_copy(update={"sharpness": float(sharpness)})
        for i, (row, opinions, seen) in enumerate(zip(rows, said, material.image_views, strict=True)):
            found = category_of(opinions, seen, material.taxonomy, rule=sharper)
            p[k, i], right[k, i] = found.confidence, found.value == row["label"]
    one, two = halves(rows)
    crossed, fitted = np.zeros(len(rows)), []
    for train, test in ((one, two), (two, one)):
        fitted.append(fit_sharpness(p[:, train], right[:, train]))
        crossed[test] = p[fitted[-1], test]
    now, rng = int(np.abs(GRID - rule.sharpness).argmin()), np.random.default_rng(0)
    chance = np.mean([calibration_error(crossed, rng.random(len(rows)) < crossed) for _ in range(DRAWS)])
    best = fit_sharpness(p, right)
    print(
        f"{len(rows)} photos, right {right[now].mean():.3f}: error {calibration_error(p[now], right[now]):.3f} at "
        f"sharpness {rule.sharpness}, {calibration_error(crossed, right[now]):.3f} cross-fitted at "
        f"{' and '.join(str(GRID[k]) for k in fitted)}; chance {chance:.3f}; fitted on all: {GRID[best]}"
    )
    if args.write:
        written = rule.model_copy(update={"sharpness": float(GRID[best])})
        DEFAULT_FILE.write_text(json.dumps(written.model_dump(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
