"""A buyer's search words and filters: read leniently, each mistake named at its field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlencode

from app.editing.edits import category_name, clean_text
from app.editing.prices import parse_price
from app.market.search.conditions import Wish
from app.market.search.query import TURNABLE
from app.market.shop import Order
from app.seller import words
from app.views import AppError

FIELDS = ("q", "category", "from", "to", "size", "colour", "brand", "condition", "sort", "exact", "off")
NARROWING = ("category", "from", "to", "size", "colour", "brand", "condition")
ORDERS: dict[str, Order] = {"new": "new", "low": "low", "high": "high"}
ORDER_LABELS = {"new": "Newest first", "low": "Lowest price first", "high": "Highest price first"}
BETWEEN = "The lowest price lies above the highest; change one of them."
MAX_PAGE = 1_000
_MAX_TYPED, _MAX_QUERY = 1_000, 20_000
T = TypeVar("T")


@dataclass(frozen=True)
class Filters:
    """typed: what stands in the fields. problems: a sentence by field, which then counts as empty."""

    typed: Mapping[str, str]
    wish: Wish
    problems: Mapping[str, str]
    page: int

    @property
    def searching(self) -> bool:
        """True where anything is looked for; else the feed is shown."""
        return any(self.typed.values())

    @property
    def count(self) -> int:
        """Number of filters that are set."""
        return sum(bool(self.typed[name]) for name in NARROWING)

    @property
    def order(self) -> Order:
        """Order of what is found; "" for the best first."""
        return ORDERS.get(self.typed["sort"], "")

    @property
    def chips(self) -> list[tuple[str, str]]:
        """The filters that are set: their names and what people say."""
        return [(name, self._said(name)) for name in NARROWING if self.typed[name]]

    def _said(self, name: str) -> str:
        value = self.typed[name]
        said = {
            "category": words.category_label(self.wish.category or value),
            "from": f"From {value}",
            "to": f"Up to {value}",
            "size": f"Size {value}",
        }
        return said.get(name) or words.sentence(words.value_label(value))

    def without(self, name: str) -> str:
        """Address of the same without a filter."""
        return replace(self, typed={**self.typed, name: ""}).address(1)

    def without_reading(self, name: str) -> str:
        """Address of the same where the words that were read as such a limit are passed over."""
        off = " ".join(sorted({*self.wish.off, name}))
        return replace(self, typed={**self.typed, "off": off}).address(1)

    def address(self, page: int, **more: str) -> str:
        """Address of another page of the same."""
        filled = {name: value for name, value in self.typed.items() if value}
        return "/feed?" + urlencode({**filled, **({"page": str(page)} if page > 1 else {}), **more})


def read(fields: Mapping[str, Any]) -> Filters:
    """The filters of a query or a form; what is no text, or not a field, is passed over."""
    typed = {name: _text(fields.get(name)) for name in FIELDS}
    typed["sort"] = ORDERS.get(typed["sort"], "")
    off = frozenset(typed["off"].split()).intersection(TURNABLE) if typed["q"] else frozenset()
    typed["off"] = " ".join(sorted(off))
    typed["exact"] = "1" if typed["exact"] and typed["q"] else ""
    problems: dict[str, str] = {}

    def tried(name: str, parse: Callable[[str], T], instead: T) -> T:
        try:
            return parse(typed[name]) if typed[name] else instead
        except AppError as error:
            problems[name] = str(error)
            return instead

    wish = Wish(
        text=typed["q"],
        category=tried("category", partial(category_name, listed=True), ""),
        least=tried("from", parse_price, None),
        most=tried("to", parse_price, None),
        size=typed["size"],
        colour=typed["colour"],
        brand=typed["brand"],
        condition=typed["condition"],
        off=off,
        exact=bool(typed["exact"]),
    )
    if wish.least is not None and wish.most is not None and wish.least > wish.most:
        problems["to"] = BETWEEN
        wish = replace(wish, least=None, most=None)
    page = _text(fields.get("page"))
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 6 else 1
    return Filters(typed, wish, problems, min(max(number, 1), MAX_PAGE))


def _text(value: object) -> str:
    return clean_text(value[:_MAX_TYPED], _MAX_TYPED, "") if isinstance(value, str) else ""
