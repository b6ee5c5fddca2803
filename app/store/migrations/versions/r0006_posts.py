"""Posts, and what was shown of them in the feed."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.String(32)
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "posts",
        sa.Column("id", ID, primary_key=True),
        sa.Column("author_id", ID, sa.ForeignKey("sellers.id"), nullable=False, index=True),
        sa.Column("key", sa.String(200)),
        sa.Column("category", sa.String(64), nullable=False),
        sa.Column("topic", sa.String(16), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("photo_id", ID, nullable=False, unique=True),
        sa.Column("content", sa.JSON, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.UniqueConstraint("author_id", "key", name="uq_posts_author_key"),
    )
    op.create_table(
        "feed_post_rows",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("page_id", ID, sa.ForeignKey("feed_pages.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("post_id", ID, nullable=False, index=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("seen_at", TIME),
        sa.Column("clicked_at", TIME),
        sa.Column("known", sa.JSON, nullable=False),
        sa.Column("scores", sa.JSON, nullable=False),
    )
