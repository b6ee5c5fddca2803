"""The draft as its seller sees it, stored with each version; who wrote its texts, and in which tone."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
EMBEDDED = "ipl-mini"  # what renders its texts; those of any other model are its own


def upgrade() -> None:
    connection = op.get_bind()
    # An archive of before is restored over tables of now, which have the column.
    if "settled" not in {column["name"] for column in sa.inspect(connection).get_columns("drafts")}:
        op.add_column("drafts", sa.Column("settled", sa.JSON(none_as_null=True)))
    kept: sa.Column[dict[str, object]] = sa.Column("generated", sa.JSON(none_as_null=True))
    drafts = sa.table("drafts", sa.column("id"), sa.column("tone"), sa.column("generated", kept.type))
    rows = connection.execute(sa.select(drafts).where(drafts.c.generated.is_not(None))).all()
    for draft_id, tone, generated in rows:
        rendered = str(generated.get("model", "")).partition("@")[0] == EMBEDDED
        writer = "renderer" if rendered or not generated.get("spans") else "model"
        told = {"schema_version": 3, "tone": tone, "writer": {"title": writer, "description": writer}}
        changed = sa.update(drafts).where(drafts.c.id == draft_id).values(generated={**generated, **told})
        connection.execute(changed)
