"""Without the searches that buyers saved."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.drop_table("saved_searches", if_exists=True)
