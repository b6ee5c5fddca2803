"""Accounts: password, rights and the mark of cookies beside the name."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    # An archive of before is restored over tables of now, which have the columns.
    if "password" not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("sellers")}:
        op.add_column("sellers", sa.Column("password", sa.Text))
        op.add_column("sellers", sa.Column("operator", sa.Boolean, nullable=False, server_default=sa.false()))
        op.add_column("sellers", sa.Column("mark", sa.String(32), nullable=False, server_default=""))
