"""The oldest schema that is brought up to date; a new store is made from ``app/store/tables.py`` at once."""

revision = "0007"
down_revision = None


def upgrade() -> None:
    """Nothing to do: whoever has it has it already."""
