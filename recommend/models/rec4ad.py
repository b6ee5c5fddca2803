"""Rec4Ad: A Free Lunch to Mitigate Sample Selection Bias for Ads CTR Prediction in Taobao (CIKM 2023).

arXiv 2306.03527.

An ads system learns from the ads that it chose itself and must judge all that it might choose. What the organic system
showed to the same people was chosen by another rule: free samples of what the ads lack. Two systems also differ in what
they do to a click (an ad is clicked less because it is one), so a representation is parted in what both share and what
is a system's own. In the spirit of the paper, whose section on the method was not at hand; equations are numbered as in
``docs/papers/rec4ad.md``.

A batch holds ``system`` (0 ads, 1 organic; without it all rows are ads) and whatever ``Parts.signals`` names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from pydantic import NonNegativeFloat
from torch import Tensor, nn

from recommend.config import ModelConfig
from recommend.data.memory import MemoryStream, interleave
from recommend.data.parquet import DataError
from recommend.data.ragged import Batch, rows_of, select_batch, tensor_of
from recommend.data.schema import CHANNELS
from recommend.features.feature_map import FeatureMap
from recommend.layers.mlp import MLP
from recommend.losses.pointwise import bce
from recommend.models.base import Logits, label
from recommend.models.baselines.din import DIN
from recommend.models.run_config import RunConfig
from recommend.models.training_log import TrainingLog

ADS, ORGANIC = 0, 1
WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the RBF kernels, in units of the mean squared distance


@dataclass(frozen=True)
class Parts:
    """Which parts are on; the defaults are Rec4Ad.

    Attributes:
        organic: mu of eq. 5, weight of the organic rows' clicks (both systems' are means over their rows).
        rationale: nu of eq. 5: both systems' clicks are also told from z_inv alone, in training. Without it nothing
            keeps the shared signal in z_inv, whose alignment is then best served by saying nothing.
        align, decorrelate: lambda 1 and 2 of eq. 5.
        warm_steps: lambdas rise linearly from 0 over so many steps.
        by_rows: clicks weigh alike in all rows, whosever they are; ``organic`` says nothing then.
        residual: a branch adds its logit to what z_inv tells alone, and begins at nothing.
        signals: columns of numbers that only a system's own branch reads (what only ads have, such as a bid).
    """

    organic: float = 1.0
    rationale: float = 1.0
    align: float = 0.1
    decorrelate: float = 5.0
    warm_steps: int = 50
    by_rows: bool = False
    residual: bool = False
    signals: tuple[str, ...] = ()


class Branch(nn.Module):
    """A system's branch: ``z_s = G_s(h)``, ``g_s = sigmoid(W_s [z_inv; z_s])`` (eq. 1), the head F_s (eq. 2)."""

    def __init__(self, inputs: int, width: int, act: str) -> None:
        super().__init__()
        self.encode = MLP(inputs, (width,), 0, act)
        self.gate = nn.Linear(2 * width, width)
        self.head = MLP(2 * width, (width,), 1, act)

    def forward(self, h: Tensor, invariant: Tensor) -> tuple[Tensor, Tensor]:
        """(rows,) logits and (rows, width) z_s."""
        z = self.encode(h)
        gate = self.gate(torch.cat([invariant, z], 1)).sigmoid()
        return self.head(torch.cat([invariant, gate * z], 1)).squeeze(1), z


class Rec4Ad(DIN):
    """DIN's inputs and attention, an encoder E, G_inv shared by both systems and a branch for each.

    The last of ``config.mlp`` is the width of z_inv and z_s, the others are E's.
    """

    class Config(ModelConfig):
        """Rec4Ad's own setting."""

        organic: NonNegativeFloat = 4.0  # organic rows for each ad, and what their loss weighs

    needs = ("impression.is_ad", "impression.channel")

    def __init__(
        self,
        features: FeatureMap,
        sizes: Mapping[str, int],
        config: ModelConfig,
        parts: Parts | None = None,
    ) -> None:
        super().__init__(features, sizes, config)
        signals = tuple(f.column for f in features.role("raw", "number"))
        self.parts = p = parts or Parts(organic=self.config.organic, signals=signals)
        del self.top
        width = config.mlp[-1]
        first = config.mlp[:-1] or config.mlp
        self.encoder = MLP(self.body_width, first, 0, config.activation, layer_norm=config.layer_norm)
        self.shared = MLP(self.encoder.width, (width,), 0, config.activation)
        inputs = self.encoder.width + len(p.signals)
        self.branches = nn.ModuleList(Branch(inputs, width, config.activation) for _ in (ADS, ORGANIC))
        self.told = MLP(width, (), 1, config.activation) if p.rationale else None
        self.outputs = [cast(Branch, branch).head for branch in self.branches]
        if p.residual and self.told is not None:
            for head in self.outputs:
                head.begin()
            self.outputs = [self.told]
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def start_at(self, rates: Mapping[str, float]) -> None:
        for head in self.outputs:
            head.start_at([rates[self.features.labels[0]]])

    def encoded(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Inputs of the branches, (rows, E + signals), and z_inv (rows, width), which never sees the signals."""
        h = self.encoder(self.body(self.inputs(batch)))
        signals = [label(batch, name).float()[:, None] for name in self.parts.signals]
        return torch.cat([h, *signals], 1), self.shared(h)

    def forward(self, batch: Batch) -> Logits:
        """(rows,) logits and, where both systems' rows are mixed, (rows, width) z_inv and z_s for the loss."""
        h, invariant = self.encoded(batch)
        common = self.common(invariant)
        if "system" not in batch:
            return {self.features.labels[0]: self.branches[ADS](h, invariant)[0] + common}
        system = label(batch, "system")
        logit, specific = h.new_zeros(len(h)), torch.zeros_like(invariant)
        for number, branch in enumerate(self.branches):
            rows = (system == number).nonzero().squeeze(1)
            # Each system's rows pass its own branch alone, so that the other's weights get no gradient from them.
            if len(rows):
                of_rows, z = branch(h[rows], invariant[rows])
                logit, specific = logit.index_copy(0, rows, of_rows), specific.index_copy(0, rows, z)
        return {self.features.labels[0]: logit + common, "invariant": invariant, "own": specific}

    def common(self, invariant: Tensor) -> Tensor:
        """(rows,) what z_inv tells alone, where branches add to it; else nothing."""
        if self.told is None or not self.parts.residual:
            return torch.zeros_like(invariant[:, 0])  # of as many rows as are asked, in a trace, too
        return self.told(invariant).squeeze(1)

    def loss(self, logits: Logits, batch: Batch) -> Tensor:
        """Eq. 5."""
        name, p = self.features.labels[0], self.parts
        logit, click = logits[name], label(batch, name)
        if "system" not in batch:
            return bce(logit, click)
        organic = label(batch, "system") == ORGANIC
        both = ((1.0, ~organic), (p.organic, organic))
        if p.by_rows:
            loss = bce(logit, click)
        else:
            loss = torch.stack([w * bce(logit[rows], click[rows]) for w, rows in both if bool(rows.any())]).sum()
        if self.told is not None:
            alone = self.told(logits["invariant"]).squeeze(1)
            loss = loss + p.rationale * bce(alone, click)
        warm = min(1.0, float(self.get_buffer("steps")) / max(p.warm_steps, 1))
        if self.training:
            self.get_buffer("steps").add_(1)
        z, specific = logits["invariant"], logits["own"]
        if p.align:
            loss = loss + p.align * warm * alignment(z, click.bool(), organic)
        if p.decorrelate:
            correlations = [
                correlation(z[rows], specific[rows]).square().mean() for _, rows in both if bool(rows.any())
            ]
            loss = loss + p.decorrelate * warm * torch.stack(correlations).sum()
        return loss

    def predicted(self, batch: Batch) -> dict[str, Tensor]:
        """(rows,) click probabilities as ads, whoever showed the rows: E, G_inv and the ads' branch, nothing else."""
        h, invariant = self.encoded(batch)
        logit, _ = self.branches[ADS](h, invariant)
        return {self.features.labels[0]: (logit + self.common(invariant)).float().sigmoid()}

    @classmethod
    def reads(cls, usual: FeatureMap, run: RunConfig) -> FeatureMap:
        """The usual ones without the channel, and without the bid.

        Among ads that an auction chose by estimate times bid, high bids mean few clicks. A model that learned it would
        answer a higher bid with a lower estimate, and what it says of ads that were not chosen would be wrong.
        """
        return usual.those(lambda f: f.column != "channel")

    def stream(self, source: TrainingLog) -> MemoryStream:
        """Batches of as many ads each, with their share of organic rows: ``organic`` of the model's config for each ad.

        Raises:
            DataError: the log holds no ads.
        """
        rows = source.impressions("is_ad", "channel")
        is_ad, channel = tensor_of(rows.pop("is_ad")).bool(), tensor_of(rows.pop("channel"))
        rows["system"] = torch.where(is_ad, ADS, ORGANIC)
        # Retrieved are organic rows of the feed, where the ads are; search and posts are places with other wishes.
        feed = ~is_ad & (channel == CHANNELS.index("feed"))
        ads, organic = (select_batch(rows, which.nonzero().squeeze(1)) for which in (is_ad, feed))
        if not rows_of(ads):
            raise DataError(
                f"nobody saw an ad on the days {source.days} in {source.log}; rec4ad needs ads to learn from."
            )
        ratio = self.config.organic
        count = min(round(ratio * rows_of(ads)), rows_of(organic))
        drawn = np.sort(np.random.default_rng(source.run.train.seed).permutation(rows_of(organic))[:count])
        batch = max(round(source.run.train.batch_rows / (1 + ratio)), 1)
        return interleave(ads, select_batch(organic, torch.from_numpy(drawn)), batch, np.ones(count, dtype=np.int64))


def alignment(z: Tensor, click: Tensor, organic: Tensor) -> Tensor:
    """``mmd`` of both systems' (n, w) rows of the same click, summed over clicked or not."""
    return torch.stack([mmd(z[c & ~organic], z[c & organic]) for c in (click, ~click)]).sum()


def mmd(first: Tensor, second: Tensor) -> Tensor:
    """Eq. 3: squared maximum mean discrepancy of (n, w) and (m, w), unbiased, mean over kernels of several widths.

    0 where a side has fewer than two rows. The widths follow the batch's mean squared distance, without gradient.
    """
    n, m = len(first), len(second)
    if min(n, m) < 2:
        return first.sum() * 0
    both = torch.cat([first, second])
    square = both.square().sum(1)
    distance = (square[:, None] + square[None, :] - 2 * both @ both.T).clamp(min=0)
    scale = distance.detach().mean().clamp(min=1e-12)
    kernel = torch.stack([(-distance / (scale * width)).exp() for width in WIDTHS]).mean(0)
    kernel = kernel - torch.diag(kernel.diagonal())  # a row is not compared with itself
    within = kernel[:n, :n].sum() / (n * (n - 1)) + kernel[n:, n:].sum() / (m * (m - 1))
    return within - 2 * kernel[:n, n:].mean()


def correlation(first: Tensor, second: Tensor) -> Tensor:
    """Eq. 4: (w, v) correlations between the columns of (n, w) and (n, v) over the rows."""
    parts = [(x - x.mean(0)) / (x.std(0, correction=0) + 1e-4) for x in (first, second)]
    return parts[0].T @ parts[1] / max(len(first), 1)
