"""The feed: numbers for its logs, pages that were shown, clicks and carts, orders, ads."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.String(32)
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "feed_numbers",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.UniqueConstraint("kind", "key", name="uq_feed_numbers_kind_key"),
    )
    op.create_table(
        "ads",
        sa.Column("listing_id", ID, sa.ForeignKey("listings.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("bid", sa.Float, nullable=False),
        sa.Column("at", TIME, nullable=False),
    )
    op.create_table(
        "feed_pages",
        sa.Column("id", ID, primary_key=True),
        sa.Column("visitor", sa.Integer, nullable=False, index=True),
        sa.Column("at", TIME, nullable=False, index=True),
        sa.Column("known", sa.JSON, nullable=False),
        sa.Column("models", sa.JSON, nullable=False),
    )
    op.create_table(
        "feed_rows",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("page_id", ID, sa.ForeignKey("feed_pages.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("listing_id", ID, nullable=False, index=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("seen_at", TIME),
        sa.Column("known", sa.JSON, nullable=False),
        sa.Column("scores", sa.JSON, nullable=False),
    )
    op.create_table(
        "feed_events",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("row_id", sa.Integer, sa.ForeignKey("feed_rows.id", ondelete="CASCADE"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.UniqueConstraint("row_id", "kind", name="uq_feed_events_row_kind"),
    )
    op.create_table(
        "orders",
        sa.Column("id", ID, primary_key=True),
        sa.Column("buyer", sa.String(64), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("listing_id", ID, nullable=False, index=True),
        sa.Column("row_id", sa.Integer),
        sa.Column("amount", sa.Float),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("refunded_at", TIME),
        sa.UniqueConstraint("buyer", "key", name="uq_orders_buyer_key"),
    )
