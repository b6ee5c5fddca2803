"""The feed: what its models knew of each listing when it came, and what was considered for some of the pages."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "feed_items",
        sa.Column("item_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("known", sa.JSON, nullable=False),
    )
    op.create_table(
        "feed_candidates",
        sa.Column("page_id", sa.String(32), sa.ForeignKey("feed_pages.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("columns", sa.JSON, nullable=False),
    )
