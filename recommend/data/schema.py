"""The tables of a marketplace log: names, types, units, and when a value is known.

Every source writes these tables (the simulated world, the import of other logs), every reader relies on them. A table
is a folder of Parquet files, one partition a day: ``ROOT/TABLE/day=007/part-0.parquet``. Ids start at 0 within their
kind; -1 means "none". Times are milliseconds since the log's own start.

``available`` says when a value exists, which is what keeps the future out of the features:

- ``request``: before the page is shown; the only columns a model may read when it serves;
- ``after``: after the page was shown (a privileged feature: a teacher may read it in training, a student may not);
- ``label``: what is predicted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from recommend.errors import RecommendError

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
Availability = Literal["request", "after", "label"]

# Codes of small integer columns, in one place for writers and readers.
ENTITIES = ("item", "post")  # what is shown; an ad is an item with is_ad
CHANNELS = ("feed", "search", "ads", "video")  # sub-domains; all together are the super-domain
CALENDAR = "promotions.json"  # beside the tables: days of the declared promotions, as the log counts them
POLICIES = ("organic", "ads", "uniform")  # who chose the row; uniform is the unbiased sample


@dataclass(frozen=True)
class Column:
    """One column: its name, Arrow type, unit or meaning, and when it is known."""

    name: str
    type: pa.DataType
    meaning: str
    available: Availability = "request"


IDS = pa.list_(pa.int64())
CODES = pa.list_(pa.int32())
FLOATS = pa.list_(pa.float32())

IMPRESSION = (
    Column("impression_id", pa.int64(), "unique, ascending in time"),
    Column("request_id", pa.int64(), "one result page: rows of a list share it"),
    Column("time_ms", pa.int64(), "when the page was shown"),
    Column("day", pa.int32(), "time_ms // 86,400,000"),
    Column("hour", pa.int32(), "hour of the day, 0..23"),
    Column("user_id", pa.int64(), "who looked"),
    Column("entity", pa.int32(), "code of ENTITIES"),
    Column("item_id", pa.int64(), "the item; for a post the item that it shows, or -1"),
    Column("post_id", pa.int64(), "the post, or -1"),
    Column("seller_id", pa.int64(), "who sells the item"),
    Column("category", pa.int32(), "leaf category of the item or post"),
    Column("condition", pa.int32(), "0 new .. 4 worn"),
    Column("price", pa.float32(), "asked price in the log's currency"),
    Column("price_bucket", pa.int32(), "0..9, deciles of price within the category"),
    Column("stock", pa.int32(), "pieces left when shown; 1 for most second-hand things"),
    Column("single", pa.bool_(), "listed with one piece: an attribute of the listing, never derived from its future"),
    Column("item_age_h", pa.float32(), "hours since it was listed"),
    Column("channel", pa.int32(), "code of CHANNELS"),
    Column("policy", pa.int32(), "code of POLICIES"),
    Column("is_ad", pa.bool_(), "shown because its seller paid"),
    Column("position", pa.int32(), "0-based place on the page"),
    Column("propensity", pa.float32(), "probability with which the policy showed this row, 0..1"),
    Column("promotion", pa.int32(), "promotion on that day: 0 none, else its number in the calendar"),
    Column("days_to_promotion", pa.int32(), "days until the next promotion of the calendar; 0 on its day"),
    Column("history_item", IDS, "items the user clicked before the request, oldest first"),
    Column("history_category", CODES, "their categories"),
    Column("history_single", CODES, "1 where that item was listed with one piece"),
    Column("history_age_h", FLOATS, "hours between that click and the request"),
    Column("history_post", IDS, "posts the user clicked before the request, oldest first"),
    Column("dwell_s", pa.float32(), "seconds on the detail page, 0 without a click", "after"),
    Column("privileged", FLOATS, "further signals that exist only after the page was shown", "after"),
    Column("click", pa.bool_(), "clicked", "label"),
    Column("cart", pa.bool_(), "put into the cart, ever", "label"),
    Column("order", pa.bool_(), "ordered, ever (ripe; what was known at a time: table order)", "label"),
    Column("refund", pa.bool_(), "ordered and refunded, ever (ripe; what was known at a time: table refund)", "label"),
)

# Later events keep the impression and the moment, so that a label "as known at time t" is a join with time_ms <= t.
EVENT = (
    Column("impression_id", pa.int64(), "the impression that led to it"),
    Column("user_id", pa.int64(), "who did it"),
    Column("item_id", pa.int64(), "on which item, or -1"),
    Column("time_ms", pa.int64(), "when it happened"),
    Column("day", pa.int32(), "time_ms // 86,400,000"),
    Column("delay_ms", pa.int64(), "since its cause: the impression, for an order the click, for a refund the order"),
)
CLICK = (*EVENT, Column("post_id", pa.int64(), "the post, or -1"), Column("channel", pa.int32(), "code of CHANNELS"))
CART = EVENT
ORDER = (*EVENT, Column("order_id", pa.int64(), "unique"), Column("amount", pa.float32(), "price paid"))
REFUND = (
    *EVENT,
    Column("order_id", pa.int64(), "the order it undoes, cancelled ones among them"),
    Column("amount", pa.float32(), "money returned"),
)

CANDIDATE = (
    Column("request_id", pa.int64(), "the page for which it was considered"),
    Column("time_ms", pa.int64(), "when"),
    Column("day", pa.int32(), "time_ms // 86,400,000"),
    Column("user_id", pa.int64(), "for whom"),
    Column("item_id", pa.int64(), "which item"),
    Column("policy", pa.int32(), "code of POLICIES"),
    Column("rank_score", pa.float32(), "score of the ranking model of that day (pCTR)"),
    Column("bid", pa.float32(), "bid for a click; 0 for what is not an ad"),
    Column("rank", pa.int32(), "0-based place in the ranking stage's order"),
    Column("shown", pa.bool_(), "whether it became an impression"),
)
ITEM = (
    Column("item_id", pa.int64(), "unique"),
    Column("seller_id", pa.int64(), "who sells it"),
    Column("category", pa.int32(), "leaf category"),
    Column("condition", pa.int32(), "0 new .. 4 worn"),
    Column("price", pa.float32(), "asked price"),
    Column("price_bucket", pa.int32(), "0..9 within the category"),
    Column("stock", pa.int32(), "pieces when listed"),
    Column("single", pa.bool_(), "listed with one piece"),
    Column("is_ad", pa.bool_(), "its seller runs an ad for it"),
    Column("bid", pa.float32(), "for a click; 0 without an ad"),
    Column("listed_ms", pa.int64(), "when it was listed"),
    Column("content", FLOATS, "content vector: what photos and text say"),
)
USER = (
    Column("user_id", pa.int64(), "unique"),
    Column("age_group", pa.int32(), "0..5"),
    Column("city", pa.int32(), "0.."),
    Column("activity", pa.int32(), "0..9, deciles of pages a day before the log starts"),
    Column("joined_ms", pa.int64(), "when they joined; negative: before the log"),
)
POST = (
    Column("post_id", pa.int64(), "unique"),
    Column("author_id", pa.int64(), "a user"),
    Column("topic", pa.int32(), "a schema of its own: topics are not categories"),
    Column("item_id", pa.int64(), "the item it shows, or -1"),
    Column("created_ms", pa.int64(), "when it was written"),
    Column("length", pa.int32(), "words"),
    Column("content", FLOATS, "content vector"),
)

TABLES: dict[str, tuple[Column, ...]] = {
    "impression": IMPRESSION,
    "click": CLICK,
    "cart": CART,
    "order": ORDER,
    "refund": REFUND,
    "candidate": CANDIDATE,
    "item": ITEM,
    "user": USER,
    "post": POST,
}


class SchemaError(RecommendError, ValueError):
    """A table does not have the columns that the log's schema promises."""


def arrow_schema(table: str) -> pa.Schema:
    """The table's Arrow schema; unit and moment of each column travel as field metadata."""
    if table not in TABLES:
        raise SchemaError(f"there is no table '{table}'; the log has {', '.join(TABLES)}.")
    return pa.schema(
        [pa.field(c.name, c.type, metadata={"meaning": c.meaning, "known": c.available}) for c in TABLES[table]]
    )


def columns(table: str, available: Availability | None = None) -> list[str]:
    """Names of the table's columns, optionally only those known at one moment."""
    arrow_schema(table)
    return [c.name for c in TABLES[table] if available is None or c.available == available]


def conform(table: str, data: dict[str, Any]) -> pa.Table:
    """Build a table of exactly the schema's columns and order.

    Args:
        table: name of ``TABLES``.
        data: column name to array (numpy, Arrow or list). Extra columns are refused, since nobody would read them.

    Raises:
        SchemaError: a column is missing, unknown or does not convert.
    """
    schema = arrow_schema(table)
    missing, extra = sorted(set(schema.names) - set(data)), sorted(set(data) - set(schema.names))
    if missing or extra:
        parts = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has unknown {', '.join(extra)}"] * bool(extra)
        raise SchemaError(f"table '{table}' {' and '.join(parts)}.")
    try:
        arrays = [v if isinstance(v := data[f.name], pa.Array | pa.ChunkedArray) else pa.array(v) for f in schema]
        return pa.table([array.cast(f.type) for array, f in zip(arrays, schema, strict=True)], schema=schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise SchemaError(f"table '{table}' does not fit its schema: {error}") from error


def day_file(root: Path, table: str, day: int, part: int = 0) -> Path:
    """Where a day's rows lie; the zero-padded name sorts by time."""
    return Path(root) / table / f"day={day:03d}" / f"part-{part}.parquet"


def table_files(root: Path, table: str, first_day: int = 0, last_day: int | None = None) -> list[Path]:
    """The table's files in time order, of days ``first_day``..``last_day`` (both included)."""
    paths = (Path(root) / table).glob("day=*/part-*.parquet")
    days = sorted((int(p.parent.name.removeprefix("day=")), p) for p in paths)  # a log may be longer than 1,000 days
    return [p for d, p in days if d >= first_day and (last_day is None or d <= last_day)]


def digest(root: Path, table: str) -> str:
    """Tells one log's table from another: names, rows and sizes of its files."""
    facts = [(f.parent.name, f.stat().st_size, pq.read_metadata(f).num_rows) for f in table_files(root, table)]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def columns_of(root: Path, table: str = "impression") -> list[str]:
    """Columns that a log's table has, by its first file."""
    return list(pq.read_schema(table_files(root, table)[0]).names)
