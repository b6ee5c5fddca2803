"""One module a command: ``register(parser)`` adds its options, ``run(args) -> int`` does the work.

Importing such a module needs nothing outside the standard library, so that ``--help`` is instant and works before the
set-up; whatever is heavy is imported inside ``run``.
"""

from __future__ import annotations

from listing.errors import IplError


class CommandError(IplError):
    """The command cannot go on; the message is one sentence that says what to do.

    Args:
        message: the sentence.
        exit_status: 2 when what the person gave is unusable, 1 when the work failed.
    """

    def __init__(self, message: str, exit_status: int = 1) -> None:
        super().__init__(message)
        self.exit_status = exit_status
