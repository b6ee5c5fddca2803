"""The commands: ``register(parser)`` adds a command's options, ``run(args) -> int`` does the work.

``main`` has the table of commands and names each one's module; ``data`` holds several.

Importing such a module needs nothing outside the standard library, so that ``--help`` is instant and works before the
set-up; whatever is heavy is imported inside ``run``.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

from listing.errors import IplError


class CommandError(IplError):
    """The command cannot go on; one sentence says what to do. Exit status 2: what was given is unusable."""

    def __init__(self, message: str, exit_status: int = 1) -> None:
        super().__init__(message)
        self.exit_status = exit_status


def number(kind: type[float], least: float, most: float = math.inf) -> Callable[[str], float]:
    """Reads an option's number, an ``int`` or a ``float``, that is neither below ``least`` nor above ``most``."""

    def read(text: str) -> float:
        value = kind(text)
        if not least <= value <= most:
            bounds = f"from {least:g} to {most:g}" if most < math.inf else f"of {least:g} or more"
            raise argparse.ArgumentTypeError(f"must be a number {bounds}")
        return value

    read.__name__ = "number"  # argparse names it when the text is none
    return read
