"""Tables as they come: CSV, TSV, Excel, JSON, JSONL, Parquet, a feed in XML; each record as its cells by column."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from rag_index.errors import IplError

_ABOVE = 10  # lines among which the header is looked for
MAX_CELL = 10_000_000  # characters; a quote that nobody closed would otherwise take the rest of a file
_END = "\0"  # a line of its own behind the last one: what holds it is a cell that nothing closes
_XML_HEAD = 65_536
MANY_CELLS = "it has more cells than the header: is a quote above it not closed?"
Cells = dict[str, Any]


class ImportProblem(IplError, ValueError):
    """The table or the mapping cannot be used; the message is one sentence that says what to do."""

    exit_status = 2


@dataclass(frozen=True)
class RawRow:
    """One record. ``number`` counts from 1; ``place`` is where it stands, such as "line 7"."""

    number: int
    place: str
    cells: Cells


@dataclass(frozen=True)
class RowProblem:
    """A record that was left out, and why; ``reason`` is the same words for all records of the same trouble.

    dropped: the id of the listing where a person decided so.
    """

    place: str
    reason: str
    detail: str = ""
    dropped: str = ""


def read_rows(path: Path) -> Iterator[RawRow | RowProblem]:
    """Records in order. ImportProblem: no such file, an unknown kind, unreadable."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        kinds = ", ".join(_READERS)
        raise ImportProblem(f"{path.name} is no table that can be read; save it as one of: {kinds}.")
    if not path.is_file():
        raise ImportProblem(f"There is no file {path}; check the path.")
    for number, (place, content) in enumerate(_guarded(reader(path), path), 1):
        yield RowProblem(place, content) if isinstance(content, str) else RawRow(number, place, content)


def _read_csv(path: Path) -> Iterator[tuple[str, Cells | str]]:
    csv.field_size_limit(MAX_CELL)
    with path.open(newline="", encoding=_encoding(path)) as file:
        first = [line for _, line in zip(range(_ABOVE), file, strict=False)]
        # Excel may say its delimiter first, an eBay template its version, others what the table is.
        start = next((n for n, line in enumerate(first) if _is_header(line, path)), 0)
        head = first[start] if first else ""
        rows = csv.reader(chain(first[start:], file, [_END]), delimiter=delimiter(head, path))
        names, last, above = _one_line(next(rows, [])), rows.line_num, True
        for cells in rows:
            place, last = f"line {start + last + 1}", rows.line_num
            if not any(cells) or cells == [_END]:
                continue
            if cells[-1].endswith(_END):
                raise ImportProblem(
                    f"{path.name}, {place}: a cell opens with a quote that nothing closes; mend it there."
                )
            if above and _names_groups(names, cells):
                names = _one_line(cells)
                continue
            above = False
            too_many = any(cell.strip() for cell in cells[len(names) :])
            yield place, MANY_CELLS if too_many else _named(names, cells)


def _one_line(names: list[Any]) -> list[str]:
    return [" ".join(str(name).split()) for name in names]


def _is_header(line: str, path: Path) -> bool:
    said = line.lstrip('\ufeff"').lower()
    return not said.startswith(("#", "sep=")) and delimiter(line, path) in line


def _names_groups(cells: list[Any], below: list[Any]) -> bool:
    """True if a line has names for groups of the columns that the line below it names."""
    return len(cells) == len(below) and 0 < 2 * sum(map(bool, cells)) <= sum(map(bool, below))


def _encoding(path: Path) -> str:
    """UTF-16 is told by its first bytes; what is not UTF-8 is as Excel saves "CSV" in western Europe."""
    with path.open("rb") as file:
        if (head := file.read(2)) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
    if b"\0" in head:
        return "utf-16-le" if head.endswith(b"\0") else "utf-16-be"
    try:
        with path.open(encoding="utf-8") as text:
            all(text)
        return "utf-8-sig"
    except UnicodeDecodeError:
        return "cp1252"


def delimiter(head: str, path: Path) -> str:
    """The delimiter between the cells, by the header line."""
    return "\t" if path.suffix.lower() == ".tsv" else max(",;\t|", key=head.count)


def _named(names: list[str], cells: list[Any]) -> Cells:
    """Cells by column; of two columns of one name the first that is filled, what else the second says as "NAME 2"."""
    row: Cells = {}
    for name, cell in zip(names, cells + [""] * (len(names) - len(cells)), strict=False):
        again = (f"{name} {n}" for n in range(2, len(names) + 2))
        free = (
            name if not cell or row.get(name, "") in ("", cell) else next(other for other in again if other not in row)
        )
        row[free] = row.get(free) or cell
    return row


def _read_jsonl(path: Path) -> Iterator[tuple[str, Cells | str]]:
    with path.open(encoding=_encoding(path)) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                row = None
            yield f"line {number}", _flat(row)


def _read_json(path: Path) -> Iterator[tuple[str, Cells | str]]:
    """A list of objects, or an object with such a list."""
    whole = json.loads(path.read_text(encoding=_encoding(path)))
    values: list[Any] = list(whole.values()) if isinstance(whole, dict) else [whole]
    lists: list[list[Any]] = [value for value in values if isinstance(value, list)]
    rows = max(lists, key=len) if lists else []
    for number, row in enumerate(rows, 1):
        yield f"object {number}", _flat(row)


def _flat(row: Any) -> Cells | str:
    """An object's cells; one within it that has the title is the row itself."""
    if not isinstance(row, dict):
        return "it is not a JSON object"
    inner = next((name for name, cell in row.items() if isinstance(cell, dict) and {"title", "name"} & {*cell}), None)
    return row if inner is None or {"title", "name"} & {*row} else {**row.pop(inner), **row}


def _read_parquet(path: Path) -> Iterator[tuple[str, Cells | str]]:
    import pyarrow.parquet as pq

    number = 0
    with pq.ParquetFile(path) as table:
        for batch in table.iter_batches(batch_size=1_000):
            for row in batch.to_pylist():
                number += 1
                yield f"row {number}", row


def _read_excel(path: Path) -> Iterator[tuple[str, Cells | str]]:
    """The sheet of most rows, and those of its header; a whole number is one ("7", not "7.0"), a date is its words."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(str(path))
        sheets = [_sheet(book.get_sheet_by_index(n)) for n in range(len(book.sheet_names))]
    except CalamineError as error:
        raise ValueError(str(error)) from error
    most = max(sheets, key=lambda rows: sum(map(any, rows)), default=[])
    names = _one_line(most[_header_row(most)]) if most else []
    for sheet, rows in zip(book.sheet_names, sheets, strict=True):
        start = _header_row(rows)
        if not rows or _one_line(rows[start]) != names:
            continue
        where = "" if rows is most else f" of sheet {sheet!r}"
        for number, cells in enumerate(rows[start + 1 :], start + 2):
            if any(cells):
                filled = [int(c) if isinstance(c, float) and c.is_integer() else c for c in cells]
                row = _named(names, [c if isinstance(c, int | float) else str(c) for c in filled])
                row.pop("", None)
                yield f"row {number}{where}", row


def _header_row(rows: list[list[Any]]) -> int:
    """Where a sheet's header stands: below its title, and below names of groups of columns."""
    start = next((n for n, cells in enumerate(rows) if sum(map(bool, cells)) > 1), 0)
    while start + 1 < len(rows) and _names_groups(rows[start], rows[start + 1]):
        start += 1
    return start


def _sheet(sheet: Any) -> list[list[Any]]:
    """The rows of a sheet; a cell that was merged downwards is each of those that it covers."""
    rows: list[list[Any]] = sheet.to_python(skip_empty_area=False)
    for (top, column), (bottom, _) in sheet.merged_cell_ranges or ():
        for row in rows[top + 1 : bottom + 1]:
            row[column] = rows[top][column]
    return rows


def _read_xml(path: Path) -> Iterator[tuple[str, Cells | str]]:
    """A Google Merchant feed: the ``item`` elements of RSS, or the ``entry`` elements of Atom."""
    from xml.etree import ElementTree as ET

    with path.open("rb") as file:
        if b"<!" in file.read(_XML_HEAD).replace(b"<!--", b"").replace(b"<![CDATA[", b""):
            raise ImportProblem(f"{path.name} defines a document type of its own; save it as a plain feed.")
        file.seek(0)
        number = 0
        try:
            for _, element in ET.iterparse(file):
                if _local(element.tag) in ("item", "entry"):
                    number += 1
                    yield f"item {number}", _elements(element)
                    element.clear()
        except ET.ParseError as error:
            raise ImportProblem(f"{path.name} is no whole XML feed ({error}); export it again.") from error


def _elements(element: Any) -> Cells:
    """Child elements by local name; what is given several times becomes a list."""
    row: Cells = {}
    for child in element:
        name, value = _local(child.tag), (child.text or child.get("href") or "").strip()
        if value:
            row[name] = [*_listed(row[name]), value] if name in row else value
    return row


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


_READERS: dict[str, Callable[[Path], Iterator[tuple[str, Cells | str]]]] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".txt": _read_csv,
    ".jsonl": _read_jsonl,
    ".json": _read_json,
    ".parquet": _read_parquet,
    ".xml": _read_xml,
    **dict.fromkeys((".xlsx", ".xlsm", ".xls", ".ods"), _read_excel),
}


def _guarded(rows: Iterator[tuple[str, Cells | str]], path: Path) -> Iterator[tuple[str, Cells | str]]:
    try:
        yield from rows
    except ImportProblem:
        raise
    except UnicodeDecodeError as error:
        raise ImportProblem(f"{path.name} is not UTF-8 text; save it as UTF-8 and try again.") from error
    except csv.Error as error:
        raise ImportProblem(f"{path.name} is no whole table ({error}); export it again.") from error
    except (OSError, ValueError) as error:  # also those of pyarrow
        raise ImportProblem(
            f"{path.name} is damaged, cut off or of another kind than its name says; export it again."
        ) from error
