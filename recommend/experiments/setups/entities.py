"""Things and posts of a marketplace as two entities with schemas of their own, encoded for multi-entity models.

Shared fields: category, maker, age, content. A thing has five fields of its own, a post three. Topic and length of a
post, age group and city of a user stand in tables beside the log's rows and are joined by id, as are category, maker
and content of what was clicked. All of them are known before a page is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from recommend.data.content_join import Contents
from recommend.data.parquet import ParquetStream
from recommend.data.splits import last_days
from recommend.data.world.oracle import open_oracle
from recommend.data.world.write import LOG
from recommend.experiments.recipe import Setting
from recommend.experiments.setups.marketplace import KEPT, Marketplace, popularity, world_folder
from recommend.features.encoders import Encoders
from recommend.features.entities import ENTITY, POST, Facts, entity_map
from recommend.features.ragged import Batch, Column, concat_batches, select_batch

TEST_DAYS, MIN_COUNT = 4, 10
FEATURES = entity_map()
LOGGED = (
    *("user_id", "hour", "promotion", "entity", "item_id", "post_id", "seller_id", "category", "condition"),
    *("price_bucket", "single", "channel", "item_age_h", "history_item", "history_post", "click"),
    *("impression_id", "request_id"),
)
GROUPS = {"low": (0, 10), "middle": (10, 30), "high": (30, np.inf)}  # clicks of a user in the training window


@dataclass
class Ready:
    """A world's rows, encoded, and what was trained on them in this process.

    Attributes:
        market: the test rows are posts only; the training rows are those of both entities, in the order of time.
        things, posts: the training rows of each entity.
        activity: clicks of each test row's user in the training window.
        kept: trained models that several arms need, with what they cost.
    """

    market: Marketplace
    things: dict[str, Column]
    posts: dict[str, Column]
    activity: np.ndarray
    kept: dict[Any, Any] = field(default_factory=dict)

    def judge(self, p: np.ndarray) -> dict[str, float]:
        """The marketplace's measures of the test rows' click probabilities, and those expected under the truth; the
        latter also by activity."""
        user, truth = self.market.raw["user_id"], self.market.truth
        found = self.market.judge(p) | {
            "auc_true": expected_auc(truth, p),
            "gauc_true": expected_auc(truth, p, user),
        }
        for name, (low, high) in GROUPS.items():
            at = (self.activity >= low) & (self.activity < high)
            found |= {
                f"auc_true_{name}": expected_auc(truth[at], p[at]),
                f"gauc_true_{name}": expected_auc(truth[at], p[at], user[at]),
                f"rows_{name}": float(at.sum()),
            }
        return found


def open_entities(setting: Setting, knobs: Mapping[str, Any]) -> Ready:
    """Simulate or find the world with these knobs and encode it; tested are the posts of its last days."""
    folder = world_folder(setting.worlds, setting.scale, setting.seed, knobs)
    log = folder / LOG
    split = last_days(log, TEST_DAYS)
    parts = {
        part: concat_batches(list(ParquetStream(split.files(log, part), LOGGED, batch_rows=65_536)))
        for part in ("train", "test")
    }
    shown = concat_batches([{n: rows[n] for n in ("post_id", "category")} for rows in parts.values()])
    facts = Facts(log, shown, split.test[1])
    parts["test"] = _of(parts["test"], post=True)
    contents = Contents.read(log, FEATURES, split.test[1])
    joined = {part: contents(facts.join(rows)) for part, rows in parts.items()}
    encoders = Encoders.fit(FEATURES, [joined["train"]], MIN_COUNT)
    wanted = list(dict.fromkeys([*(f.column for f in FEATURES.features), *FEATURES.labels, FEATURES.group]))
    encoded = {part: _only(encoders(rows), wanted) for part, rows in joined.items()}
    raw = {part: {n: _dense(rows[n]).numpy() for n in KEPT} for part, rows in parts.items()}
    market = Marketplace(
        split=split,
        encoders=encoders,
        train=encoded["train"],
        test=encoded["test"],
        raw=raw["test"],
        truth=open_oracle(folder)["p_click_without_page"][raw["test"]["impression_id"]],
        popularity=popularity(raw["train"], raw["test"]),
    )
    user = raw["test"]["user_id"]
    clicks = np.bincount(raw["train"]["user_id"], weights=raw["train"]["click"], minlength=user.max() + 1)
    return Ready(market, _of(market.train, post=False), _of(market.train, post=True), clicks[user])


def expected_auc(truth: np.ndarray, scores: np.ndarray, groups: np.ndarray | None = None) -> float:
    """AUC of rows that are clicked with their true probabilities, without the luck of one draw.

    The share of rightly ordered pairs of rows, each weighed by the probability that its first is clicked and its second
    is not; ties count half. With ``groups``, the mean of the groups weighed by their rows; one row alone has no pair.

    Args:
        truth, scores: (rows,).
        groups: (rows,) whole numbers.
    """
    g = np.zeros(len(truth), dtype=np.int64) if groups is None else np.unique(groups, return_inverse=True)[1]
    order = np.lexsort((scores, g))
    p, s, g = truth[order].astype(np.float64), scores[order], g[order]
    tie = np.r_[True, (g[1:] != g[:-1]) | (s[1:] != s[:-1])].cumsum() - 1
    of_tie = np.bincount(tie, weights=1 - p)
    lower = np.r_[0.0, of_tie.cumsum()[:-1]]  # unclicked weight of all lower scores, of earlier groups too
    first = np.r_[0.0, np.bincount(g, weights=1 - p).cumsum()[:-1]]
    below = lower[tie] - first[g] + (of_tie[tie] - (1 - p)) / 2
    pairs = np.bincount(g, weights=p) * np.bincount(g, weights=1 - p) - np.bincount(g, weights=p * (1 - p))
    rows = np.bincount(g)
    use = rows > 1
    if not use.any():
        return float("nan")
    value = np.bincount(g, weights=p * below)[use] / pairs[use]
    return float((value * rows[use]).sum() / rows[use].sum())


def _of(rows: Batch, post: bool) -> dict[str, Column]:
    return select_batch(rows, ((_dense(rows[ENTITY]) == POST) == post).nonzero()[:, 0])


def _only(rows: Batch, names: Sequence[str]) -> dict[str, Column]:
    return {name: rows[name] for name in names}


def _dense(column: Column) -> Tensor:
    assert isinstance(column, Tensor)
    return column
