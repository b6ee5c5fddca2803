"""The price range: its comparables by brand, category and group, their weights, what is left out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from rag_index import IndexRecord, ListingIndex, PriceBasis, Query, build, comparable_prices, price_range
from rag_index import index as index_module
from rag_index.storage import parts as parts_module
from tests.rag_index.listings import INFO, make

TOPS = ("Hoodie", "Longsleeve", "Shirt")
ITEM = Query(seller_id="me", category="Hoodie")


def priced(first: int, prices: list[float], **changes: Any) -> list[IndexRecord]:
    """Hoodies with these prices, numbered from ``first``."""
    fields = {"category": "Hoodie", "currency": "EUR", "attributes": {"colour": "blue"}, **changes}
    return [make(n, **{"price": p, **fields}) for n, p in enumerate(prices, first)]


def some(records: list[IndexRecord], **changes: Any) -> PriceBasis:
    """The range, which there is."""
    basis = price_range(records, **changes)
    assert basis is not None
    return basis


@pytest.fixture
def index(location: str) -> Iterator[ListingIndex]:
    """A folder's or a server's, without a listing."""
    build([], location, INFO)
    with ListingIndex.open(location, INFO) as opened:
        yield opened


def test_comparables_widen_from_brand_to_category_to_group(index: ListingIndex) -> None:
    index.add(priced(0, [20, 22, 24], category="Longsleeve"))
    assert comparable_prices(index, ITEM, "Nike") is None
    group = comparable_prices(index, ITEM, "Nike", TOPS)
    assert group is not None
    assert (group.scope, group.count, group.mid) == ("group", 3, 22)
    index.add(priced(10, [30, 32, 34]))
    category = comparable_prices(index, ITEM, "Nike", TOPS)
    assert category is not None
    assert (category.scope, category.count, category.mid) == ("category", 3, 32)
    index.add(priced(20, [40, 42, 44, 46, 48], attributes={"brand": "NIKE"}))
    brand = comparable_prices(index, ITEM, "Nike", TOPS)
    assert brand is not None
    assert (brand.scope, brand.count, brand.mid) == ("category and brand", 5, 44)
    other = comparable_prices(index, ITEM, "Adidas", TOPS)
    assert other is not None
    assert (other.scope, other.count) == ("category", 8)


def test_own_listings_and_same_photos_do_not_count(index: ListingIndex) -> None:
    records = priced(0, [10, 12, 14])
    index.add([*records, *priced(10, [90, 95, 99], seller_id="me")])
    basis = comparable_prices(index, ITEM)
    assert basis is not None
    assert basis.listing_ids == ("l2", "l1", "l0")
    same = Query(phashes=records[0].phashes, seller_id="me", category="Hoodie")
    assert comparable_prices(index, same) is None


@pytest.mark.parametrize("changes", [{"origin": "sample"}, {"currency": None}, {"price": None}, {"price": 0.0}])
def test_what_tells_no_price(index: ListingIndex, changes: dict[str, object]) -> None:
    index.add([r.model_copy(update=changes) for r in priced(0, [10, 12, 14])])
    assert index.priced(["Hoodie"]) == []


def test_removed_price_or_brand_is_gone(index: ListingIndex) -> None:
    index.add(priced(0, [10, 12, 14], attributes={"brand": "Nike"}))
    assert len(index.priced(["Hoodie"], "nike")) == 3
    index.add(priced(0, [10, 12, 14]))
    assert index.priced(["Hoodie"], "nike") == []
    index.add([r.model_copy(update={"price": None}) for r in priced(0, [10, 12, 14])])
    assert index.priced(["Hoodie"]) == []


def test_newest_listings_count_without_text_or_photo(index: ListingIndex) -> None:
    index.add(priced(0, [10] * 30))
    index.add(priced(30, [50] * 5, image_vectors=[], phashes=[]))
    ids = [r.listing_id for r in index.priced(["Hoodie"], limit=7)]
    assert ids == ["l34", "l33", "l32", "l31", "l30", "l29", "l28"]
    index.add(priced(40, [60], text_vector=None, image_vectors=make(1).image_vectors * 2, phashes=["0" * 16] * 2))
    assert len(index.priced(["Hoodie"])) == 36


def test_an_index_of_before_counts_its_prices_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was built when rows did not say whether they carry a price."""

    def rows_of_before(records: Any) -> Any:
        for rows in (built := to_rows(records)):
            for _, _, metadata in rows:
                record = json.loads(metadata["record"])
                metadata["record"] = json.dumps({k: v for k, v in record.items() if k != "listed_on"})
                del metadata["priced"], metadata["priced_brand"]
        return built

    to_rows = index_module.to_rows
    with monkeypatch.context() as earlier:
        earlier.setattr(index_module, "to_rows", rows_of_before)
        earlier.setattr(parts_module, "PRICED", "of another time")
        build(priced(0, [10, 12, 14], attributes={"brand": "Nike"}), tmp_path / "index", INFO)
    with ListingIndex.open(tmp_path / "index", INFO) as opened:
        opened.add(priced(10, [16, 18]) + priced(20, [1, 2, 3], origin="sample"))
        assert len(opened.priced(["Hoodie"])) == 5
        assert len(opened.priced(["Hoodie"], "nike", limit=2)) == 2
        opened.rebuild()
        assert len(opened.priced(["Hoodie"])) == 5, "marked from now on"


def test_sold_ones_count_double_and_outliers_for_nothing() -> None:
    listed, sold = priced(0, [16.0, 17, 18, 19, 20, 21, 22, 23]), priced(10, [10.0, 11, 12, 13, 14], sold=True)
    unsold = [r.model_copy(update={"sold": False}) for r in sold]
    mids = [some(records).mid for records in (listed, listed + unsold, listed + sold)]
    assert mids == [19.5, 17, 14]
    assert some(listed + sold).count == 13
    assert some(priced(0, [10, 12, 14, 16, 18])) == some(priced(0, [10, 12, 14, 16, 18, 900]))
    assert price_range(priced(0, [10, 11, 900])) is None, "two are left"
    few, many = some(priced(0, [10, 12, 14])), some(priced(0, [10, 12, 14] * 20))
    assert few.low < 10, "few make a wider range than many"
    assert few.high > 14
    assert (many.low, many.mid, many.high) == (10, 12, 14)


def test_nearest_then_sold_are_named() -> None:
    records = priced(0, [12.0] * 20, listed_on=date(2026, 5, 1))
    records[15] = records[15].model_copy(update={"sold": True, "listed_on": date(2026, 1, 1)})
    basis = some(records, nearest=["l99", "l7", "l3"])
    assert basis.listing_ids[:4] == ("l7", "l3", "l15", "l0")
    assert len(basis.listing_ids) == 12
    assert (basis.oldest, basis.newest) == (date(2026, 1, 1), date(2026, 5, 1))
    assert some(priced(0, [12.0] * 3)).oldest is None


@pytest.mark.parametrize(("price", "low", "high"), [(0.99, 0.99, 0.99), (12.3, 12, 12.5), (1237, 1200, 1250)])
def test_ends_are_named_as_people_name_prices(price: float, low: float, high: float) -> None:
    basis = some(priced(0, [price] * 3))
    assert (basis.low, basis.high) == (low, high)
