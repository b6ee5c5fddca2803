"""A step of the set-up: a command whose output goes to a log and whose progress goes to stderr.

Standard library alone, because the environment that holds the packages is made with it too.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

from listing.errors import IplError

STEPS = 5
GUARD = Path(__file__).with_name("guard.py")
FULL_BYTES = 100 << 20
REPORT_SECONDS = 30
NO_NETWORK = re.compile(r"name resolution|failed to establish|max retries|connection (refused|reset|timed)", re.I)
REASON = re.compile(r"(?:ERROR|ipl|[A-Za-z.]*Error): ?|.*: No module named ")


class SetupError(IplError):
    """The set-up cannot go on; the message is one sentence that says what to do."""

    code = "setup-failed"


def say(text: str) -> None:
    """A line for the person, on stderr."""
    print(f"ipl: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def setting_up(lock: Path, remedy: str) -> Iterator[None]:
    """One set-up at a time, which a signal stops; the system frees the lock when its owner ends, however it ends.

    Raises:
        SetupError: the lock cannot be made (``remedy`` says what to do), or something cannot be written.
    """
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise SetupError(f"{lock} cannot be made: {remedy}.") from error
    try:
        with interruptible():
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("another ipl is setting up; waiting for it")
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
    except OSError as error:
        where, why = error.filename or lock.parent, error.strerror or error
        raise SetupError(f"{where} cannot be written ({why}); start again after that.") from error
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """A signal that ends programs stops the step that runs, and the program with status 128 + signal."""
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]

    def stop(number: int, _frame: FrameType | None) -> None:
        for n in numbers:  # the first one counts; what it starts must not be cut short
            signal.signal(n, signal.SIG_IGN)
        raise SystemExit(128 + number)

    before = {n: signal.signal(n, stop) for n in numbers}
    try:
        yield
    except SystemExit:
        say("set-up interrupted; the next start goes on from here")
        raise
    finally:
        for n, handler in before.items():
            signal.signal(n, handler)


def run_step(
    number: int, label: str, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> None:
    """Run a command to its end; it is stopped with everything that it started when this program ends before it.

    Raises:
        SetupError: it failed; the message ends with the reason and the log's path.
    """
    label, started = f"[{number}/{STEPS}] {label}", time.monotonic()
    say(f"{label} ...")
    guarded = [sys.executable, "-IS", str(GUARD), *command]
    settings = {**os.environ, **(environment or {})}
    try:
        output = log.open("wb")
    except OSError as error:
        raise SetupError(f"{log} cannot be written: free some space or set IPL_HOME to another folder.") from error
    with output:
        process = subprocess.Popen(
            guarded, stdin=subprocess.PIPE, stdout=output, stderr=output, start_new_session=True, env=settings
        )
        try:
            status = _follow(process, label, log)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    if status != 0:
        raise SetupError(f"{label} failed: {_reason(log, status)}")
    say(f"{label}: done in {time.monotonic() - started:.0f} s")


def _follow(process: subprocess.Popen[bytes], label: str, log: Path) -> int:
    """Show how long it has taken until it ends; returns the exit status."""
    seconds = 0
    while True:
        try:
            return process.wait(1.0)
        except subprocess.TimeoutExpired:
            seconds += 1
        if sys.stderr.isatty():
            print(f"\r\033[Kipl: {label} ... {seconds} s  {_last_line(log)}", end="", file=sys.stderr, flush=True)
        elif seconds % REPORT_SECONDS == 0:
            say(f"{label} ... {seconds} s")


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 400))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return "".join(c for c in lines[-1] if c.isprintable())[:48] if lines else ""


def _reason(log: Path, status: int) -> str:
    """Why a step failed, as the end of a sentence."""
    text = log.read_text("utf-8", "replace")
    full = any(shutil.disk_usage(folder).free < FULL_BYTES for folder in (log.parent, GUARD.parent))
    if full or "no space left on device" in text.lower():
        needed = "about 4 GB are needed, 8 with torch for CUDA"
        return f"the disk is full ({needed}). Free some space and start again; the log is {log}"
    if NO_NETWORK.search(text):
        return f"the packages cannot be reached. Check the network and start again; the log is {log}"
    reasons = [line for line in text.splitlines() if REASON.match(line)]
    reason = reasons[-1].removeprefix("ERROR: ").removeprefix("ipl: ").rstrip(".")[:200] if reasons else ""
    return f"{reason or f'exit status {status}'}. The log is {log}"


def logs_folder(home: Path) -> Path:
    """The folder of the steps' logs, made if it is missing. Raises SetupError: it cannot be."""
    try:
        for folder in (home, home / "logs"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"{home} cannot be written: set IPL_HOME to a folder of yours with 2 GB of space.") from error
    return home / "logs"
