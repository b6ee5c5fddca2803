"""Conditions for HDR's parts in real logs: similar days (Online Retail), and labels in the tenth hour (Taobao).

``python -m benchmarks.papers.hdr_logs`` prints both. Neither log can try HDR as a whole: Online Retail has no clicks,
the Taobao sample one short season without a promotion of its own.

Online Retail: a day's vector has the share of reduced lines (20 % or more below the item's median price of earlier
months) on the three trading days before, and the shares of the 20 most sold items until noon. The two most similar of
all days at least a week earlier are compared with the two latest of them and with random ones, by what they say about
the target day *after* noon: the error of their share of reduced lines, and the cosine of their items' shares. Intervals
resample weeks.

Taobao: views and the purchases that follow within a week by the same user and item, seen from the tenth hour.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from benchmarks.common import arguments
from benchmarks.papers.user_logs import until_next
from recommend.data.schema import DAY_MS
from recommend.imports.maps import log_files, read_map
from recommend.models.hdr import nearest
from recommend.research.events import read_events

HOUR_MS = 3_600_000
NOON, ITEMS, RECENT, SIMILAR_DAYS, FIRST, DRAWS = 12, 20, 3, 2, 40, 1_000


def median_by(keys: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    """(size,) median of the values of each key, NaN without any."""
    order = np.lexsort((values, keys))
    count = np.bincount(keys, minlength=size)
    start = np.cumsum(count) - count
    at = np.minimum(start + count // 2, len(values) - 1)
    return np.where(count > 0, values[order][at], np.nan)


def retail() -> None:
    """Similar, latest and random days beside the target day's afternoon."""
    # The file itself and not its import: here a line without a customer counts as well.
    lines = pd.read_parquet(log_files(read_map("online_retail")[0])[0])
    lines = lines[(lines.Quantity > 0) & (lines.UnitPrice > 0)].sort_values("InvoiceDate", kind="stable")
    item, price = pd.factorize(lines.StockCode, sort=True)[0], lines.UnitPrice.to_numpy()
    time_ms = (lines.InvoiceDate - pd.Timestamp("2010-12-01")).to_numpy().astype("timedelta64[ms]").astype(np.int64)
    day, size = time_ms // DAY_MS, int(item.max()) + 1
    reduced = np.full(len(item), np.nan)
    for start in range(30, int(day.max()) + 1, 30):  # prices of earlier months alone
        now = (day >= start) & (day < start + 30)
        usual = median_by(item[day < start], price[day < start], size)[item[now]]
        reduced[now] = np.where(np.isnan(usual), np.nan, price[now] < 0.8 * usual)
    morning = time_ms % DAY_MS < NOON * HOUR_MS
    days = np.unique(day)
    share = np.array([np.nanmean(np.append(reduced[day == d], 0.0)) for d in days])
    later = [reduced[(day == d) & ~morning] for d in days]
    afternoon = np.array([np.nanmean(r) if np.isfinite(r).any() else np.nan for r in later])
    before = np.stack([np.bincount(item[(day == d) & morning], minlength=size) for d in days]).astype(float)
    after = np.stack([np.bincount(item[(day == d) & ~morning], minlength=size) for d in days]).astype(float)
    recent = np.stack([np.roll(share, j) for j in range(1, RECENT + 1)], 1)
    rng = np.random.default_rng(0)
    comparisons: dict[str, list[tuple[float, float]]] = {"similar": [], "latest": [], "random": []}
    weeks = []
    for t in range(FIRST, len(days)):
        history = np.flatnonzero((days <= days[t] - 7) & (days >= 34) & np.isfinite(afternoon))
        if len(history) < 10 or not np.isfinite(afternoon[t]) or not before[t].sum():
            continue
        often = np.argsort(-before[history].sum(0), kind="stable")[:ITEMS]
        parts = before[:, often] / np.maximum(before.sum(1, keepdims=True), 1)
        similar = history[nearest([recent[t], parts[t]], [recent[history], parts[history]], SIMILAR_DAYS)]
        choices = {
            "similar": similar,
            "latest": history[-SIMILAR_DAYS:],
            "random": rng.choice(history, SIMILAR_DAYS, replace=False),
        }
        for name, chosen in choices.items():
            error = abs(afternoon[chosen].mean() - afternoon[t])
            a, b = after[chosen].sum(0), after[t]
            comparisons[name].append((error, float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))))
        weeks.append(days[t] // 7)
    weeks_array = np.array(weeks)
    print(f"Online Retail: {len(weeks)} target days, share of reduced lines after noon {np.nanmean(afternoon):.4f}")
    for name, pairs in comparisons.items():
        error, cosine = np.mean(pairs, axis=0)
        print(f"  {name}: error of the share {error:.4f}, cosine {cosine:.4f}")
    for other in ("latest", "random"):
        gap = np.array(comparisons["similar"]) - np.array(comparisons[other])
        draws = []
        for _ in range(DRAWS):
            drawn = rng.choice(np.unique(weeks_array), len(np.unique(weeks_array)))
            draws.append(np.concatenate([gap[weeks_array == w] for w in drawn]).mean(0))
        low, high = np.quantile(draws, [0.025, 0.975], axis=0)
        for number, what in enumerate(("error", "cosine")):
            mean = gap[:, number].mean()
            ends = low[number], high[number]
            print(
                f"  similar - {other}, {what}: {mean:+.4f} [{ends[0]:+.4f}, {ends[1]:+.4f}], "
                f"shown could be {np.ptp(ends) / 2:.4f}"
            )


def clicks() -> None:
    """Labels there are by the tenth hour, and how well a morning's clicks alone would tell a day's rate."""
    events = read_events("taobao")
    view, buy = events["behaviour"] == "click", events["behaviour"] == "order"
    user, item, time = (events[name][view] for name in ("user_id", "item_id", "time_ms"))
    delay = until_next(events, buy, user, item, time).astype(float)
    delay[delay > 7 * DAY_MS] = np.inf
    followed = time < 3 * DAY_MS  # a week is left to them
    ends = np.isfinite(delay)
    print(f"Taobao: {view.sum()} views, {ends.mean():.4f} followed by a purchase within a week")
    for hours in (1, 5, 10, 24, 72):
        print(f"  {(delay[followed & ends] <= hours * HOUR_MS).mean():.3f} of these purchases within {hours} h")
    hour = time % DAY_MS // HOUR_MS
    early = (hour < 10) & (time >= DAY_MS)
    morning = early.sum() / 9
    age = (10 * HOUR_MS - time % DAY_MS)[early]
    labelled = (delay[early] <= age).sum() / max(ends[early].sum(), 1)
    rate = ends[early].mean()
    print(f"  {morning:.0f} views a day in the first ten hours, {labelled:.3f} of their purchases known in the tenth")
    print(
        f"  relative standard error of a morning's rate with all labels: {math.sqrt((1 - rate) / (rate * morning)):.2f}"
    )
    for separation in (0.5, 1.0):
        print(f"  of the correction, classes {separation} sd apart: {1 / (rate * separation * math.sqrt(morning)):.1f}")


def main() -> None:
    parser = arguments(__doc__)
    parser.parse_args()
    retail()
    clicks()


if __name__ == "__main__":
    main()
