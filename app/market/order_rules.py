"""What orders forbid their listing. Both checks need the listing's row locked: orders are only made under that lock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store.retention import STANDING
from app.store.tables import ListingRow, OrderRow
from app.views import AppError

ON_SALE = ("active", "reserved")


def check_change(session: Session, row: ListingRow, changes: Mapping[str, Any]) -> None:
    """A piece that was sold by an order does not come back while the order stands, that is until it is refunded.

    Raises:
        AppError: it would (409, code ``order_stands``).
    """
    if row.stock > 0:
        return
    status = changes.get("status", row.status)
    if changes.get("stock", 0) == 0 and (status == row.status or status not in ON_SALE):
        return
    standing = select(OrderRow.id).where(OrderRow.listing_id == row.id, OrderRow.refunded_at.is_(None)).limit(1)
    if session.scalar(standing) is not None:
        raise AppError(
            "order_stands",
            "This was bought; refund the order before you sell it again, or write a new listing for another piece.",
            409,
        )


def check_delete(session: Session, row: ListingRow) -> None:
    """A listing stays until its orders are handed over or refunded.

    Raises:
        AppError: one is open (409, code ``open_orders``).
    """
    if session.scalar(select(OrderRow.id).where(OrderRow.listing_id == row.id, *STANDING).limit(1)) is not None:
        raise AppError(
            "open_orders", "This listing has open orders; complete or refund them first, then delete it.", 409
        )
