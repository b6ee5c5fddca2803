"""The one base of this project's errors, and what can go wrong with the index; every message says what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

# The command: the launcher in a copy of the repository, else what pip installed.
PROGRAM = "./ipl" if (Path(__file__).resolve().parents[1] / "ipl").is_file() else "ipl"


class IplError(Exception):
    """Something cannot be done; the message is a sentence that says what to do instead, ``./ipl`` as it is called here.

    The command line prints the sentence and ends with ``exit_status``; the API answers with ``http_status`` and
    ``code``, a short name for programs. A subclass sets the three where they differ; ``code`` may also be given.
    """

    code: str = "failed"
    exit_status: int = 1
    http_status: int = 500

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(re.sub(r"(?<!\.)\./ipl(?![\w/-])", PROGRAM, message))
        if code is not None:
            self.code = code


class IndexFailure(IplError, RuntimeError):
    """The index cannot be used."""

    code = "index-failed"
    http_status = 503


class IndexMissing(IndexFailure):
    """There is no finished index at that location."""


class IndexBusy(IndexFailure):
    """Another process has the folder open."""


class IndexMismatch(IndexFailure):
    """The index was built by another model or another version of its format."""


class IndexDamaged(IndexFailure):
    """Files of the index in a folder are damaged or missing; only building it again helps."""


class IndexUnreachable(IndexFailure):
    """The server does not answer."""


class BadRecord(IplError, ValueError):
    """A record cannot be indexed: contact data in it, vectors of a wrong size, an unusable id."""

    exit_status = 2
    code = "bad-record"
    http_status = 422


def did_you_mean(name: str, valid: Iterable[str], otherwise: str = "") -> str:
    """``did you mean 'x'?`` with the valid name nearest to ``name``, in any case; ``otherwise`` where none is near."""
    lower = {str(v).lower(): v for v in valid}
    near = get_close_matches(str(name).lower(), lower, n=1, cutoff=0.5)
    return f"did you mean {lower[near[0]]!r}?" if near else otherwise
