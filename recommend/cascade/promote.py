"""A promotion day's copy of the conversion model that serves: HDR (arXiv 2305.12837) on the feed's own log.

Earlier days that are like the target day and whose orders are all in are looked up; a copy of the model, with a block
on its conversion, is trained on their clicks; the registry serves it on the promotion's days and discards it then.
No label of the target day is read: of that day's clicks only what was known when they were made.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from recommend.cascade.registry import PROMOTION, Loaded, Registry
from recommend.cascade.request import DAY_MS, HOUR_MS
from recommend.data.memory import MemoryStream
from recommend.data.parquet import DataError, ParquetStream, Position
from recommend.data.ragged import Batch, Column, array_of, concat_batches, select_batch
from recommend.data.schema import ENTITIES, table_files
from recommend.features.content_join import Contents
from recommend.features.counts import Counts
from recommend.models.hdr import Correction, Deployment, Rates, correct, fine_tune, nearest
from recommend.models.hdr_copies import ECADCopy, ESMMCopy
from recommend.models.registry import build_model, model_class
from recommend.training import checkpoint
from recommend.training.runs import ENCODERS, RUN, read_run

WINDOW = 7  # days after a click in which an order counts as its conversion
FIRST_HOURS = 10  # of the day that are compared, or as many of them as have passed
RECENT = 3  # days before, whose conversion rates stand in a day's vector
CATEGORIES = 20  # the most shown ones, whose shares stand in it
RETRIEVED = 2  # days
RATES = Rates(net=1e-5, block=3e-3)  # those of the recipe (docs/papers/hdr.md)
BATCH_ROWS, STEPS = 64, 20  # a small log is passed over until so many steps are made
FEWEST_CLICKS, FEWEST_ORDERS = 100, 10  # of the retrieved days; below them a copy would learn chance
TOLERANCE = 2.0  # factor by which a copy may be off what the correction expects of today
SCORED_ROWS = 4_096
Promotable = ESMMCopy | ECADCopy


@dataclass(frozen=True)
class Clicks:
    """Clicks on things, and what was shown, as they were known at a moment.

    Attributes:
        columns: raw columns of the clicked impressions, in the order of time.
        day, hour: (clicks,) of the impression.
        time, ordered: (clicks,) ms of the impression, and of the order (inf: none within ``WINDOW`` or not known yet).
        days: (days,) with impressions, ascending.
        shown: (days, 24, categories) impressions.
    """

    columns: dict[str, Column]
    day: np.ndarray
    hour: np.ndarray
    time: np.ndarray
    ordered: np.ndarray
    days: np.ndarray
    impressions: np.ndarray

    def rate(self, day: int, moment: int) -> float:
        """Share of a day's clicks whose orders were in at a moment; NaN without clicks."""
        of_day = self.day == day
        return float((self.ordered[of_day] <= moment).mean()) if of_day.any() else float("nan")


@dataclass(frozen=True)
class Target:
    """For which day a copy is made: ``last`` is the promotion's last one, ``promotion`` its number, ``name`` its name.
    ``alike`` are the days of other promotions, of which the calendar knows."""

    day: int
    last: int
    promotion: int
    name: str
    alike: Collection[int]


@dataclass(frozen=True)
class PromotionCopy:
    """A copy that was installed, and from what."""

    version: str
    days: tuple[int, ...]
    clicks: int
    orders: int
    correction: Correction
    predicted: float


def promote(registry: Registry, log: Path, target: Target, moment: int, seed: int = 0) -> PromotionCopy:
    """Make the copy for a day and install it.

    Args:
        log: folder of the log's tables, written at or before the moment.
        moment: now, ms on the log's clock; what came later is not read.

    Raises:
        DataError: no conversion model serves, it can have no copy, there are no earlier promotions in the log or too
            few clicks on them, or what the copy predicts is out of tolerance.
    """
    base = registry.load("conversion")
    if base is None:
        raise DataError(
            "no conversion model serves, of which a copy could be made; install one with --role conversion."
        )
    name = model_class(base.manifest["model"]).copy
    if not name:
        raise DataError(f"{base.name} cannot have a copy for a promotion; esmm and ecad can.")
    clicks = read_clicks(log, base, moment)
    hours = int(np.clip((moment - target.day * DAY_MS) // HOUR_MS, 0, FIRST_HOURS))
    days = retrieve(clicks, target, moment, hours)
    past, now = np.isin(clicks.day, days), (clicks.day == target.day) & (clicks.hour < hours)
    labels = np.isfinite(clicks.ordered[past])
    if len(labels) < FEWEST_CLICKS or labels.sum() < FEWEST_ORDERS:
        raise DataError(
            f"the days that are like it ({len(days)} of earlier promotions) have {len(labels)} clicks and "
            f"{int(labels.sum())} orders, too few to learn from; the conversion model goes on as it is."
        )
    model = _with_block(base, name)
    data = {**_encoded(clicks, base, past), model.converted[1]: torch.from_numpy(labels)}
    before, today = _scores(model, data), _scores(model, _encoded(clicks, base, now))
    first = clicks.hour[past] < hours
    compared = first if len(today) and first.any() else np.ones(len(labels), bool)
    correction = correct(before[compared], labels[compared], today)
    tuned = fine_tune(model, _batches(data, len(labels), seed), RATES, correction.ratio)
    predicted = float((_scores(tuned, _encoded(clicks, base, now)) if len(today) else _scores(tuned, data)).mean())
    if not Deployment(model, TOLERANCE).push(tuned, target.day, predicted, correction.today):
        raise DataError(
            f"the copy is not served: it predicts {predicted:.4f} orders a click where {correction.today:.4f} are "
            "expected; the conversion model goes on as it is."
        )
    facts = {
        "days": [target.day, target.last],
        "promotion": target.promotion,
        "name": target.name,
        "base": {"model": base.manifest["model"], "version": base.version},
    }
    measures = {"days": days.tolist(), "clicks": len(labels), "orders": int(labels.sum()), "ratio": correction.ratio}
    version = _install(registry, base, tuned, measures, facts)
    return PromotionCopy(version, tuple(days.tolist()), len(labels), int(labels.sum()), correction, predicted)


def read_clicks(log: Path, base: Loaded, moment: int) -> Clicks:
    """The log's clicks on things as known at a moment, with the columns that the model reads."""
    files = table_files(log, "impression", 0, moment // DAY_MS)
    if not files:
        raise DataError(f"there is no log in {log}; './ipl recommend log --out DIR' writes one.")
    features = base.encoders.features
    clicked = _times(log, "click", moment)
    read = [name for f in features.features for name in f.sources]  # no label among them
    needed = [*read, "impression_id", "time_ms", "entity", "category"]
    parts, impressions = [], []
    for batch in ParquetStream(files, list(dict.fromkeys(needed)), batch_rows=65_536):
        time, category = array_of(batch["time_ms"]), array_of(batch["category"])
        item = (array_of(batch["entity"]) == ENTITIES.index("item")) & (time <= moment)
        impressions.append(np.column_stack([time // HOUR_MS, category])[item])
        mine = item & np.isin(array_of(batch["impression_id"]), clicked[0])
        parts.append(select_batch(batch, torch.from_numpy(np.flatnonzero(mine))))
    columns = Counts.read(log, features)(Contents.read(log, features)(concat_batches(parts)))
    time, row = array_of(columns["time_ms"]), array_of(columns["impression_id"])
    number, when = _times(log, "order", moment)
    place = np.searchsorted(number, row).clip(max=max(len(number) - 1, 0))
    ordered = np.where(number[place] == row, when[place], np.inf) if len(number) else np.full(len(row), np.inf)
    ordered = np.where(ordered <= time + WINDOW * DAY_MS, ordered, np.inf)
    hours, codes = np.concatenate(impressions).T
    categories, column = np.unique(codes, return_inverse=True)
    days, day = np.unique(hours // 24, return_inverse=True)
    counts = np.zeros((len(days), 24, len(categories)))
    np.add.at(counts, (day, hours % 24, column), 1)
    return Clicks(columns, time // DAY_MS, time // HOUR_MS % 24, time, ordered, days, counts)


def retrieve(clicks: Clicks, target: Target, moment: int, hours: int) -> np.ndarray:
    """Days of earlier promotions that are most like the target day, best first.

    Only days whose orders are all in count: the last one is over for ``WINDOW`` days. Without impressions of the target
    day (``hours`` 0) the conversion rates of the days before alone decide.

    Raises:
        DataError: there is none.
    """
    ripe = clicks.days[(clicks.days + 1 + WINDOW) * DAY_MS <= moment]
    days = ripe[np.isin(ripe, list(target.alike)) & np.isin(ripe, clicks.day) & (ripe < target.day)]
    if not len(days):
        raise DataError(
            f"the log has no earlier promotion that is over for {WINDOW} days; the conversion model goes on as it is."
        )
    vectors = [_rates(clicks, [*days, target.day], hours)]
    if hours and target.day in clicks.days:
        first = clicks.impressions[np.searchsorted(clicks.days, [*days, target.day]), :hours].sum(1)
        often = np.argsort(-first[:-1].sum(0), kind="stable")[:CATEGORIES]
        vectors.append(first[:, often] / np.maximum(first.sum(1, keepdims=True), 1))
    return days[nearest([v[-1] for v in vectors], [v[:-1] for v in vectors], RETRIEVED)]


def _rates(clicks: Clicks, days: list[int], hours: int) -> np.ndarray:
    """(days, RECENT) conversion rates of the days before each, as known ``hours`` into it; their mean where none is."""
    rates = np.array([[clicks.rate(d - j, d * DAY_MS + hours * HOUR_MS) for j in range(1, RECENT + 1)] for d in days])
    mean = float(np.nanmean(rates)) if np.isfinite(rates).any() else 0.0
    return np.where(np.isnan(rates), mean, rates)


def _times(log: Path, table: str, moment: int) -> tuple[np.ndarray, np.ndarray]:
    """Impression ids, ascending, and times of a table's events until a moment."""
    files = table_files(log, table)
    parts = list(ParquetStream(files, ["impression_id", "time_ms"], batch_rows=65_536)) if files else []
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    rows = concat_batches(parts)
    number, time = array_of(rows["impression_id"]), array_of(rows["time_ms"])
    order = np.lexsort((time, number))
    order = order[time[order] <= moment]
    return number[order], time[order].astype(np.float64)


def _encoded(clicks: Clicks, base: Loaded, which: np.ndarray) -> dict[str, Column]:
    """Model input of some clicks. A promotion outside of the vocabulary is none, as in serving (``in_vocabulary``)."""
    raw = select_batch(clicks.columns, torch.from_numpy(np.flatnonzero(which)))
    vocabulary = base.encoders.vocabularies.get("promotion")
    if vocabulary is not None:
        promotion = raw["promotion"]
        assert isinstance(promotion, torch.Tensor)
        raw["promotion"] = torch.where(torch.isin(promotion, vocabulary), promotion, 0)
    encoded = base.encoders(raw)
    return {f.column: encoded[f.column] for f in base.encoders.features.features}


@torch.no_grad()
def _scores(model: Promotable, data: dict[str, Column]) -> np.ndarray:
    """(clicks,) probabilities of a conversion after a click."""
    model.eval()
    logit = model.converted[0]
    parts = [model(batch)[logit].double().sigmoid() for batch in MemoryStream(data, SCORED_ROWS)]
    return torch.cat(parts).numpy() if parts else np.empty(0)


def _with_block(base: Loaded, name: str) -> Promotable:
    """The model that serves, to the digit, with a block that has not learned anything yet."""
    config = base.model.config.model_copy(update={"name": name})
    model = build_model(base.encoders.features, base.encoders.sizes(), config)
    missing, unknown = model.load_state_dict(base.model.state_dict(), strict=False)
    if unknown or any(".block." not in f".{key}" for key in missing):
        raise DataError(f"{base.name} has other weights than its copy, which cannot be made.")
    return cast("Promotable", model)


def _batches(data: dict[str, Column], rows: int, seed: int) -> Iterator[Batch]:
    passes = max(1, -(-STEPS // -(-rows // BATCH_ROWS)))
    for number in range(passes):
        yield from MemoryStream(data, BATCH_ROWS, shuffle=seed * 100 + number)


def _install(
    registry: Registry, base: Loaded, tuned: Promotable, measures: dict[str, Any], facts: dict[str, Any]
) -> str:
    """Write the copy as a training run and hand it to the registry."""
    run = read_run(registry.folder("conversion", base.version)).model_copy(update={"model": tuned.config})
    with tempfile.TemporaryDirectory(prefix="promotion-") as name:
        folder = Path(name)
        base.encoders.save(folder / ENCODERS)
        (folder / RUN).write_text(run.model_dump_json(indent=1), encoding="utf-8")
        checkpoint.save(folder / checkpoint.NAME, tuned, [], checkpoint.Progress(0, 0, (Position(),)))
        return registry.install(folder, PROMOTION, measures, facts=facts)
