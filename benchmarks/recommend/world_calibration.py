"""Marginals of World 2 beside those of the real logs: ``python -m benchmarks.recommend.world_calibration``.

Prints the figures of docs/world.md, *Calibration*. Real logs are read from ``IPL_DATA``; an
absent log leaves its cells empty.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.common import arguments, markdown
from benchmarks.recommend.real_logs import LOGS
from recommend.config import ConfigError
from recommend.data.oracle import open_oracle
from recommend.data.parquet import DataError
from recommend.phenomena.log import Log
from recommend.research.world import write_world

DAY, HOUR = 86_400_000, 3_600_000


def one(log: Log, query: str) -> float:
    """The number that a query gives."""
    row = log.con.execute(query).fetchone()
    return float(row[0]) if row and row[0] is not None else float("nan")


def figures(root: Path) -> dict[str, float]:
    """Marginals of a written view of impressions."""
    log = Log(root / "log")
    q = {name: f"quantile_cont(delay_ms, {name})" for name in (0.5, 0.75, 0.9)}
    single = open_oracle(root, "item")
    out = {
        f"click to order, hours, {int(100 * n)} %": one(log, f'SELECT {e} / {HOUR} FROM "order"') for n, e in q.items()
    }
    rate = "SELECT avg(CAST({} AS INTEGER)) FROM impression WHERE {}"
    users = "(SELECT user_id, count(*) AS n FROM click GROUP BY 1)"
    items = "(SELECT item_id, count(*) AS n FROM click WHERE item_id >= 0 GROUP BY 1)"
    days = "(SELECT day, promotion > 0 AS p, count(*) AS n FROM impression GROUP BY ALL)"
    return out | {
        "orders per click": one(log, rate.format('"order"', "click AND entity = 0")),
        "carts per click": one(log, rate.format("cart", "click AND entity = 0")),
        "orders per cart": one(log, rate.format('"order"', "cart")),
        "events of the last 2 days on unseen items": one(
            log, "SELECT avg(CAST(item_id NOT IN (SELECT item_id FROM click WHERE CAST(day AS INT) < 28) AS INTEGER)) "
            "FROM click WHERE CAST(day AS INT) >= 28 AND item_id >= 0"),
        "items with one event": one(log, f"SELECT avg(CAST(n = 1 AS INTEGER)) FROM {items}"),
        "items with 3 events or fewer": one(log, f"SELECT avg(CAST(n <= 3 AS INTEGER)) FROM {items}"),
        "activity, 90 % over 50 %": one(log, f"SELECT quantile_cont(n, .9) / quantile_cont(n, .5) FROM {users}"),
        "busy days' traffic over others'": one(log, f"SELECT avg(n) FILTER (p) / avg(n) FILTER (NOT p) FROM {days}"),
        "busiest hour's share": one(
            log, "SELECT max(n) / sum(n) FROM (SELECT hour, count(*) AS n FROM impression GROUP BY 1)"),
        "refunds per order": one(log, rate.format("refund", '"order"')),
        **{f"order to refund, days, {int(100 * n)} %": one(log, f"SELECT {e} / {DAY} FROM refund") for n, e in
           q.items()},
        "bids, sd of the logarithm": one(
            log, "SELECT avg(s) FROM (SELECT category, stddev(ln(bid)) AS s FROM item WHERE bid > 0 GROUP BY 1)"),
        "prices of one kind, sd of the logarithm": one(
            log, "SELECT median(s) FROM (SELECT category, stddev(ln(price)) AS s FROM item GROUP BY 1)"),
        "click rate": one(log, rate.format("click", "true")),
        "selected rows' click rate over uniform": one(
            log, "SELECT avg(CAST(click AS INTEGER)) FILTER (policy = 1) / avg(CAST(click AS INTEGER)) FILTER "
            "(policy = 2) FROM impression"),
        "tenth place's click rate over the first's": one(
            log, "SELECT avg(CAST(click AS INTEGER)) FILTER (position = 9) / avg(CAST(click AS INTEGER)) FILTER "
            "(position = 0) FROM impression"),
        "organic rows an ad, on feed pages": one(
            log, "SELECT count(*) FILTER (channel = 0) / count(*) FILTER (channel = 2) FROM impression"),
        "impressions a long listing, median": one(
            log, "SELECT median(n) FROM (SELECT item_id, count(*) AS n FROM impression WHERE item_id >= 0 AND NOT "
            "single GROUP BY 1)"),
        "impressions a single piece that was shown, mean": one(
            log, "SELECT avg(n) FROM (SELECT item_id, count(*) AS n FROM impression WHERE single GROUP BY 1)"),
        "single pieces sold, here or elsewhere": float(single["gone"][~single["long"]].mean()),
        "impressions a user": one(log, "SELECT count(*) / count(DISTINCT user_id) FROM impression"),
    }  # fmt: skip


def main() -> None:
    args = arguments(__doc__, impressions=1_000_000, seed=100).parse_args()
    real: dict[str, tuple[str, float]] = {}
    for name, read in LOGS.items():
        try:
            real |= {figure: (name, value) for figure, value in read().items()}
        except (ConfigError, DataError, OSError) as error:
            print(f"<!-- {name}: {error} -->")
    with tempfile.TemporaryDirectory() as folder:
        write_world(Path(folder) / "w", seed=args.seed, knobs={"impressions": args.impressions})
        world = figures(Path(folder) / "w")
    rows = []
    for name, value in world.items():
        log, number = real.get(name, ("", float("nan")))
        rows.append((name, log, "" if np.isnan(number) else f"{number:.3g}", f"{value:.3g}"))
    print(markdown(("marginal", "real log", "value", "World 2"), rows))


if __name__ == "__main__":
    main()
