"""The base of the recommender's errors. The package knows no other one; ``app.cli`` prints their sentences."""

from __future__ import annotations


class RecommendError(Exception):
    """Something cannot be done; the message is one sentence that says what to do instead.

    Attributes:
        exit_status: of a command: 2 when what the person gave is unusable, 1 when the work failed.
    """

    exit_status: int = 2
