"""A store whose feed has days of clicks, orders and refunds, and models that are trained on its log."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from sqlalchemy import select

from app.cli.main import main
from app.store.tables import FeedEventRow, FeedItemRow, FeedPageRow, FeedRow, OrderRow
from tests.app.support.clients import published
from tests.app.support.shop import buy, visit
from tests.fakes import FakeIndex

DAYS = 8
SMALL = ["--set", "batch_rows=64", "--set", "mlp=[8,4]", "--set", "embedding=4", "--set", "threads=1"]


class Index(FakeIndex):
    """Vectors of about unit length, as encoders give; the fake's own would be no input for a model."""

    def vectors(self, listing_ids):
        # By the price, not by the random id: some draws leave a model without a live unit.
        rng = {i: np.random.default_rng(int(self.entries[i].price or 0)) for i in listing_ids if i in self.entries}
        return {i: (r.normal(size=1280) / 1280**0.5).tolist() for i, r in rng.items()}


def spread(services):
    """Pages of one minute become pages of eight days, each with what came of it; orders come hours later, refunds a
    day."""
    with services.store.write() as session:
        pages = session.scalars(select(FeedPageRow).order_by(FeedPageRow.at)).all()
        shift = {p.id: timedelta(days=DAYS - 1 - DAYS * n // len(pages)) for n, p in enumerate(pages)}
        rows = session.scalars(select(FeedRow)).all()
        of_row = {r.id: shift[r.page_id] for r in rows}
        for page in pages:
            page.at -= shift[page.id]
        for row in rows:  # as if things had been listed over the last days, too
            row.known = {**row.known, "item_age_h": 5.0 + row.known["item_id"] % 7 + row.position}
        for item in session.scalars(select(FeedItemRow)):
            item.known = {**item.known, "listed_ms": item.known["listed_ms"] - 9 * 86_400_000}
        for event in session.scalars(select(FeedEventRow)):
            event.at -= of_row[event.row_id]
        for order in session.scalars(select(OrderRow)):
            order.at += timedelta(hours=2) - of_row[order.row_id]
            if order.refunded_at is not None:
                order.refunded_at += timedelta(days=1) - of_row[order.row_id]


def busy_days(client, ads=()):
    """Sixty pages of seven visitors, with clicks, orders of stock that is deep, and a refund now and then."""
    listings = [published(client, price=10 + n) for n in range(8)]
    for n, listing in enumerate(listings):
        client.patch(f"/v1/listings/{listing['id']}", json={"stock": 1_000})
        if n in ads:
            client.put(f"/v1/listings/{listing['id']}/ad", json={"bid": 0.2 + 0.1 * n})
    return listings


def walk(client, listings, count=60):
    for n in range(count):
        wanted = [x for x in listings if (n + int(x["price"])) % 3 == 0]
        liked = [x["id"] for x in wanted]
        page = visit(client, f"v{n % 7}", click=liked)
        if n % 2 == 0:
            order = buy(client, wanted[0], f"v{n % 7}", f"k{n}", page_id=page["id"]).json()
            if n % 4 == 0:
                client.post(f"/v1/orders/{order['id']}/refund")


def commands(log, run, model, role, *more):
    train = ["recommend", "train", "--data", str(log), "--out", str(run), "--model", model, "--test-days", "1", *SMALL]
    assert main([*train, *more]) == 0, model
    assert main(["recommend", "evaluate", "--run", str(run), "--data", str(log)]) == 0, model
    assert main(["recommend", "install", "--run", str(run), "--role", role]) == 0, model
