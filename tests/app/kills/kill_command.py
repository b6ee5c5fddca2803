"""``ipl backup`` or ``restore`` in a process of its own that kills itself before its N-th change of the disk.

``python tests/app/kills/kill_command.py``: for each line of JSON on stdin, such as
``{"arguments": ["IPL_HOME", "/home", "backup", "b.tar"], "kill": 3, "only": ["os.rename"]}``, a process is forked
in which the command runs; variables of the environment come before it. The answer is its exit status (-9: killed). What
takes long are the imports, which are made once.
"""

from __future__ import annotations

import json
import os
import signal
import sys

import alembic.command  # noqa: F401  # the command imports these
import psycopg  # noqa: F401

import app.cli.data
import app.store.backup.restore  # noqa: F401
from app.cli.main import main as ipl

CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "shutil.rmtree", "subprocess.Popen", "open")


def kill_before(number: int, only: list[str]) -> None:
    """Kill this process before that change of the disk; opening a file counts when it is opened to be written."""
    left = [number]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event not in (only or CHANGES):
            return
        if event == "open" and not set(str(arguments[1])) & set("wxa") and not int(arguments[2] or 0) & os.O_CREAT:  # type: ignore[call-overload]
            return
        if "/proc/" in str(arguments[0]) or "__pycache__" in str(arguments[0]):
            return
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def run(order: dict[str, object]) -> int:
    child = os.fork()
    if child == 0:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # stdout is for the answers
        arguments = [str(a) for a in order["arguments"]]  # type: ignore[attr-defined]
        while arguments[0].isupper():  # variables come first, each with its value
            name, value, *arguments = arguments
            os.environ[name] = value
        kill_before(int(order["kill"]), list(order["only"]))  # type: ignore[call-overload]
        os._exit(ipl(arguments))
    status = os.waitpid(child, 0)[1]
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)
