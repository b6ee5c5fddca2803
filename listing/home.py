"""Where everything that is made on this machine lives: models, wheels, index, store."""

from __future__ import annotations

import os
from pathlib import Path


def ipl_home() -> Path:
    """``$IPL_HOME``, else ``$XDG_CACHE_HOME/ipl``, else ``~/.cache/ipl`` (the launcher follows the same rule)."""
    named = os.environ.get("IPL_HOME")
    if named:
        return Path(named).expanduser().resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "ipl"
