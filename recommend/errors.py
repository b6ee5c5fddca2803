"""The base of the recommender's errors. The package knows no other one; ``app.cli`` prints their sentences."""

from __future__ import annotations


def first_line(error: Exception) -> str:
    """What an error of another library says, for a sentence of our own."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


class RecommendError(Exception):
    """Something cannot be done; the message is one sentence that says what to do instead.

    Attributes:
        exit_status: of a command: 2 when what the person gave is unusable, 1 when the work failed.
    """

    exit_status: int = 2
