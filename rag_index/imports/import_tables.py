"""Tables of past listings (CSV, JSONL, Parquet) as plain rows; a mapping says which column is which field."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rag_index.errors import IplError

FIELDS = ("listing_id", "seller_id", "category", "title", "description", "price", "currency", "sold", "photos")
REQUIRED = ("category", "title")
ATTRIBUTE_PREFIX = "attributes."
DEFAULT_SELLER = "me"
_TRUE = frozenset({"1", "true", "yes", "y", "sold"})


class ImportProblem(IplError, ValueError):
    """The table or the mapping cannot be used; the message is one sentence that says what to do."""

    exit_status = 2


@dataclass(frozen=True)
class PlainRow:
    """One listing as the table says it, not yet scrubbed. ``number`` counts from 1 without the header."""

    number: int
    listing_id: str
    seller_id: str
    category: str
    title: str
    description: str = ""
    price: float | None = None
    currency: str | None = None
    sold: bool = False
    photos: tuple[Path, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RowProblem:
    """A row that was left out, and why."""

    number: int
    message: str


def parse_mapping(text: str) -> dict[str, str]:
    """``"title=Name,price=Amount,attributes.colour=Farbe"`` -> field: column; ImportProblem: it is no mapping."""
    mapping = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, equals, column = (p.strip() for p in part.partition("="))
        if not equals or not column or (name not in FIELDS and not name.startswith(ATTRIBUTE_PREFIX)):
            allowed = ", ".join((*FIELDS, f"{ATTRIBUTE_PREFIX}NAME"))
            raise ImportProblem(f"'{part}' is no mapping; write FIELD=COLUMN with FIELD one of: {allowed}.")
        mapping[name] = column
    return mapping


def read_table(path: Path, mapping: Mapping[str, str] | None = None) -> Iterator[PlainRow | RowProblem]:
    """Rows of a table in order. A column that bears a field's name needs no mapping.

    ImportProblem: no such file, an unknown kind, unreadable, or a needed column is missing.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ImportProblem(f"{path.name} is no table that can be read; use one of: {', '.join(_READERS)}.")
    if not path.is_file():
        raise ImportProblem(f"There is no file {path}; check the path.")
    mapping, checked = dict(mapping or {}), False
    for number, row in enumerate(_guarded(reader(path), path), 1):
        if isinstance(row, str):
            yield RowProblem(number, row)
            continue
        own = {name: name for name in row if name in FIELDS or name.startswith(ATTRIBUTE_PREFIX)}
        columns = {**own, **mapping}
        if not checked:
            _check_columns(path, row, mapping, columns)
            checked = True
        try:
            yield _plain(number, row, columns, path)
        except ValueError as error:
            yield RowProblem(number, str(error))


def _read_csv(path: Path) -> Iterator[dict[str, Any] | str]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        sample = file.read(16_384)
        file.seek(0)
        try:
            dialect: Any = csv.Sniffer().sniff(sample, ",;\t|")
        except csv.Error:
            dialect = csv.excel
        for row in csv.DictReader(file, dialect=dialect):
            yield "it has more cells than the header." if None in row else row


def _read_jsonl(path: Path) -> Iterator[dict[str, Any] | str]:
    with path.open(encoding="utf-8-sig") as file:
        for line in filter(str.strip, file):
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                row = None
            yield row if isinstance(row, dict) else "it is not a JSON object."


def _read_parquet(path: Path) -> Iterator[dict[str, Any] | str]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as table:
        for batch in table.iter_batches(batch_size=1_000):
            yield from batch.to_pylist()


_READERS: dict[str, Callable[[Path], Iterator[dict[str, Any] | str]]] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}


def _guarded(rows: Iterator[dict[str, Any] | str], path: Path) -> Iterator[dict[str, Any] | str]:
    try:
        yield from rows
    except UnicodeDecodeError as error:
        raise ImportProblem(f"{path.name} is not UTF-8 text; save it as UTF-8 and try again.") from error
    except (OSError, csv.Error) as error:  # pyarrow's own errors are OSError and ValueError
        raise ImportProblem(f"{path.name} cannot be read ({error}).") from error
    except ValueError as error:
        raise ImportProblem(f"{path.name} is damaged or of another kind than its name says.") from error


def _check_columns(path: Path, row: Mapping[str, Any], mapping: Mapping[str, str], columns: Mapping[str, str]) -> None:
    missing = [c for c in mapping.values() if c not in row] or [name for name in REQUIRED if name not in columns]
    if missing:
        raise ImportProblem(
            f"{path.name} has no column {missing[0]!r} (it has: {', '.join(map(str, row))}); name the columns with "
            "--map title=COLUMN,category=COLUMN."
        )


def _plain(number: int, row: Mapping[str, Any], columns: Mapping[str, str], path: Path) -> PlainRow:
    def text(name: str) -> str:
        value = row.get(columns.get(name, ""))
        return "" if value is None else str(value).strip()

    for name in REQUIRED:
        if not text(name):
            raise ValueError(f"its {name} is empty.")
    given = row.get(columns.get("photos", "")) or []
    names = given.split(";") if isinstance(given, str) else given
    facts = row.get("attributes")
    named = {n.removeprefix(ATTRIBUTE_PREFIX): text(n) for n in columns if n.startswith(ATTRIBUTE_PREFIX)}
    return PlainRow(
        number=number,
        listing_id=text("listing_id") or f"{path.stem}-{number}",
        seller_id=text("seller_id") or DEFAULT_SELLER,
        category=text("category"),
        title=text("title"),
        description=text("description"),
        price=_price(text("price")),
        currency=text("currency").upper() or None,
        sold=text("sold").lower() in _TRUE,
        photos=tuple(path.parent / str(n).strip() for n in names if str(n).strip()),
        attributes={
            **({str(k): str(v) for k, v in facts.items() if v is not None} if isinstance(facts, dict) else {}),
            **{name: value for name, value in named.items() if value},
        },
    )


def _price(text: str) -> float | None:
    """Of "12.50", "12,50", "1 234,50 €" the number; of nothing, None."""
    if not text:
        return None
    plain = "".join(c for c in text if c.isdigit() or c in ".,-")
    if "," in plain and plain.rfind(",") > plain.rfind("."):
        plain = plain.replace(".", "").replace(",", ".")
    try:
        price = float(plain.replace(",", ""))
    except ValueError:
        price = math.nan
    if not math.isfinite(price) or price < 0:
        raise ValueError(f"its price {text[:20]!r} is no amount.")
    return price
