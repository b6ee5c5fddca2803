"""Which store this is, photos to delete, versions of drafts and listings, sellers and ends of orders, tokens that end.

The order of a listing that has been deleted since has no seller any more; its row stays for its buyer. Tokens of the
earlier schema have no end and no fingerprint: where there is a password file they have to be made anew.
"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.String(32)
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    identity = op.create_table(
        "store_identity",
        sa.Column("id", ID, primary_key=True),
    )
    op.bulk_insert(identity, [{"id": secrets.token_hex(16)}])
    op.create_table(
        "photo_deletions",
        sa.Column("photo_id", ID, primary_key=True),
        sa.Column("at", TIME, nullable=False),
    )
    for table in ("drafts", "listings"):
        with op.batch_alter_table(table) as versioned:
            versioned.add_column(sa.Column("version", sa.Integer, nullable=False, server_default="0"))
    with op.batch_alter_table("orders") as orders:
        orders.add_column(sa.Column("seller_id", ID))
        orders.add_column(sa.Column("completed_at", TIME))
        orders.create_index("ix_orders_seller_id", ["seller_id"])
    listings = sa.table("listings", sa.column("id"), sa.column("seller_id"))
    placed = sa.table("orders", sa.column("listing_id"), sa.column("seller_id"))
    op.get_bind().execute(
        placed.update().values(
            seller_id=sa.select(listings.c.seller_id).where(listings.c.id == placed.c.listing_id).scalar_subquery()
        )
    )
    with op.batch_alter_table("tokens") as tokens:
        tokens.add_column(sa.Column("expires_at", TIME))
        tokens.add_column(sa.Column("fingerprint", sa.String(64), nullable=False, server_default=""))
