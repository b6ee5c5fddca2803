"""Listings that a person has to look at before they go live."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "reviews",
        sa.Column("listing_id", sa.String(32), sa.ForeignKey("listings.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("words", sa.JSON, nullable=False),
        sa.Column("status_after", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
    )
