"""Who cancelled an order, the conversation about it, and who has blocked whom."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    # An archive of before is restored over tables of now, which have the columns.
    columns: list[tuple[str, sa.Column[Any]]] = [
        ("orders", sa.Column("cancelled_by", sa.String(16))),
        ("messages", sa.Column("order_id", sa.String(32), index=True)),
        ("messages", sa.Column("read_at", sa.DateTime(timezone=True))),
    ]
    for table, column in columns:
        if column.name not in {present["name"] for present in sa.inspect(op.get_bind()).get_columns(table)}:
            op.add_column(table, column)
    op.create_table(
        "blocks",
        sa.Column("blocker", sa.String(64), primary_key=True),
        sa.Column("blocked", sa.String(64), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.execute("UPDATE messages SET read_at = answered_at")  # nothing of before is news
