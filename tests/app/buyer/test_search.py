"""What buyers type into the search of the page, and which listings stand there, the best first."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import event

from app.store.clock import now
from app.store.tables import ListingRow

pytestmark = pytest.mark.stores


@pytest.fixture
def search(services, me, client):
    """Puts listings on sale, by id as (category, title, price, facts); gives the ids that a search shows."""

    def put(**goods):
        with services.store.write() as session:
            for name, (category, title, price, facts) in goods.items():
                about = {"category": category, "title": title, "description": "", "attributes": facts, "price": price}
                session.add(ListingRow(id=name, seller_id=me, currency="EUR", published_at=now(), **about))
        return lambda q, **more: re.findall(
            r'data-listing="([^"]+)"', client.get("/feed", params={"q": q, **more}).text
        )

    return put


def test_the_work_of_a_search_does_not_grow_with_its_words(search, services):
    found = search(one=("Hat", "A hat", 5, {}))
    most = 0

    def count(connection, cursor, statement, *_):
        nonlocal most
        most = max(most, statement.upper().count(" LIKE ") + statement.upper().count(" ILIKE "))

    event.listen(services.store.engine, "before_cursor_execute", count)
    found(" ".join(f"{a}{b}" for a in "bcdfghjklm" for b in "nopqrstvwx"))
    assert 0 < most <= 80
