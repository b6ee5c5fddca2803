"""COPR (CIKM 2023, arXiv 2306.03516): a pre-ranker that learns the ranker's order by revenue, not its scores.

The view of candidates: sets of hundreds of ads, scored by a trained ranker. Four of five requests teach, the rest
judge: by how many of the ranker's first ten pass, and by the true revenue of what the auction then shows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from recommend.data.memory import MemoryStream, interleave
from recommend.data.oracle import open_oracle
from recommend.data.ragged import Column, array_of, rows_of, select_batch
from recommend.metrics.calibration import divergence
from recommend.metrics.ranks import auc as expected_auc
from recommend.metrics.report import share_of_way
from recommend.models.copr import COPR, Terms, draw_lists
from recommend.research.headroom import FIRST, PASSED
from recommend.research.studies.market import Market, of_items, open_market
from recommend.research.studies.study import Claim, Measures, Setting, Study
from recommend.research.world.read import Histories, WorldStream, world_map

LOWEST, TAUGHT = 1e-6, 0.8
TOWERS = ("tower=8", "mlp=[32]")
# Of an arm the terms of its loss, and whether its lists hold one of each chunk.
ARMS: dict[str, tuple[Terms, bool]] = {
    "lists": (Terms(order=0.0, relaxed=False, distance="list", score=5.0, level=5.0, bids=False), False),
    "copr": (Terms(), True),
    "other_order": (Terms(), True),
}


@dataclass(frozen=True)
class Sets:
    """The world, and its candidates.

    Attributes:
        rows: encoded candidates; the others are their columns, (candidates,).
        true: click rates, for the judge alone.
    """

    market: Market
    rows: dict[str, Column]
    request: np.ndarray
    score: np.ndarray
    bid: np.ndarray
    true: np.ndarray
    teaches: np.ndarray

    def requests(self, teach: bool) -> list[np.ndarray]:
        """Places of each request's candidates."""
        of = np.split(np.arange(len(self.request)), np.flatnonzero(np.diff(self.request)) + 1)
        return [at for at in of if self.teaches[at[0]] == teach]


def prepare(root: Path, setting: Setting) -> Sets:
    """Impressions of all days but the last, and the last day's candidates."""
    features = world_map()  # two towers cannot read a cross
    market = open_market(root, features, test_days=1, where=of_items)
    day = json.loads((root / "manifest.json").read_text(encoding="utf-8"))["config"]["days"] - 1
    names = [f.column for f in features.features]
    log = root / "log"
    columns = [*names, "request_id", "rank_score", "bid"]
    raw = WorldStream(log, (day, day), columns, Histories(log), table="candidate").day(day)
    encoded, request = market.encoders(raw), array_of(raw["request_id"])
    true = open_oracle(root, f"candidate/day={day:03d}")["p_click_without_page"].astype(np.float64)
    teaches = request < np.quantile(np.unique(request), TAUGHT)
    score, bid = (array_of(raw[n]).astype(np.float64) for n in ("rank_score", "bid"))
    return Sets(market, {n: encoded[n] for n in names}, request, score, bid, true, teaches)


def fitted(name: str, sets: Sets, setting: Setting) -> COPR:
    """An arm's pre-ranker after one pass over the impressions, lists between them."""
    terms, chunked = ARMS[name]
    model, config = setting.configs(*TOWERS)
    market, rng = sets.market, np.random.default_rng(setting.seed)
    net = market.build(COPR, model, setting.seed, terms=terms)
    assert isinstance(net, COPR)
    stream = MemoryStream(market.train, config.batch_rows)
    if terms.score or terms.order:
        value = sets.score * sets.bid if terms.bids else sets.score
        if name == "other_order":  # the control: of candidates that changed places within their request
            for at in sets.requests(True):
                value[at] = value[rng.permutation(at)]
        places = [at[draw_lists(value[at], terms.chunks, rng, chunked)].ravel() for at in sets.requests(True)]
        place, displayed = np.concatenate(places), rows_of(market.train)
        listed: dict[str, Column] = {
            "draw": torch.arange(len(place)) // terms.chunks,
            "chunk": torch.arange(len(place)) % terms.chunks,
            "teacher": torch.from_numpy(sets.score[place]).float().clamp(LOWEST, 1 - LOWEST),
            "bid": torch.from_numpy(sets.bid[place]).float(),
            "click": torch.zeros(len(place), dtype=torch.bool),  # unknown, and not read
        }
        nothing = {"draw": torch.full((displayed,), -1), "chunk": torch.zeros(displayed, dtype=torch.int64),
                   "teacher": torch.zeros(displayed), "bid": torch.zeros(displayed)}  # fmt: skip
        listed = {**select_batch(sets.rows, torch.from_numpy(place)), **listed}
        both = {name: column for name, column in {**market.train, **nothing}.items() if name in listed}
        stream = interleave(both, listed, config.batch_rows, np.array([len(p) for p in places]))
    market.fit(net, config, stream)
    return net


def run(name: str, sets: Sets, setting: Setting) -> Measures:
    """Share of the ranker's own true revenue that is kept where it sees the pre-ranker's first 20 alone (``revenue``),
    hit rate of its first ten, expected AUC and KL (millinats) of the candidates' click rates."""
    judged = np.concatenate(sets.requests(False))
    rows, bid = select_batch(sets.rows, torch.from_numpy(judged)), sets.bid[judged]
    score, true = sets.score[judged], sets.true[judged]
    untrained = {"bids": (np.full(len(bid), true.mean()), np.log(bid)), "ranker": (score, np.log(score * bid)),
                 "oracle": (true, np.log(true * bid))}  # fmt: skip
    if name in untrained:
        p, value = untrained[name]
    else:
        net = fitted(name, sets, setting)
        p = sets.market.ask(net, rows).astype(np.float64)
        value = net.rank_score(rows, torch.from_numpy(bid).float()).double().numpy()
    revenue = every = hits = places = 0.0
    for at in np.split(np.arange(len(judged)), np.flatnonzero(np.diff(sets.request[judged])) + 1):
        passed, best = at[np.argsort(-value[at])[:PASSED]], at[np.argsort(-(score * bid)[at])[:FIRST]]
        displayed = passed[np.argsort(-(score * bid)[passed])[:FIRST]]
        every, revenue = every + float((true * bid)[best].sum()), revenue + float((true * bid)[displayed].sum())
        hits, places = hits + len(np.intersect1d(best, passed)), places + len(best)
    worth = expected_auc(true, p)
    return {
        "revenue": revenue / every,
        "hit_rate": hits / places,
        "expected_auc": worth,
        "kl": 1000 * divergence(true, p),
        "share": share_of_way(worth, 0.5, expected_auc(true, true)),
    }


STUDY = Study(
    name="copr",
    title="COPR: a pre-ranker that learns the order",
    paper="2306.03516",
    claim="Aligning the order by revenue loses fewer that the ranker would show than aligning lists of scores.",
    prepare=prepare,
    run=run,
    arms=("bids", *ARMS, "oracle", "ranker"),
    trained=tuple(ARMS),
    base="ranker",
    primary=Claim("order over lists of scores", "copr", "lists", "hit_rate"),
    secondary=(),
    control=Claim("the order of other candidates", "other_order", "lists", "hit_rate"),
    margin=0.01,
    unit="share of the ranker's first ten that pass",
    sizes={"impressions": 300_000, "requests": 600},
    limits=("Bids within a category are a chosen figure: no source exists.", "One day of requests, judged by a fifth."),
    home={"cross": 1.0, "impressions": 120_000, "requests": 240},
    why="Hundreds of ads, of which a small pre-ranker loses a third of those that the ranker would show.",
)
