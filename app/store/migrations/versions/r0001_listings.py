"""Sellers, drafts with their edits, listings, photos, assistant events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.String(32)
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _people()
    _drafts()
    _listings()


def _people() -> None:
    op.create_table(
        "sellers",
        sa.Column("id", ID, primary_key=True),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("created_at", TIME, nullable=False),
    )
    op.create_table(
        "tokens",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("seller_id", ID, sa.ForeignKey("sellers.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
    )


def _drafts() -> None:
    op.create_table(
        "drafts",
        sa.Column("id", ID, primary_key=True),
        sa.Column("seller_id", ID, sa.ForeignKey("sellers.id"), nullable=False, index=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("tone", sa.String(16), nullable=False),
        sa.Column("generated", sa.JSON),
        sa.Column("problem_code", sa.String(32)),
        sa.Column("problem", sa.Text),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
    )
    op.create_table(
        "edits",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("draft_id", ID, sa.ForeignKey("drafts.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("field", sa.String(64), nullable=False),
        sa.Column("value", sa.Text),
        sa.Column("at", TIME, nullable=False),
    )


def _listings() -> None:
    op.create_table(
        "listings",
        sa.Column("id", ID, primary_key=True),
        sa.Column("seller_id", ID, sa.ForeignKey("sellers.id"), nullable=False, index=True),
        sa.Column("draft_id", ID),
        sa.Column("status", sa.String(16), nullable=False, index=True),
        sa.Column("category", sa.String(64), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("attributes", sa.JSON, nullable=False),
        sa.Column("price", sa.Float),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("stock", sa.Integer, nullable=False),
        sa.Column("condition", sa.Text),
        sa.Column("origin", sa.String(16), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("published_at", TIME),
    )
    op.create_table(
        "photos",
        sa.Column("id", ID, primary_key=True),
        sa.Column("seller_id", ID, sa.ForeignKey("sellers.id"), nullable=False, index=True),
        sa.Column("draft_id", ID, index=True),
        sa.Column("listing_id", ID, index=True),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("phash", sa.String(16), nullable=False),
    )
    op.create_table(
        "assistant_events",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(16), nullable=False, index=True),
        sa.Column("seller_id", ID, nullable=False),
        sa.Column("draft_id", ID, index=True),
        sa.Column("listing_id", ID),
        sa.Column("field", sa.String(64)),
        sa.Column("at", TIME, nullable=False),
    )
