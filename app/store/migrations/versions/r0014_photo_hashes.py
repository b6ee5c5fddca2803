"""The SHA-256 of each photo's file. Files of before are read by the server once it runs (``Media.note_hashes``)."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("photos", sa.Column("sha256", sa.String(64)))
