"""A table's words as a shop's: its kinds of items, and which of its columns answer a question about them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from finetune.errors import DataError
from rag_index.imports.catalogue import Catalogue, RowReader
from rag_index.imports.cells import stated
from rag_index.imports.columns import plain_name
from rag_index.imports.glossary import DROP, NONE, Entry
from rag_index.imports.products import one_row_each
from rag_index.imports.tables import RawRow, read_rows

MAX_VALUES = 60  # of a column that answers a closed question
MIN_ROWS = 20  # that state a value, for a column to be one
MIN_SHARE = 0.2  # of all rows
ROWS_A_VALUE = 8  # on average: of a column with fewer, each value is nearly a row's own
MAX_LETTERS = 40
MAX_ALIKE = 0.98  # share of one value, from which on a column says nothing

NUMBERS = "its values are numbers"


@dataclass
class Kind:
    """One word for a kind of item: rows, the wider word that most of them state, and words of their titles."""

    rows: int = 0
    groups: Counter[str] = field(default_factory=Counter)
    title_words: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)  # attribute -> rows


@dataclass
class ShopColumns:
    """A table's words: word -> kind; attribute -> value -> rows; attribute -> its column; key in a cell of several ->
    attribute; brands; sellers; remarks.

    Attributes that are ours keep our name, others have that of their column, or of their key in a cell of several.
    """

    kinds: dict[str, Kind] = field(default_factory=lambda: defaultdict(Kind))
    values: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    columns: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    brands: Counter[str] = field(default_factory=Counter)
    sellers: set[str] = field(default_factory=set)
    remarks: list[str] = field(default_factory=list)
    rows: int = 0


def read_columns(catalogue: Catalogue) -> ShopColumns:
    """Read a table once. DataError: it has no category, or only one."""
    names = _questions(catalogue)
    table, by_kind = ShopColumns(), defaultdict[str, dict[str, Counter[str]]](dict)
    usual: dict[str, str] = {}  # of "TOPS", "Tops" and "tops" the spelling of most rows is the kind's name
    for word in catalogue.glossary.categories:
        usual.setdefault(word.casefold(), word)
    for row in one_row_each(read_rows(catalogue.path)):
        reader = RowReader(row.cells, catalogue.columns) if isinstance(row, RawRow) else None
        word = reader.category() if reader else ""
        if reader is None or not word or _is_dropped(catalogue.glossary.categories.get(word)):
            continue
        word = usual.get(word.casefold(), word)
        kind = table.kinds[word]
        table.rows, kind.rows = table.rows + 1, kind.rows + 1
        kind.groups.update(w for w in reader.wider() if w != word)
        kind.title_words.update(plain_name(reader.text("title")).split())
        if seller := reader.text("seller_id"):
            table.sellers.add(seller)
        if brand := stated(reader.cells.get(catalogue.columns.attributes.get("brand", ""))):
            table.brands[brand] += 1
        cells = {name: stated(reader.cells.get(column)) for name, column in names.items()}
        for name, key, value in _from_specifics(reader, catalogue):
            if not cells.get(name):
                cells[name] = value
                table.keys[key] = name
        for name, value in cells.items():
            if value:
                table.values[name][value] += 1
                by_kind[name].setdefault(word, Counter())[value] += 1
    table.columns = names
    _check_kinds(table, catalogue.path.name, catalogue.header)
    _drop_unusable(table, by_kind, catalogue)
    table.remarks += _like_ours(table, catalogue)
    for word, kind in table.kinds.items():
        kind.states = Counter({name: by_kind[name].get(word, Counter()).total() for name in table.values})
    table.kinds, table.values = dict(table.kinds), dict(table.values)
    return table


def _is_dropped(entry: Entry | None) -> bool:
    """True for a category whose rows a person left out."""
    return entry is not None and entry.sure and entry.internal == DROP


def _drop_unusable(table: ShopColumns, by_kind: Mapping[str, dict[str, Counter[str]]], catalogue: Catalogue) -> None:
    """Take out the columns that answer no closed question, each with a remark."""
    for name in list(table.values):
        is_internal = name in catalogue.vocabulary.values
        reason = unusable(table.values[name], table.rows, is_internal)
        if reason is None and not is_internal and _follows(by_kind[name].values()):
            reason = "it follows from what an item is"
        if reason == NUMBERS and not catalogue.columns.fields.get("price"):
            reason += f" (if it is the price: --map price={table.columns.get(name, name)})"
        if reason is not None:
            table.remarks.append(f"{table.columns.get(name, name)} is not learned: {reason}.")
            del table.values[name]


def _like_ours(table: ShopColumns, catalogue: Catalogue) -> Iterator[str]:
    """A remark on each column that half speaks of a fact of ours in its words, which would be asked twice."""
    ours = {a: words for a, words in catalogue.vocabulary.values.items() if words and a not in table.values}
    for name, values in table.values.items():
        for attribute, words in ours.items() if name not in catalogue.vocabulary.values else ():
            known = {word.casefold() for value, further in words.items() for word in (value, *further)}
            if 2 * sum(n for value, n in values.items() if value.casefold() in known) >= values.total():
                column = table.columns.get(name, name)
                yield f"{column} reads like our {attribute}: --map attributes.{attribute}={column} asks for it once."
                break


def no_vectors(words: Sequence[str]) -> np.ndarray:
    """Vectors that are like no other: words that are none of ours stay the shop's own, so that none need be guessed."""
    return np.zeros((len(words), 1), np.float32)


def attribute_name(column: str) -> str:
    """The name of the attribute that a column becomes."""
    return plain_name(column).replace(" ", "_")


def _from_specifics(reader: RowReader, catalogue: Catalogue) -> Iterator[tuple[str, str, str]]:
    """(attribute, key, value) of what stands together in one cell: closed attributes of ours, and those of the shop."""
    for key, value in reader.named().items():
        entry = catalogue.glossary.attributes.get(key)
        named = entry is not None and entry.sure and entry.internal not in (None, NONE)
        name = str(entry.internal) if named and entry else attribute_name(key)
        if value and name and (not named or catalogue.vocabulary.values.get(name)):
            yield name, key, value


def _questions(catalogue: Catalogue) -> dict[str, str]:
    """Attribute -> column, of the closed attributes of ours and of the columns that nothing else reads."""
    attributes = catalogue.columns.attributes
    used = {c for columns in catalogue.columns.fields.values() for c in columns} | {*attributes.values()}
    further = {attribute_name(c): c for c in catalogue.header if c not in used}
    return {
        **{name: column for name, column in further.items() if name not in catalogue.vocabulary.values},
        **{name: column for name, column in attributes.items() if catalogue.vocabulary.values.get(name)},
    }


def unusable(values: Mapping[str, int], rows: int, internal: bool) -> str | None:
    """Why a column answers no closed question; None where it does. ours: the question is one of ours, and closed."""
    count = sum(values.values())
    frequent = [value for value, n in values.items() if n > 1]
    if count < max(MIN_ROWS, MIN_SHARE * rows):
        return f"only {count} of {rows} rows state it"
    if all(not any(c.isalpha() for c in value) for value in values):
        return NUMBERS
    if len(values) > count / 2 and not internal:
        return "nearly every row has a value of its own, as ids and texts have"
    if len(frequent) > MAX_VALUES or (count / len(values) < ROWS_A_VALUE and not internal):
        return f"it has {len(values)} values, and is read as free text"
    if max(map(len, frequent)) > MAX_LETTERS:
        return "its values are texts"
    if max(values.values()) > MAX_ALIKE * count or len(frequent) < 2:
        return "nearly all rows say the same"
    return None


def _follows(by_kind: Collection[Counter[str]]) -> bool:
    """True where all rows of a kind state the same, whichever kind it is."""
    return sum(max(values.values()) for values in by_kind) >= MAX_ALIKE * sum(values.total() for values in by_kind)


def _check_kinds(table: ShopColumns, name: str, header: Iterable[str]) -> None:
    if not table.rows:
        raise DataError(
            f"{name} has no column that says what each thing is: "
            f"name it with --map category=COLUMN (it has: {', '.join(header)})."
        )
    if len(table.kinds) < 2:
        only = next(iter(table.kinds))
        raise DataError(f"All rows of {name} are {only!r}: with one kind of thing there is nothing to tell apart.")
    if len(table.kinds) > table.rows / 2:
        raise DataError(
            f"{len(table.kinds)} of {table.rows} rows of {name} have a category of their own, as ids have: "
            "name the column of kinds with --map category=COLUMN."
        )
