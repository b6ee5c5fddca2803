"""Drafts of which only photos are there are uploading; those that were stopped have a problem."""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.execute("UPDATE drafts SET state = 'uploading' WHERE state = 'stopped' AND problem_code IS NULL")
