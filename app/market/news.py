"""What waits for a seller: pieces to hand over, questions to answer."""

from __future__ import annotations

from sqlalchemy import func, select

from app.market.messages import QUESTION
from app.store.db import Store
from app.store.retention import STANDING
from app.store.tables import ListingRow, MessageRow, OrderRow


def count_news(store: Store, seller: str) -> int:
    """The number of orders that stand and of questions without an answer."""
    orders = select(func.count()).select_from(OrderRow).where(OrderRow.seller_id == seller, *STANDING)
    open_question = (MessageRow.kind == QUESTION, MessageRow.answer.is_(None))
    of_seller = MessageRow.listing_id.in_(select(ListingRow.id).where(ListingRow.seller_id == seller))
    questions = select(func.count()).select_from(MessageRow).where(*open_question, of_seller)
    with store.read() as session:
        return (session.scalar(orders) or 0) + (session.scalar(questions) or 0)
