"""When a store was last in use, by which a clock that jumps is noticed."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    # An archive of before is restored over tables of now, which have the columns.
    present = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("store_identity")}
    for name in {"noted_at", "ahead_since"} - present:
        op.add_column("store_identity", sa.Column(name, sa.DateTime(timezone=True)))
    op.execute("UPDATE store_identity SET noted_at = (SELECT max(updated_at) FROM drafts)")
