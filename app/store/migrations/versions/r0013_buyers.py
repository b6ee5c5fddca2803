"""Searches that buyers save, and the ids of sellers' public pages."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    connection = op.get_bind()
    op.create_table(
        "saved_searches",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False, index=True),
        sa.Column("wish", sa.JSON, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
    )
    # An archive of before is restored over tables of now, which have the column.
    if "public_id" not in {column["name"] for column in sa.inspect(connection).get_columns("sellers")}:
        op.add_column("sellers", sa.Column("public_id", sa.String(16)))
        op.create_index("ix_sellers_public_id", "sellers", ["public_id"], unique=True)
    new = ["status", "published_at"]
    op.create_index("ix_listings_status_published_at", "listings", new, if_not_exists=True)
    sellers = sa.table("sellers", sa.column("id"), sa.column("public_id"))
    for seller_id in connection.scalars(sa.select(sellers.c.id).where(sellers.c.public_id.is_(None))).all():
        named = sa.update(sellers).where(sellers.c.id == seller_id)
        connection.execute(named.values(public_id=secrets.token_hex(8)))
