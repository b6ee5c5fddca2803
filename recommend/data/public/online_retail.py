"""Online Retail (UCI; Chen, 2015): all invoice lines of a British wholesaler of gifts, December 2010 to December 2011.

Folder ``online_retail_uci``. 541,909 lines, a quarter of them without a customer; 9,288 lines cancel something. There
are no impressions and no clicks: what can be studied is what happens after an order.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from recommend.data.public import source
from recommend.data.public.source import Column

NAME = "online_retail_uci"
START_S = 1_291_161_600  # 2010-12-01 00:00, the shop's own clock
LINES = (
    Column("invoice", pa.string(), "its number; those of cancellations start with C"),
    Column("item_id", pa.int64(), "code of the stock code, in its alphabetical order"),
    Column("stock_code", pa.string(), "the shop's own"),
    Column("user_id", pa.int64(), "the customer, or -1"),
    Column("time_ms", pa.int64(), "milliseconds since 2010-12-01 00:00"),
    Column("day", pa.int32(), "time_ms // 86,400,000"),
    Column("quantity", pa.int64(), "pieces; negative where something goes back"),
    Column("price", pa.float64(), "of a piece, in pounds; a few lines adjust debts and are negative"),
    Column("country", pa.string(), "of the customer"),
    Column("cancelled", pa.bool_(), "the line cancels an earlier one", "label"),
)
CANCELLATIONS = (
    Column("line", pa.int64(), "row of LINES that cancels"),
    Column("order_line", pa.int64(), "row of LINES: the customer's latest earlier purchase of the item"),
    Column("delay_ms", pa.int64(), "between the two"),
)
FILE = ("InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country", "is_cancel")


def read(root: Path | None = None) -> pa.Table:
    """``LINES`` in the order of time."""
    path = source.folder(NAME, root) / "online_retail.parquet"
    table = source.read_parquet(path, FILE)
    time = np.asarray(table["InvoiceDate"].cast(pa.timestamp("ms")).cast(pa.int64())) - START_S * 1000
    data = {
        "invoice": table["InvoiceNo"],
        "item_id": source.codes(table["StockCode"])[0],
        "stock_code": table["StockCode"],
        "user_id": source.filled(table["CustomerID"]),
        "time_ms": time,
        "day": time // source.DAY_MS,
        "quantity": table["Quantity"],
        "price": table["UnitPrice"],
        "country": table["Country"],
        "cancelled": table["is_cancel"],
    }
    return source.in_time(source.typed(LINES, data, path), "time_ms")


def purchases(lines: pa.Table) -> np.ndarray:
    """(rows,) bool: lines by which a known customer bought something."""
    n = source.numpy(lines, ("user_id", "quantity", "cancelled"))
    return (n["user_id"] >= 0) & ~n["cancelled"] & (n["quantity"] > 0)


def cancellations(lines: pa.Table) -> pa.Table:
    """``CANCELLATIONS``: every cancelling line that has an earlier (or simultaneous) purchase of the same customer and
    item, joined to the latest one. The log does not say which purchase was meant.

    Args:
        lines: what ``read`` returned.
    """
    n = source.numpy(lines, ("user_id", "item_id", "time_ms", "cancelled"))
    bought = np.flatnonzero(purchases(lines))
    back = np.flatnonzero((n["user_id"] >= 0) & n["cancelled"])
    both = np.concatenate([bought, back])
    undoes = np.repeat([False, True], [len(bought), len(back)])
    order = np.lexsort([undoes, n["time_ms"][both], n["item_id"][both], n["user_id"][both]])
    both, undoes = both[order], undoes[order]
    place = np.arange(len(both))
    latest = np.maximum.accumulate(np.where(undoes, -1, place)) if len(both) else place
    cause = both[np.maximum(latest, 0)]
    same = (n["user_id"][cause] == n["user_id"][both]) & (n["item_id"][cause] == n["item_id"][both])
    found = undoes & (latest >= 0) & same
    line, order_line = both[found], cause[found]
    data = {"line": line, "order_line": order_line, "delay_ms": n["time_ms"][line] - n["time_ms"][order_line]}
    return source.in_time(source.typed(CANCELLATIONS, data, NAME), "line")


def median_prices(lines: pa.Table) -> np.ndarray:
    """(rows,) median price of each line's item over its sales; NaN for an item that was never sold at a price."""
    n = source.numpy(lines, ("item_id", "price", "cancelled"))
    sold = ~n["cancelled"] & (n["price"] > 0)
    item, price = n["item_id"][sold], n["price"][sold]
    order = np.lexsort([price, item])
    known, first, many = np.unique(item[order], return_index=True, return_counts=True)
    of_item = np.full(int(n["item_id"].max(initial=-1)) + 1, np.nan)
    of_item[known] = (price[order][first + (many - 1) // 2] + price[order][first + many // 2]) / 2
    return of_item[n["item_id"]]
