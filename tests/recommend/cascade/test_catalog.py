"""What is on sale, who visits, and the columns of a request."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from recommend.cascade.catalog import REST, Catalog
from recommend.cascade.request import FEED, HOUR_MS, columns
from recommend.cascade.visitors import Visitors
from recommend.data.schema import columns as schema_columns
from tests.recommend.support.feed import NOW, SIZE, item


def test_pieces_are_sold_once_whoever_asks_at_once():
    for pieces in (1, 3):
        catalog = Catalog(SIZE)
        catalog.put(item(7, stock=pieces))
        start, sold = threading.Barrier(24), []

        def buy(catalog=catalog, start=start, sold=sold) -> None:
            start.wait()
            sold.append(catalog.take(7))

        threads = [threading.Thread(target=buy) for _ in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(sold) == pieces
        assert 7 not in catalog


def test_a_change_keeps_counters_and_rows_rest():
    catalog = Catalog(SIZE)
    row = catalog.put(item(1))
    catalog.add_impressions([1, 99], 5)
    catalog.clicked([1], 9)
    assert catalog.put(item(1, price=5.0)) == row
    assert [int(catalog.get(n, np.array([row]))[0]) for n in ("impressions", "clicks", "first_click_ms")] == [1, 1, 9]
    assert catalog.get("price", np.array([row]))[0] == 5.0
    catalog.remove(1)
    assert not catalog.on_sale(np.array([row]))[0]
    assert catalog.put(item(2)) != row  # a request that still points at the row must not meet another thing
    for other in range(10, 10 + REST):
        catalog.put(item(other))
        catalog.remove(other)
    assert catalog.put(item(3)) == row
    assert int(catalog.get("impressions", np.array([row]))[0]) == 0
    with pytest.raises(ValueError, match="16 numbers"):
        catalog.put(item(4, content=[1.0]))


def test_a_request_has_every_column_known_then():
    catalog, visitors = Catalog(SIZE), Visitors()
    rows = np.array([catalog.put(item(i)) for i in (1, 2, 3)])
    visitors.clicked(5, 2, catalog, NOW.time_ms - HOUR_MS)
    request = columns(catalog, rows, visitors.get(5), NOW, FEED)
    of_log = {"impression_id", "request_id", "policy", "position", "propensity"}  # kept by the log, read by no model
    assert set(schema_columns("impression", "request")) - of_log <= set(request)
    assert request["history_item"].values.tolist() == [2, 2, 2]
    assert request["history_age_h"].values.tolist() == [1.0, 1.0, 1.0]
    assert request["hour"].tolist() == [13, 13, 13]
