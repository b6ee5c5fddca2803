"""Rates of HDR's fine-tuning and the number of days it retrieves, on seeds that judge nothing.

    python -m benchmarks.recommend.hdr_rates --seeds 8000 8001

Prints KL to the truth (millinats a click), expected AUC and PCOC of each, beside one number fitted on the same days.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.common import arguments
from recommend.models.hdr import Rates
from recommend.research.studies.papers import hdr
from recommend.research.studies.study import Setting
from recommend.research.world import write_world

TRIED = ((1e-4, 1e-3), (1e-4, 3e-3), (3e-4, 3e-3), (3e-4, 1e-2))
DAYS = (6, 12, 24)


def main() -> None:
    """Run and print."""
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=(8000, 8001))
    study = hdr.STUDY
    for seed in parser.parse_args().seeds:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "w"
            write_world(root, view="clicks", seed=seed, knobs={**study.sized(0), "uplift_spread": study.regime})
            setting = Setting(study.regime, seed)
            days = study.prepare(root, setting)
            for hdr.RETRIEVED in DAYS:
                print(seed, hdr.RETRIEVED, "one number", study.run("one_number", days, setting), flush=True)
                for net, block in TRIED:
                    hdr.TUNED = Rates(net=net, block=block)
                    print(seed, hdr.RETRIEVED, net, block, study.run("hdr", days, setting), flush=True)


if __name__ == "__main__":
    main()
