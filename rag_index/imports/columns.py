"""Which column of a table is which field: by the names that shops and exports use, or as a person says."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from rag_index.errors import did_you_mean
from rag_index.imports.tables import ImportProblem

FIELDS = (
    "listing_id",
    "seller_id",
    "category",
    "title",
    "description",
    "price",
    "currency",
    "sold",
    "photos",
    "attributes",
)
SEVERAL = ("category", "photos")  # all columns of these names count
ATTRIBUTE_PREFIX = "attributes."
ColumnChoices = Mapping[str, str | list[str] | None]  # field -> columns, None to leave it out
_PRICE_IN = re.compile(r"^(?:price|preis|prix) ([a-z]{3})$")
_EBAY_SPECIFIC = "C:"
_EBAY_CURRENCY = re.compile(r"\bCurrency=([A-Z]{3})\b")


@dataclass(frozen=True)
class Columns:
    """Field -> its columns, attribute -> its column. ``currency``: what a header says of all prices."""

    fields: Mapping[str, tuple[str, ...]]
    attributes: Mapping[str, str]
    currency: str | None = None

    def unused(self, header: Iterable[str]) -> list[str]:
        """Columns that are read as nothing."""
        used = {c for columns in self.fields.values() for c in columns} | set(self.attributes.values())
        return [name for name in header if name not in used]


def parse_mapping(text: str) -> dict[str, str]:
    """``"title=Name,price=Amount,attributes.colour=Farbe"`` -> field: column; "photos=" leaves a field out."""
    mapping = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, equals, column = (p.strip() for p in part.partition("="))
        if not equals:
            raise ImportProblem(f"'{part}' is no mapping; write FIELD=COLUMN, such as title=Name.")
        mapping[name] = column
    return mapping


def find_columns(
    header: Collection[str], column_choices: ColumnChoices, attributes: Collection[str], table: str
) -> Columns:
    """The columns of a table's fields; what ``column_choices`` names goes first.

    attributes: names that an attribute may have. ImportProblem: a name that points nowhere, or no column for the title.
    """
    named = {plain_name(column): column for column in reversed(list(header))}
    fields = {field: _columns_of(names, named, field in SEVERAL) for field, names in _synonyms()["fields"].items()}
    numbered = (c for c in header if re.sub(r" ?\d$", "", plain_name(c)) in _synonyms()["fields"]["photos"])
    fields["photos"] = tuple(dict.fromkeys([*fields["photos"], *numbered]))
    attribute_columns = {}
    for name in attributes:
        names = [f"{ATTRIBUTE_PREFIX}{name}", name, *_synonyms()["attributes"].get(name, ())]
        attribute_columns[name] = _columns_of([*names, *(f"{_EBAY_SPECIFIC}{n}" for n in names)], named)
    currency = next((match[1] for column in header if (match := _EBAY_CURRENCY.search(column))), None)
    if not fields["price"]:
        matches = ((column, _PRICE_IN.match(plain_name(column))) for column in header)
        priced = {column: match[1].upper() for column, match in matches if match}
        fields["price"], currency = tuple(priced)[:1], next(iter(priced.values()), currency)
    for name, columns in column_choices.items():
        chosen = tuple(
            _exists(c, header, table) for c in ([columns] if isinstance(columns, str) else columns or ()) if c
        )
        attribute = name.removeprefix(ATTRIBUTE_PREFIX)
        if name in fields:
            fields[name] = chosen
        elif attribute != name and attribute in attributes:
            attribute_columns[attribute] = chosen[:1]
        else:
            valid = [*FIELDS, *(f"{ATTRIBUTE_PREFIX}{a}" for a in attributes)]
            some = f"{', '.join(FIELDS)}, {ATTRIBUTE_PREFIX}NAME"
            raise ImportProblem(f"There is no field {name!r}{near_hint(name, valid)}; the fields are: {some}.")
    if not fields["title"]:
        raise _no_title([n for n in ("title", "category", "photos") if not fields[n]], named, header, table)
    taken = {c for columns in fields.values() for c in columns}
    by_attribute = {
        name: columns[0] for name, columns in attribute_columns.items() if columns and columns[0] not in taken
    }
    return Columns({name: columns for name, columns in fields.items() if columns}, by_attribute, currency)


def plain_name(column: str) -> str:
    """Lower case, letters and digits alone, one blank between words: "*Body (HTML)" is "body html"."""
    return " ".join(re.findall(r"[^\W_]+", str(column).lower()))


def attribute_named(name: str, attributes: Collection[str]) -> str | None:
    """The attribute that somebody calls so, such as "Neck"; None: none of ``attributes``."""
    key = plain_name(name)
    names = _synonyms()["attributes"]
    return next((a for a in attributes if key in (plain_name(a), *names.get(a, ()))), None)


def currency_code(sign: str | None) -> str | None:
    """The code of a currency that is given by its sign or its code; None for what is neither."""
    code = _synonyms()["currencies"].get(sign or "", (sign or "").upper())
    return code if re.fullmatch("[A-Z]{3}", code) else None


@cache
def _synonyms() -> dict[str, Any]:
    return dict(yaml.safe_load(Path(__file__).with_name("columns.yaml").read_text(encoding="utf-8")))


def _columns_of(names: Iterable[str], named: Mapping[str, str], several: bool = False) -> tuple[str, ...]:
    columns = tuple(dict.fromkeys(named[plain] for n in names if (plain := plain_name(n)) in named))
    return columns if several else columns[:1]


def _exists(column: str, header: Collection[str], table: str) -> str:
    if column in header:
        return column
    raise ImportProblem(f"{table} has no column {column!r}{near_hint(column, header)}; it has: {', '.join(header)}.")


def _no_title(missing: list[str], named: Mapping[str, str], header: Collection[str], table: str) -> ImportProblem:
    likely = next((near for n in ("title", "name") for near in get_close_matches(n, named, 1)), None)
    hint = f"; is it {named[likely]!r}?" if likely else "."
    return ImportProblem(
        f"{table} has no column for the {', the '.join(missing)}{hint} "
        f"Say it with --map {','.join(f'{name}=COLUMN' for name in missing)} (it has: {', '.join(header)})."
    )


def near_hint(name: str, valid: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` for a sentence, or nothing."""
    hint = did_you_mean(name, valid)
    return f" ({hint})" if hint else ""
