"""The first two stages of ``ipl-mini``, before ``./ipl tune finetune/configs/ipl-mini.yaml`` tunes its language model.

    python -m benchmarks.training.base --data PHOTOS [--stage tower|projector] [--out finetune/weights]

Settings: ``benchmarks/training/ipl-mini.yaml``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from benchmarks.common import arguments
from benchmarks.training.align import AlignConfig, train_projector
from benchmarks.training.tower import TowerConfig, train_tower
from finetune.data.photosets import check_photos, data_root
from finetune.embedded.assemble import WEIGHTS, WHEELS, unpack
from finetune.train.loading import BASE, located
from finetune.tune import strict
from listing.home import ipl_home

CONFIG = Path(__file__).with_name("ipl-mini.yaml")
STAGES = ("tower", "projector")


def run(stage: str, settings: dict[str, Any], data: Path, out: Path) -> None:
    """Train one of them; its weights are written to ``out``."""
    where = {**settings, "data": str(data), "out": str(out)}
    if stage == "tower":
        base = unpack(WHEELS["vision"], ipl_home() / "wheels", ipl_home() / "unpacked")
        train_tower(strict(TowerConfig, {**where, "base": str(base)}, stage))
    else:
        train_projector(strict(AlignConfig, {**where, "model": located(BASE, out)}, stage))


def main() -> None:
    """Train what is named, by default both."""
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, default=data_root() / "clothing_cc0")
    parser.add_argument("--stage", choices=STAGES)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args()
    check_photos(args.data)
    content = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    for stage in [args.stage] if args.stage else STAGES:
        print(f"{stage}: loads its data, which can take minutes", flush=True)
        run(stage, content[stage], args.data, args.out)


if __name__ == "__main__":
    main()
