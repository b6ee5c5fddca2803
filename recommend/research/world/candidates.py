"""The view of candidates: sets of hundreds of ads, scored by a ranker and a pre-ranker trained on the impressions."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from recommend.config import ModelConfig, TrainConfig
from recommend.data import oracle
from recommend.research.world import tables
from recommend.research.world.impressions import AD_CHANNEL
from recommend.research.world.market import Market, session_picks
from recommend.research.world.rankers import Trained, train_on
from recommend.research.world.read import Histories, WorldStream
from recommend.research.world.write import MANIFEST, put, write_manifest
from recommend.simulation.chance import stream
from recommend.simulation.config import HOUR_MS, WorldConfig, make_config
from recommend.simulation.items import FOREVER
from recommend.simulation.people import ADS
from recommend.simulation.truth import FLOOR, PAGE_VARIANCE, Truth, averaged, draw_users, make_truth, moments
from recommend.training.trainer import train

SCORED_ROWS, DRAWN = 8_192, 4
# Stated whole, so that a world does not change with the defaults. From tables that start at .01 nothing learns to match
# in one pass.
MODEL = ModelConfig(
    attention=(64,),
    mlp=(200, 80),
    activation="prelu",
    softmax=False,
    initial_std=0.3,
    layer_norm=False,
    unknown_ids=0.0,
)
TRAIN = TrainConfig(batch_rows=512, learning_rate=2e-3, table_rate=0.0, schedule="constant", warmup=0.0, threads=1)


def add_candidates(root: Path) -> dict[str, Any]:
    """Train a ranker (DCN V2) and a pre-ranker (two towers of width 8, of the same inputs without their cross) by one
    pass of clicks on all days but the last, and log the scored candidates of the last day's requests beside the
    impressions of a world that ``write_world`` wrote. Things sold within the log stand among them.

    The pre-ranker learns clicks, then the ranker's scores of as many requests of the day before (score alignment): what
    it cannot order then is due to its size, and to chance as little as can be.

    Returns:
        The manifest, with ``ranker`` and ``pre_ranker``.
    """
    manifest = json.loads((root / MANIFEST).read_text(encoding="utf-8"))
    size: WorldConfig = make_config(manifest["knobs"])
    truth = make_truth(size, manifest["seed"], round(size.impressions * (1 - size.video_pages)), size.days)
    day, histories = size.days - 1, Histories(root / "log")
    data, p = _requests(truth, day)
    n = put(root, "candidate", day, tables.table("candidate", data))
    ranker, pre_ranker = (MODEL.model_copy(update=u) for u in ({"name": "dcn"}, {"name": "two_tower", "tower": 8}))
    teacher, student = (train_on(root, (0, day - 1), m, TRAIN, histories) for m in (ranker, pre_ranker))
    with tempfile.TemporaryDirectory() as folder:
        _align(Path(folder), teacher, student, _requests(truth, day - 1)[0], histories)
    for name, model in (("rank_score", teacher), ("pre_score", student)):
        data[name] = _scores(root, day, model, histories)
    put(root, "candidate", day, tables.table("candidate", data))
    oracle.write_truth(root, f"candidate/day={day:03d}", {"p_click_without_page": p})
    facts = {name: manifest[name] for name in ("view", "seed", "knobs")}
    facts |= {"rows": {**manifest["rows"], "candidate": n}}
    facts |= {"ranker": ranker.model_dump(), "pre_ranker": pre_ranker.model_dump()}
    return write_manifest(root, facts, asdict(size))


def _align(folder: Path, teacher: Trained, student: Trained, data: dict[str, Any], histories: Histories) -> None:
    """Three passes of the teacher's scores of candidates in the place of clicks."""
    day, candidates = int(data["day"][0]), tables.table("candidate", data)
    put(folder, "candidate", day, candidates)
    put(folder, "candidate", day, candidates.append_column("click", pa.array(_scores(folder, day, teacher, histories))))
    columns = student.encoders.features.columns
    rows = WorldStream(folder / "log", (day, day), columns, histories, TRAIN.batch_rows, table="candidate")
    with oracle.no_oracle():
        train(student.model, rows, TRAIN.model_copy(update={"epochs": 3}), student.encoders)


def _scores(root: Path, day: int, trained: Trained, histories: Histories) -> np.ndarray:
    columns = [c for c in trained.encoders.features.columns if c != "click"]
    return trained.predict(WorldStream(root / "log", (day, day), columns, histories, SCORED_ROWS, table="candidate"))


def _requests(truth: Truth, day: int) -> tuple[dict[str, Any], np.ndarray]:
    """Rows of ``requests`` x ``candidates`` advertised things, each at most once a request, and their true rates."""
    config, rng = truth.config, stream(truth.seed, f"candidates/{day}")
    user, time = draw_users(truth, day, config.requests, rng), np.sort(moments(day, config.requests, rng))
    market = Market.on(truth, day, np.full(len(truth.items.long), FOREVER, dtype=np.float32))
    picks = session_picks(truth, rng, user)
    ids = market.ads.draw(rng, picks[:, np.resize(np.arange(picks.shape[1]), DRAWN * config.candidates)], 0.5)
    request, item = np.divmod(np.unique((np.arange(len(user))[:, None] << np.int64(32)) | ids), np.int64(1) << 32)
    # Of more drawn than wanted, as many different ones by chance.
    order = np.lexsort((rng.random(len(item)), request))
    first = np.sort(order[np.arange(len(order)) - np.searchsorted(request, request) < config.candidates])
    request, item = request[first], item[first].astype(np.int32)
    user, time = user[request], time[request]
    ads = np.ones(len(item), dtype=bool)
    match = np.concatenate(
        [truth.match(ADS, user[a], truth.items.vector[item[a]]).max(1)
         for a in np.array_split(np.arange(len(item)), max(len(item) // 100_000, 1))]
    )  # fmt: skip
    rest = truth.item_rest(user, item, ads, day) + config.position_effect * 2  # as in the first ad's place
    variance = config.page_effect**2 * PAGE_VARIANCE + truth.intent_sd[truth.items.category[item]] ** 2
    data = tables.facts(truth, user, item, time) | {
        "request_id": request,
        "channel": np.full(len(item), AD_CHANNEL),
        "position": np.full(len(item), 2),
        "bid": truth.items.bid[item],
        "hour": time // HOUR_MS % 24,
    }
    return data, averaged((rest + config.taste * (match - FLOOR)).astype(np.float32), variance)
