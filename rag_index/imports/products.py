"""Exports in which one product takes several rows (Shopify's variants, eBay's variations), as one row each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rag_index.imports.columns import plain_name
from rag_index.imports.tables import Cells, RawRow, RowProblem

_HANDLES, _PARTS = ("handle", "url handle"), ("relationship",)
_PHOTOS = ("image src", "product image url", "picurl", "variant image", "variant image url")


def one_row_each(rows: Iterable[RawRow | RowProblem]) -> Iterator[RawRow | RowProblem]:
    """Rows without a title join the product before them, with their photos and options."""
    product: RawRow | None = None
    options: dict[str, list[str]] = {}
    for row in rows:
        if isinstance(row, RowProblem):
            if product is not None:
                yield _finished(product, options)
            product = None
            yield row
            continue
        if product is not None and _continues(row.cells, product.cells):
            _join(product.cells, row.cells)
        else:
            if product is not None:
                yield _finished(product, options)
            product, options = row, {}
        _collect(row.cells, product.cells, options)
    if product is not None:
        yield _finished(product, options)


def _cell(cells: Cells, *names: str) -> str:
    return next((str(value or "").strip() for column, value in cells.items() if plain_name(column) in names), "")


def _continues(cells: Cells, product: Cells) -> bool:
    if _cell(cells, "title", "item title"):
        return False
    handle = _cell(cells, *_HANDLES)
    return bool(handle and handle == _cell(product, *_HANDLES)) or bool(_cell(cells, *_PARTS))


def _join(product: Cells, cells: Cells) -> None:
    for column in product:
        if plain_name(column) in _PHOTOS and (more := cells.get(column)) and more not in str(product[column]):
            product[column] = f"{product[column]}|{more}".strip("|")


def _collect(cells: Cells, product: Cells, options: dict[str, list[str]]) -> None:
    """Values of "Option1 Value" under the name that the product's first row gives."""
    by_name = {plain_name(c): v for c, v in cells.items() if str(c).lower().startswith("option")}
    first = {plain_name(c): v for c, v in product.items() if str(c).lower().startswith("option")}
    for number in "123":
        name, value = first.get(f"option{number} name"), by_name.get(f"option{number} value")
        if name and value and value not in options.setdefault(str(name), []):
            options[str(name)].append(str(value))


def _finished(product: RawRow, options: dict[str, list[str]]) -> RawRow:
    """An option is a fact of the product where all its variants share it; "Default Title" is no option."""
    facts = {name: values[0] for name, values in options.items() if len(values) == 1 and name != "Title"}
    if facts and "attributes" not in product.cells:
        product.cells["attributes"] = facts
    return product
