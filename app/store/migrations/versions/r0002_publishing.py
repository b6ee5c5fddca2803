"""Publishing that heals: an outbox for the index, idempotency keys, the generated text beside the published one.

Listings of the first schema have their generated text in their draft; it is copied, so that figures reach back.
Every one of them is put into the outbox, so that the index is brought up to date on the next start.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.String(32)
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("listing_id", ID, nullable=False, index=True),
        sa.Column("at", TIME, nullable=False),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("seller_id", ID, primary_key=True),
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("listing_id", ID, nullable=False, index=True),
        sa.Column("draft_id", ID, nullable=False),
        sa.Column("at", TIME, nullable=False),
    )
    _one_listing_a_draft()
    with op.batch_alter_table("listings") as listings:
        listings.add_column(sa.Column("generated", sa.JSON))
        listings.add_column(sa.Column("published", sa.JSON))
        listings.create_unique_constraint("uq_listings_draft_id", ["draft_id"])
    _fill()


def _one_listing_a_draft() -> None:
    """The first schema let a draft be published twice; only its first listing keeps the link."""
    listings = sa.table("listings", sa.column("id"), sa.column("draft_id"), sa.column("created_at"))
    connection = op.get_bind()
    seen: set[str] = set()
    for row in connection.execute(sa.select(listings).order_by(listings.c.created_at, listings.c.id)).all():
        if row.draft_id in seen:
            connection.execute(listings.update().where(listings.c.id == row.id).values(draft_id=None))
        elif row.draft_id is not None:
            seen.add(row.draft_id)


def _fill() -> None:
    listings = sa.table(
        "listings",
        *(sa.column(name) for name in ("id", "draft_id", "category", "title", "description", "created_at")),
        sa.column("attributes", sa.JSON),
        sa.column("generated", sa.JSON),
        sa.column("published", sa.JSON),
    )
    drafts = sa.table("drafts", sa.column("id"), sa.column("generated", sa.JSON))
    connection = op.get_bind()
    connection.execute(
        listings.update().values(
            generated=sa.select(drafts.c.generated).where(drafts.c.id == listings.c.draft_id).scalar_subquery()
        )
    )
    for row in connection.execute(sa.select(listings)).mappings().all():
        published = {name: row[name] for name in ("category", "title", "description", "attributes")}
        connection.execute(listings.update().where(listings.c.id == row["id"]).values(published=published))
    outbox = sa.table("outbox", sa.column("listing_id"), sa.column("at"))
    connection.execute(
        outbox.insert().from_select(["listing_id", "at"], sa.select(listings.c.id, listings.c.created_at))
    )
