"""Somebody's table of past listings in our words: what its columns, categories and values are here.

The table is read twice: once for its words, which become a ``Glossary`` (and a file that a person can edit, see
``glossary.py``), and once for its rows.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from rag_index.imports.cells import named_values, photo_names, price_of, stated, text_of
from rag_index.imports.columns import ColumnChoices, Columns, attribute_named, find_columns
from rag_index.imports.fetch import is_address, photo_path
from rag_index.imports.glossary import CUSTOM, DROP, NONE, Entry, Glossary
from rag_index.imports.products import one_row_each
from rag_index.imports.report import Report
from rag_index.imports.tables import ImportProblem, RawRow, RowProblem, read_rows
from rag_index.imports.words import BY_TITLE, NOTHING, Encode, Guess, Vocabulary

NO_PHOTO_FILE = "none of its photos is there"
NO_CATEGORY = "no category"  # the name under which rows are kept that say no kind of item
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".JPG", ".JPEG", ".PNG")  # of files that are named without theirs
MOST_PHOTOS = 8  # of one listing
MOST_WORDS = 1_000  # of one column that are put into the glossary; a column of more is no column of kinds
MOST_VALUES, MIN_CELLS, MOST_FIT = 60, 20, 0.9  # of a column that is told by its values
_TRUE = frozenset({"1", "true", "yes", "y", "x", "sold"})


class _Dropped(ValueError):
    """A person leaves the row out."""


@dataclass(frozen=True)
class PlainRow:
    """One listing in our words, not yet scrubbed.

    seller_id: empty where the table does not say it. in_vocabulary: its category is one of ours, else it is theirs.
    """

    number: int
    place: str
    listing_id: str
    seller_id: str
    category: str
    in_vocabulary: bool
    title: str
    description: str = ""
    price: float | None = None
    currency: str | None = None
    sold: bool = False
    photos: tuple[str, ...] = ()  # paths and addresses as they stand there
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Catalogue:
    """A table that can be read; open it with ``open_catalogue``."""

    path: Path
    columns: Columns
    glossary: Glossary
    vocabulary: Vocabulary
    photos: Path
    header: tuple[str, ...]

    def report(self) -> Report:
        """The outcome for the rows as far as the table can say, and whether photos are there; none is opened."""
        report = Report()
        for row in self.rows():
            missing = self._missing(row) if isinstance(row, PlainRow) else ""
            outcome = RowProblem(row.place, NO_PHOTO_FILE, missing) if missing else row
            report.add(*(([outcome], []) if isinstance(outcome, RowProblem) else ([], [outcome.in_vocabulary])))
        return report

    def rows(self) -> Iterator[PlainRow | RowProblem]:
        """Its listings in order, each once; and the rows that cannot be used."""
        places: dict[bytes, str] = {}
        for row in one_row_each(read_rows(self.path)):
            if isinstance(row, RowProblem):
                yield row
                continue
            try:
                plain = self._plain(row)
            except _Dropped as error:
                yield RowProblem(row.place, str(error), dropped=_listing_id(row, self.columns, self.path))
                continue
            except ValueError as error:
                yield RowProblem(row.place, str(error))
                continue
            twin = next((places[key] for key in _keys(plain) if key in places), None)
            if twin:
                yield RowProblem(row.place, "it is there twice", f"as {twin}")
                continue
            places.update(dict.fromkeys(_keys(plain), row.place))
            yield plain

    def find_photo(self, name: str) -> Path:
        """The file that a row names: in the folder of photos or beside the table, also as the store lays them."""
        name = name if os.path.isfile(self.photos / name) else name.replace("\\", "/")  # as Windows writes paths
        named = photo_path(name, (self.photos, self.path.parent))
        places = (named, self.photos / named.name)
        stem = named.stem if named.suffix.lower() in ENDINGS else named.name  # "7.JPG" for 7.jpg
        bare = [place.with_name(f"{stem}{ending}") for ending in ENDINGS for place in places]
        further = (self.photos / named.name, *bare, self.photos / name[:2] / f"{name}.jpg")
        return next((place for place in (named, *further) if os.path.isfile(place)), named)

    def _missing(self, row: PlainRow) -> str:
        """A sentence of the first file that is not there, where none of a row's photos is there or on the web."""
        if not row.photos or any(is_address(name) for name in row.photos):
            return ""
        files = [self.find_photo(name) for name in row.photos]
        return "" if any(map(os.path.isfile, files)) else f"there is no file {files[0]}"

    def _plain(self, row: RawRow) -> PlainRow:
        cells = RowReader(row.cells, self.columns)
        title = " ".join(cells.text("title").split())
        if not title:
            raise ValueError("its title is empty")
        category, in_vocabulary = self._category(cells.category(), title)
        price, currency = price_of(cells.raw("price"))
        return PlainRow(
            number=row.number,
            place=row.place,
            listing_id=_listing_id(row, self.columns, self.path),
            seller_id=cells.text("seller_id"),
            category=category,
            in_vocabulary=in_vocabulary,
            title=title,
            description=cells.text("description"),
            price=price,
            currency=cells.text("currency").upper() or currency or self.columns.currency,
            sold=cells.text("sold").lower() in _TRUE,
            photos=tuple(dict.fromkeys(n for c in cells.all("photos") for n in photo_names(c)))[:MOST_PHOTOS],
            attributes=self._attributes(cells, category),
        )

    def _category(self, imported: str, title: str) -> tuple[str, bool]:
        entry = self.glossary.categories.get(imported)
        internal = entry.internal if entry is not None and entry.sure else CUSTOM
        if internal == DROP:
            raise _Dropped(f"its category {imported[:40]!r} is to be left out")
        if internal == BY_TITLE:
            internal = self.vocabulary.of_title(title) or CUSTOM
        return (imported or NO_CATEGORY, False) if internal == CUSTOM else (str(internal), True)

    def _attributes(self, cells: RowReader, category: str) -> dict[str, str]:
        """Values that the category can have; a closed attribute only says what is surely one of its values."""
        has = self.vocabulary.has.get(category)
        facts: dict[str, str] = {}
        for name, imported in cells.attributes(self.glossary.attributes):
            if has is not None and name not in has:
                continue
            if not self.vocabulary.values.get(name):
                facts.setdefault(name, imported)
            elif (entry := self.glossary.values.get(name, {}).get(imported)) and entry.sure and entry.internal != NONE:
                facts.setdefault(name, str(entry.internal))
        return facts


@dataclass(frozen=True)
class RowReader:
    """The fields of one raw row."""

    cells: Mapping[str, Any]
    columns: Columns

    def all(self, field_: str) -> list[Any]:
        return [self.cells.get(c) for c in self.columns.fields.get(field_, ())]

    def raw(self, field_: str) -> Any:
        return next((cell for cell in self.all(field_) if text_of(cell)), None)

    def text(self, field_: str) -> str:
        cell = self.raw(field_)
        return text_of(cell[0] if isinstance(cell, list) and cell else cell)

    def category(self) -> str:
        return " ".join(self.text("category").split())

    def wider(self) -> list[str]:
        """Words of a category's further columns: mostly wider kinds."""
        words = [" ".join(text_of(cell).split()) for cell in self.all("category")]
        return list(dict.fromkeys(w for w in words if w))

    def named(self) -> dict[str, str]:
        """The attributes that stand together in one cell."""
        return {name: value for cell in self.all("attributes") for name, value in named_values(cell).items()}

    def attributes(self, glossary: Mapping[str, Entry]) -> Iterator[tuple[str, str]]:
        """(our name, their value), a column of its own before what stands in a cell of several."""
        for name, column in self.columns.attributes.items():
            if value := stated(self.cells.get(column)):
                yield name, value
        for imported, value in self.named().items():
            entry = glossary.get(imported)
            if value and entry is not None and entry.sure and entry.internal not in (None, NONE):
                yield str(entry.internal), value


def open_catalogue(
    path: Path,
    vocabulary: Vocabulary,
    encode: Encode,
    *,
    column_choices: ColumnChoices | None = None,
    glossary: Glossary | None = None,
    photos: Path | None = None,
) -> Catalogue:
    """Read the words of a table and say what they are here.

    Args:
        encode: makes the vectors of words that are not ours.
        column_choices: field -> columns that a person named; these go before those of ``glossary``.
        glossary: what a person decided; the rest is decided here.
        photos: the folder that photos are looked for in first; by default the table's own.

    Raises:
        ImportProblem: the table cannot be read, or something that was named is not there.
    """
    decided = glossary or Glossary()
    decided.check(vocabulary)
    header = _header(path)
    columns = find_columns(header, {**decided.columns, **(column_choices or {})}, vocabulary.values.keys(), path.name)
    if further := _by_values(path, header, columns, vocabulary):
        columns = replace(columns, attributes={**columns.attributes, **further})

    def readers() -> Iterator[RowReader]:
        return (RowReader(row.cells, columns) for row in one_row_each(read_rows(path)) if isinstance(row, RawRow))

    words = _glossary(readers, columns, vocabulary, encode, decided)
    return Catalogue(path, columns, words, vocabulary, photos or path.parent, tuple(header))


def _by_values(path: Path, header: Sequence[str], columns: Columns, vocabulary: Vocabulary) -> dict[str, str]:
    """Attribute -> the column that no name tells of, and whose cells are nearly all values of this attribute alone."""
    used = {*columns.attributes.values(), *(name for names in columns.fields.values() for name in names)}
    counts: dict[str, Counter[str]] = {column: Counter() for column in header if column not in used}
    for row in one_row_each(read_rows(path)):
        if not isinstance(row, RawRow):
            continue
        for column in list(counts):
            counts[column].update([stated(row.cells.get(column)) or ""])
            if len(counts[column]) > MOST_VALUES:
                del counts[column]
    closed = [name for name, values in vocabulary.values.items() if values and name not in columns.attributes]
    further: dict[str, list[str]] = {}
    for column, cells in counts.items():
        cells.pop("", None)
        if cells.total() < MIN_CELLS or len(cells) < 2:
            continue
        fits = [name for name in closed if _share(cells, partial(vocabulary.value, name)) >= MOST_FIT]
        if len(fits) == 1:
            further.setdefault(fits[0], []).append(column)
    return {name: names[0] for name, names in further.items() if len(names) == 1}


def _share(cells: Counter[str], guess: Callable[[str], Guess]) -> float:
    return sum(count for value, count in cells.items() if guess(value).sure) / cells.total()


def listing_ids(path: Path, vocabulary: Vocabulary, column_choices: ColumnChoices) -> list[str]:
    """The ids of a table's listings, whatever becomes of them; ImportProblem: see ``open_catalogue``."""
    columns = find_columns(_header(path), column_choices, vocabulary.values.keys(), path.name)
    return [_listing_id(row, columns, path) for row in one_row_each(read_rows(path)) if isinstance(row, RawRow)]


def _header(path: Path) -> list[str]:
    rows = list(one_row_each(read_rows(path)))
    if not (header := list(dict.fromkeys(column for row in rows if isinstance(row, RawRow) for column in row.cells))):
        why = next((f" ({row.place}: {row.reason})" for row in rows if isinstance(row, RowProblem)), "")
        raise ImportProblem(f"{path.name} has no row that can be read{why}; check that it is the right file.")
    return header


def _listing_id(row: RawRow, columns: Columns, path: Path) -> str:
    return RowReader(row.cells, columns).text("listing_id") or f"{path.stem}-{row.number}"


def _glossary(
    rows: Callable[[], Iterator[RowReader]], columns: Columns, vocabulary: Vocabulary, encode: Encode, decided: Glossary
) -> Glossary:
    kinds, names = _Counted(), _Counted()
    for row in rows():
        kinds.add(row.category(), row.text("title"))
        for name, value in row.named().items():
            names.add(name, value)
    categories = _entries(kinds, decided.categories, lambda imported: _kind(imported, vocabulary))
    _propose(categories, None, vocabulary, encode)
    attributes = _entries(names, decided.attributes, lambda imported: _attribute(imported, vocabulary))
    values: dict[str, _Counted] = {}
    for row in rows():
        for name, value in row.attributes(attributes):
            if vocabulary.values.get(name):
                values.setdefault(name, _Counted()).add(value, row.text("title"))
    meant = {}
    for name, counted in values.items():
        meant[name] = _entries(counted, decided.values.get(name, {}), partial(vocabulary.value, name))
        _propose(meant[name], name, vocabulary, encode)
    fields = {name: list(names_of_field) for name, names_of_field in columns.fields.items()}
    fields |= {f"attributes.{name}": [column] for name, column in columns.attributes.items()}
    return Glossary(fields, categories, attributes, meant)


class _Counted:
    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self.example: dict[str, str] = {}

    def add(self, word: str, example: str) -> None:
        self.count[word] += 1
        self.example.setdefault(word, example)


def _entries(counted: _Counted, decided: Mapping[str, Entry], guess: Callable[[str], Guess]) -> dict[str, Entry]:
    """Most frequent first; what a person said stands."""
    entries = {}
    for imported, count in counted.count.most_common(MOST_WORDS):
        if imported in decided:
            entries[imported] = Entry(
                decided[imported].internal, decided[imported].sure, count, "as you said", counted.example[imported]
            )
        else:
            guessed = guess(imported)
            entries[imported] = Entry(guessed.internal, guessed.sure, count, guessed.why, counted.example[imported])
    return entries


def _kind(imported: str, vocabulary: Vocabulary) -> Guess:
    if not any(c.isalpha() for c in imported):
        return Guess(BY_TITLE, not imported, "a number says no kind" if imported else "no category given")
    return Guess(imported, True, "same word") if imported in vocabulary.kinds else vocabulary.kind(imported)


def _attribute(imported: str, vocabulary: Vocabulary) -> Guess:
    internal = attribute_named(imported, vocabulary.values.keys())
    return Guess(internal, True, "same word") if internal else Guess(NONE, True, "no attribute here")


def _propose(entries: dict[str, Entry], attribute: str | None, vocabulary: Vocabulary, encode: Encode) -> None:
    """Vectors speak where words said nothing."""
    silent = [imported for imported, entry in entries.items() if entry.internal is None and entry.why == NOTHING.why]
    for imported, guess in zip(silent, vocabulary.alike(silent, attribute, encode), strict=True):
        old = entries[imported]
        entries[imported] = Entry(guess.internal, guess.sure, old.count, guess.why, old.example)


def _keys(row: PlainRow) -> tuple[bytes, bytes]:
    """Two rows are the same listing by their id, or by all that they say."""
    content = (row.seller_id, row.title, row.description, row.price, row.photos, sorted(row.attributes.items()))
    return tuple(hashlib.sha256(repr(k).encode()).digest()[:16] for k in ((row.seller_id, row.listing_id), content))  # type: ignore[return-value]
