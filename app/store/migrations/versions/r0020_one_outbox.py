"""One outbox with topics for index, changes, photos' files and notices; bids and candidates beside theirs."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
MOVED = {  # of what still waits; changes are of servers that run, and none does
    "outbox": "SELECT 'index', listing_id, NULL, at, at, 0 FROM outbox ORDER BY id",
    "photo_deletions": "SELECT 'photo', photo_id, NULL, at, at, 0 FROM photo_deletions",
}


def upgrade() -> None:
    connection = op.get_bind()
    op.create_table(
        "outbox_new",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("topic", sa.String(16), nullable=False),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("body", sa.JSON(none_as_null=True)),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sqlite_autoincrement=True,
    )
    for rows in MOVED.values():
        op.execute(f"INSERT INTO outbox_new (topic, key, body, at, due_at, tries) {rows}")
    _move_notices(connection)
    for name in ("outbox", "photo_deletions", "listing_changes", "notices"):
        op.drop_table(name)
    op.rename_table("outbox_new", "outbox")
    if connection.dialect.name == "postgresql":
        op.execute("ALTER SEQUENCE outbox_new_id_seq RENAME TO outbox_id_seq")
        op.execute("ALTER INDEX outbox_new_pkey RENAME TO outbox_pkey")
    for name, columns in (("key", ["key"]), ("at", ["at"]), ("topic_id", ["topic", "id"])):
        op.create_index(f"ix_outbox_{name}", "outbox", columns)
    op.add_column("listings", sa.Column("bid", sa.Float))
    op.execute("UPDATE listings SET bid = (SELECT ads.bid FROM ads WHERE ads.listing_id = listings.id)")
    op.drop_table("ads")
    op.add_column("feed_pages", sa.Column("candidates", sa.JSON(none_as_null=True)))
    op.execute(
        "UPDATE feed_pages SET candidates = (SELECT c.columns FROM feed_candidates c WHERE c.page_id = feed_pages.id)"
    )
    op.drop_table("feed_candidates")


def _move_notices(connection: sa.Connection) -> None:
    notices = sa.Table("notices", sa.MetaData(), autoload_with=connection)
    outbox = sa.Table("outbox_new", sa.MetaData(), autoload_with=connection)
    body = ("id", "kind", "listing_id", "order_id")
    for row in connection.execute(sa.select(notices).order_by(notices.c.at)).mappings().all():
        kept = {"at": row["at"], "due_at": row["due_at"], "tries": row["tries"], "key": row["recipient"]}
        told = {name: row[name] for name in body}
        connection.execute(outbox.insert().values(topic="notice", body=told, **kept))
