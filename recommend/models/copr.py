"""COPR: Consistency-Oriented Pre-Ranking for Online Advertising (CIKM 2023, arXiv 2306.03516).

A pre-ranker passes a few of many ads on to the ranking model, which orders them by expected revenue ``e* = p* b``
(click probability times bid). What the pre-ranker must know is that order, not the probabilities. The equations are
numbered as in ``docs/papers/copr.md``, since the paper's own numbering was not at hand.

A batch mixes impressions, which teach clicks, with candidates of the ranking stage, which teach the order: ``draw`` is
-1 on impressions and numbers the drawn lists elsewhere, ``chunk`` is the candidate's chunk, ``teacher`` and ``bid``
are what the ranking stage logged. A batch without ``draw`` holds impressions alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from pydantic import PositiveInt
from torch import Tensor
from torch.nn import functional

from recommend.config import ModelConfig
from recommend.data.candidates import read_listed
from recommend.data.memory import MemoryStream, interleave
from recommend.data.parquet import DataError, read_table
from recommend.data.ragged import Batch, Column, array_of, rows_of, select_batch
from recommend.data.schema import POLICIES
from recommend.features.feature_map import FeatureMap
from recommend.layers.mlp import MLP
from recommend.losses.listwise import listnet, ranknet
from recommend.losses.pointwise import bce, distil
from recommend.models.base import Logits, evaluating, label
from recommend.models.baselines.two_tower import TwoTower
from recommend.models.training_log import TrainingLog

LIMIT = 2.0  # log alpha stays within +-2: an ad's score changes by a factor of 7.4 at most
NOTHING = 1e-6  # stands for a bid of 0
LOWEST = 1e-6  # of a teacher's probability
FEW_CLICKS = 20  # fewer say nothing about the level of the scores


@dataclass(frozen=True)
class Terms:
    """Which parts of the loss are on; the defaults are COPR.

    Attributes:
        click, score, order: weights of the click, distillation and rank alignment terms (eq. 6).
        distance: of the scores: cross-entropy to the teacher's probability, or ListNet's between both stages'
            distributions over a list (``list``, in proportion to p).
        level: weight of cross-entropy to the teacher's probability beside ``score``: a distance between lists is blind
            to a factor and leaves the level of p open.
        chunks: size of a drawn list.
        bids: order by revenue; otherwise by click probability, and bids are multiplied on afterwards.
        relaxed: align ``alpha p b`` (eq. 5) and serve it; otherwise ``p b``.
        temperature: tau of eq. 3. Bids cannot grow with the scores: where tau is larger than the error that is left in
            ``log p``, the loss pays for scores that are spread too far, and bids lose their say.
    """

    click: float = 1.0
    score: float = 1.0
    order: float = 8.0
    distance: Literal["entropy", "list"] = "entropy"
    level: float = 0.0
    chunks: int = 10
    bids: bool = True
    relaxed: bool = True
    temperature: float = 0.4


def draw_lists(revenue: np.ndarray, chunks: int, rng: np.random.Generator, chunked: bool = True) -> np.ndarray:
    """Eq. 1-2: the candidates of one request in order of the teacher's revenue, cut into chunks, one drawn of each.

    As many lists are drawn as the largest chunk has members, without putting back, so that one pass reads every
    candidate; a smaller chunk begins again when it runs out.

    Args:
        revenue: (n,) ``e*`` of the request's candidates, n at least ``chunks``.
        chunked: off for the ablation: lists of the same size drawn from all candidates alike, in order of revenue.

    Returns:
        (lists, chunks) places in ``revenue``, best chunk first.
    """
    order = np.argsort(-revenue, kind="stable")
    if chunked:
        parts = [rng.permutation(part) for part in np.array_split(order, chunks)]
        longest = max(map(len, parts))
        return np.stack([np.resize(part, longest) for part in parts], 1)
    lists = -(-len(order) // chunks)
    first = rng.permutation(len(order))
    again = rng.permutation(first[: (lists - 1) * chunks])  # fills the last list with what it does not hold
    places = np.concatenate([first, again[: lists * chunks - len(first)]]).reshape(lists, chunks)
    return order[np.sort(places, 1)]


def exchange_weights(size: int) -> Tensor:
    """Eq. 4: (size, size) change of NDCG when two places of the teacher's list are exchanged.

    Gains fall linearly by chunk, from ``size - 1`` to 0.
    """
    gain = torch.arange(size - 1, -1, -1, dtype=torch.float32)
    discount = 1 / torch.log2(torch.arange(2, size + 2, dtype=torch.float32))
    ideal = (gain * discount).sum().clamp(min=torch.finfo(torch.float32).tiny)
    return (gain[:, None] - gain[None, :]).abs() * (discount[:, None] - discount[None, :]).abs() / ideal


def order_loss(log_value: Tensor, chunk: Tensor, draw: Tensor, weights: Tensor | None, temperature: float) -> Tensor:
    """Eq. 3: ``-w_ij log sigmoid((log e_i - log e_j) / tau)`` over the pairs of a list with i above j, weighted mean.

    Args:
        log_value: (n,) logarithm of what is to be ordered; a factor common to a list changes nothing.
        chunk: (n,) 0 for the best.
        draw: (n,) the list of each row.
        weights: (chunks, chunks) of eq. 4, or None.
    """
    pairs = None if weights is None else weights.to(log_value)[chunk][:, chunk]
    return ranknet(log_value / temperature, -chunk, draw, pairs)


def log_bid(bid: Tensor) -> Tensor:
    """Logarithm of bids; who bids nothing comes last and gives no infinite gradient."""
    return bid.clamp(min=NOTHING).log()


class COPR(TwoTower):
    """Two towers as the pre-ranker, aligned with the ranking stage's order; ``rank_score`` is what it serves."""

    class Config(ModelConfig):
        """COPR's own setting."""

        chunks: PositiveInt = 10  # candidates of a drawn list

    needs = ("candidate.rank_score", "item.listed_ms", "impression.request_id")

    def __init__(
        self,
        features: FeatureMap,
        sizes: Mapping[str, int],
        config: ModelConfig,
        terms: Terms | None = None,
    ) -> None:
        super().__init__(features, sizes, config)
        self.terms = terms or Terms(chunks=self.config.chunks)
        # Last, so that towers start from the same weights with and without it.
        net = MLP(2 * config.tower, (config.tower,), 1, config.activation).begin() if self.terms.relaxed else None
        self.relaxation = net
        self.register_buffer("weights", exchange_weights(self.terms.chunks), persistent=False)

    def scores(self, user: Tensor, item: Tensor) -> tuple[Tensor, Tensor]:
        """(rows,) click logit and log alpha of user and item vectors (rows, tower); log alpha starts at 0."""
        logit = self.scale * (user * item).sum(1) + self.bias
        if self.relaxation is None:
            return logit, torch.zeros_like(logit)
        # The vectors belong to p: only the net itself learns from what alpha does.
        both = torch.cat([user, item], 1).detach()
        return logit, self.relaxation(both).squeeze(1).clamp(-LIMIT, LIMIT)

    def factor(self, user: Tensor, item: Tensor) -> Tensor:
        """(n,) alpha of eq. 5."""
        return self.scores(user, item)[1].exp()

    def forward(self, batch: Batch) -> Logits:
        x = self.inputs(batch)
        logit, log_alpha = self.scores(self.user_vector(x), self.item_vector(x))
        return {self.features.labels[0]: logit, "log_alpha": log_alpha}

    def loss(self, logits: Logits, batch: Batch) -> Tensor:
        """Eq. 6."""
        name, t = self.features.labels[0], self.terms
        logit = logits[name]
        if "draw" not in batch:
            return bce(logit, label(batch, name))
        draw = label(batch, "draw")
        displayed, listed = draw < 0, draw >= 0
        loss = t.click * bce(logit[displayed], label(batch, name)[displayed])
        if not bool(listed.any()):
            return loss
        logit, log_alpha, draw = logit[listed], logits["log_alpha"][listed], draw[listed]
        chunk, teacher, bid = (label(batch, c)[listed] for c in ("chunk", "teacher", "bid"))
        if t.score:
            loss = loss + t.score * self._score_loss(logit, teacher)
        if t.level:
            loss = loss + t.level * distil(logit, teacher)
        if t.order:
            value = functional.logsigmoid(logit) + log_alpha  # of the logit: a small p would lose its digits first
            value = value + log_bid(bid) if t.bids else value
            loss = loss + t.order * order_loss(value, chunk, draw, self.get_buffer("weights"), t.temperature)
        return loss

    def _score_loss(self, logit: Tensor, teacher: Tensor) -> Tensor:
        """Score alignment, the baseline that COPR argues with."""
        if self.terms.distance == "entropy":
            return distil(logit, teacher)
        lengths = torch.full((len(logit) // self.terms.chunks,), self.terms.chunks)
        return listnet(functional.logsigmoid(logit), teacher, lengths)

    @torch.no_grad()
    def rank_score(self, batch: Batch, bid: Tensor) -> Tensor:
        """(rows,) log of what the pre-ranking stage orders by: ``alpha p b`` (eq. 5), in evaluation mode."""
        with evaluating(self):
            out = self(batch)
        return functional.logsigmoid(out[self.features.labels[0]]) + out["log_alpha"] + log_bid(bid)

    def predicted(self, batch: Batch) -> dict[str, Tensor]:
        """(rows,) click probabilities; alpha orders ads and is no part of them."""
        return {name: p for name, p in super().predicted(batch).items() if name != "log_alpha"}

    def stream(self, source: TrainingLog) -> MemoryStream:
        """Batches of impressions, each followed by its share of the drawn lists.

        Ads are ordered by expected revenue. Things that are no ads compete by click probability alone, which is the
        same with one bid for all, so that their lists are kept apart from those of the ads.

        Raises:
            DataError: the log holds no candidates, or too few of a page.
        """
        chunks = self.terms.chunks
        impressions = source.impressions()
        listed = read_listed(source.log, *source.run.train_days)
        score, bid, rank, request = (array_of(listed[n]) for n in ("rank_score", "bid", "rank", "request_id"))
        organic = array_of(listed["policy"]) == POLICIES.index("organic")
        bid = np.where(organic, 1.0, bid)
        score = score.astype(np.float64) * level(source, listed)
        rng = np.random.default_rng(source.run.train.seed)
        places = [rows[draw_lists(-rank[rows], chunks, rng)].ravel() for rows in lists(request, organic, chunks)]
        if not places:
            raise DataError(
                f"no page in {source.log} lists {chunks} ranking candidates of one kind on the days {source.days}; "
                "log more pages, or set chunks to a smaller number (--set chunks=5)."
            )
        place = np.concatenate(places)
        columns: dict[str, Column] = {
            "draw": torch.arange(len(place)) // chunks,
            "chunk": torch.arange(len(place)) % chunks,
            "teacher": torch.from_numpy(score[place]).float().clamp(LOWEST, 1 - LOWEST),
            "bid": torch.from_numpy(bid[place]).float(),
            source.features.labels[0]: torch.zeros(len(place), dtype=torch.bool),  # unknown, and not read
        }
        drawn = {**select_batch(source.input(listed), torch.from_numpy(place)), **columns}
        count = rows_of(impressions)
        impressions |= {"draw": torch.full((count,), -1), "chunk": torch.zeros(count, dtype=torch.int64)}
        impressions |= {name: torch.zeros(count) for name in ("teacher", "bid")}
        lengths = np.array([len(p) for p in places])
        return interleave({n: impressions[n] for n in drawn}, drawn, source.run.train.batch_rows, lengths)


def lists(request: np.ndarray, organic: np.ndarray, smallest: int) -> Iterator[np.ndarray]:
    """Places of the candidates of one page and kind, of those that are ``smallest`` or more."""
    kind = 2 * request + organic
    order = np.argsort(kind, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(kind[order])) + 1):
        if len(rows) >= smallest:
            yield rows


def level(source: TrainingLog, listed: Batch) -> float:
    """The factor that brings the ranking stage's scores to the click rate of its choices.

    A factor leaves the order as it was. 1 where there are too few clicks to tell.
    """
    rows = read_table(source.log, "impression", ["request_id", "item_id", "click"], *source.run.train_days)
    chosen = array_of(listed["shown"]).astype(bool) & (array_of(listed["policy"]) != POLICIES.index("uniform"))
    key = _keys(rows)
    there = np.isin(key, _keys(listed)[chosen])
    clicks = int(array_of(rows["click"])[there].sum())
    promised = float(array_of(listed["rank_score"])[chosen & np.isin(_keys(listed), key)].sum())
    if clicks < FEW_CLICKS or promised <= 0:
        return 1.0
    return clicks / promised


def _keys(rows: Batch) -> np.ndarray:
    """Page and thing as one number."""
    return array_of(rows["request_id"]) * (1 << 32) + array_of(rows["item_id"])
