"""The time by which things are too old to keep: it goes on with servers' running time, not with a clock that jumps."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
COLUMNS: dict[str, sa.types.TypeEngine[Any]] = {
    "trusted_at": sa.DateTime(timezone=True),
    "due_at": sa.DateTime(timezone=True),
    "ahead": sa.Float(),
}


def upgrade() -> None:
    # An archive of before is restored over tables of now, which have the columns.
    present = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("store_identity")}
    for name, kind in COLUMNS.items():
        if name not in present:
            op.add_column("store_identity", sa.Column(name, kind))
    if "ahead_since" in present:
        op.drop_column("store_identity", "ahead_since")
    op.execute("UPDATE store_identity SET trusted_at = noted_at")
