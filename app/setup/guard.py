"""Runs a command that ends when the program that started it ends, however that happens.

``python guard.py COMMAND...`` in a session of its own, with a pipe as standard input that its parent holds open: once
the pipe closes, the whole process group is killed. Exit status: the command's, or 128 + the signal that ended it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def _end_with_parent() -> None:
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)


def main(command: list[str]) -> int:
    """Run the command; returns its exit status."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    status = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
