"""Mixed traffic against a real ``ipl serve``: steady, far too much, and steady again::

    python -m benchmarks.serving.load [--minutes 10] [--visits 2] [--sells 0.02] [--overload 200]
    python -m benchmarks.serving.load --servers 2 --kill [--searches 0.5]

A visit is a page of the feed, the events on it and now and then an order; a sale is a photo, the draft that the real
model writes of it, its publishing, a change and a search; the operator looks at health, metrics and a table. Rates are
a second, kept by locust whatever the server does (up to one open visit for each person). The server runs on a home of
its own with ``--listings`` items on sale. Prints JSON lines: by phase and route calls, p50 and p99 in milliseconds,
refusals (429) and errors; then the server's resident memory and how fast it grew in the second half of the steady
phase. Exit status 1: an error, a refusal at the steady rate, a 429 without Retry-After, no refusal under overload, or
memory that grows by more than ``--most-mb-a-minute``. With ``--kill`` one of several servers is killed by SIGKILL in
the middle of the steady phase and started again; people try once more what nobody answered, and at the end all that was
confirmed has to be in the database, and nothing sold twice.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import gevent
import locust  # first of all: it makes sockets and processes cooperative
import numpy as np
import psutil

from benchmarks.common import arguments, percentiles, verdict
from benchmarks.serving.load_people import Notes, people
from benchmarks.serving.real_server import environment, served
from benchmarks.serving.several_servers import Several, proxied
from benchmarks.serving.stock import fill
from listing.home import ipl_home

PARTS = 10


@contextmanager
def server(listings: int) -> Iterator[tuple[str, list[int]]]:
    """(address, [process id]) of ``ipl serve`` on a home of its own, with the models and the index of the usual one."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        variables = environment(home)
        shutil.copytree(ipl_home() / "index", home / "index")
        fill(home, listings, seed=0)
        with served(variables, Path(folder) / "log") as (url, pid):
            yield url, [pid]


class Watch:
    """(seconds since the start, megabytes) of the processes' resident memory together, every ``every`` seconds."""

    def __init__(self, pids: Sequence[int], every: float) -> None:
        self.pids, self.every = pids, every  # of servers that are started again other ones
        self.samples: list[tuple[float, float]] = []
        self._used: dict[int, float] = {}
        self._task = gevent.spawn(self._run)

    def _run(self) -> None:
        while True:
            self.samples.append((time.monotonic(), self._look() / 1e6))
            gevent.sleep(self.every)

    def _look(self) -> int:
        """Bytes that those hold which run."""
        held = 0
        for pid in self.pids:
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                held += process.memory_info().rss
                self._used[pid] = sum(process.cpu_times()[:2])
        return held

    def cpu_s(self) -> float:
        """CPU seconds that the processes have used."""
        self._look()
        return sum(self._used.values())

    def of(self, since: float) -> dict[str, Any]:
        """First, last and most megabytes since a time, and the slope of the second half in megabytes a minute."""
        samples = np.array([s for s in self.samples if s[0] >= since])
        first, last, most = samples[0, 1], samples[-1, 1], samples[:, 1].max()
        slope = growth(samples[len(samples) // 2 :])
        megabytes = {"first_mb": round(first), "last_mb": round(last), "most_mb": round(most)}
        return {**megabytes, "mb_a_minute": round(slope, 2)}


def growth(samples: np.ndarray) -> float:
    """Slope of (seconds, megabytes) in megabytes a minute, over the means of ten parts of equal length."""
    if len(samples) < PARTS:
        return 0.0
    means = np.array([part.mean(0) for part in np.array_split(samples, PARTS)])
    return float(np.polyfit(means[:, 0] / 60, means[:, 1], 1)[0])


def play(url: str, seconds: float, notes: Notes, *rates: float) -> None:
    """One phase. rates: visits, searches, sales and looks a second."""
    environment = locust.env.Environment(user_classes=people(*rates), host=url)
    environment.notes = notes  # type: ignore[attr-defined]
    environment.events.user_error.add_listener(lambda exception, **_: notes.errors.update([repr(exception)[:200]]))
    runner = environment.create_local_runner()
    count = sum(user.fixed_count for user in environment.user_classes)
    runner.start(count, spawn_rate=100)  # each waits for a moment of its own before it begins
    gevent.sleep(seconds)
    environment.stop_timeout = 30  # answers that are still to come are waited for
    runner.stop()
    runner.greenlet.kill(block=False)


def phase_report(phase: str, seconds: float, notes: Notes) -> dict[str, Any]:
    """A phase as it is printed."""
    routes = {name: {"calls": len(ms), **percentiles(ms, 0)} for name, ms in sorted(notes.ms.items())}
    answered = sum(len(ms) for ms in notes.ms.values())
    return {
        "phase": phase,
        "seconds": round(seconds),
        "answered": answered,
        "answered_a_second": round(answered / seconds, 1),
        "refused": dict(notes.refused),
        "refused_without_retry_after": notes.no_retry_after,
        "retried": dict(notes.retried),
        "errors": dict(notes.errors),
        "routes": routes,
    }


def phases(url: str, pids: Sequence[int], args: argparse.Namespace, several: Several | None = None) -> list[str]:
    """Play all three and print them, one of ``several`` killed; returns what must not be, one sentence each."""
    watch = Watch(pids, every=1.0 if args.minutes < 1 else 5.0)
    wrong: list[str] = []
    plan = (
        ("steady", 60 * args.minutes, args.visits),
        ("overload", args.overload_seconds, args.overload),
        ("after", max(5.0, 6 * args.minutes), args.visits),
    )
    for phase, seconds, visits in plan:
        since, cpu = time.monotonic(), watch.cpu_s()
        notes = Notes(retries=several is not None)
        killer = gevent.spawn_later(seconds / 2, several.kill_and_start, 0) if several and phase == "steady" else None
        play(url, seconds, notes, visits, args.searches, args.sells, args.looks)
        if killer:
            killer.get()  # raises what it raised
        memory = watch.of(since)
        used = round(watch.cpu_s() - cpu, 1)
        print(json.dumps({**phase_report(phase, seconds, notes), "server_cpu_s": used, "memory": memory}), flush=True)
        refused = sum(notes.refused.values())
        if notes.errors:
            wrong.append(f"{phase}: errors {dict(notes.errors)}")
        if notes.no_retry_after:
            wrong.append(f"{phase}: 429 without Retry-After")
        if phase == "overload" and not refused:
            wrong.append("overload: nothing was refused; raise --overload")
        if phase != "overload" and refused:
            wrong.append(f"{phase}: {refused} calls were refused at the stated rate")
        if phase == "steady" and not several and memory["mb_a_minute"] > args.most_mb_a_minute:
            wrong.append(f"memory grew by {memory['mb_a_minute']} MB a minute")
        if several:
            print(json.dumps({"confirmed": {kind: len(ids) for kind, ids in notes.confirmed.items()}}), flush=True)
            wrong += [f"{phase}: {sentence}" for sentence in several.wrong(notes.confirmed)]
    return wrong


def main() -> int:
    """Run; returns the exit status."""
    parser = arguments(__doc__, overload_seconds=60.0, listings=2_000, most_mb_a_minute=5.0)
    parser.add_argument("--minutes", type=float, default=10, help="of the steady phase")
    parser.add_argument("--visits", type=float, default=2, help="a second")
    parser.add_argument("--searches", type=float, default=0, help="of buyers by words, a second")
    parser.add_argument("--sells", type=float, default=0.02, help="drafts by the model a second")
    parser.add_argument("--looks", type=float, default=0.2, help="an operator's, a second")
    parser.add_argument("--overload", type=float, default=200, help="visits a second, far above what can be answered")
    parser.add_argument("--servers", type=int, default=1, help="more: behind nginx, on one PostgreSQL and one Chroma")
    parser.add_argument("--kill", action="store_true", help="one of several servers in the middle of the steady phase")
    args = parser.parse_args()
    if args.kill and args.servers == 1:
        parser.error("--kill needs --servers 2 or more")
    if args.servers == 1:
        with server(args.listings) as (url, pids):
            wrong = phases(url, pids, args)
    else:
        with proxied(args.listings, args.servers) as several:
            wrong = phases(several.url, several.pids, args, several if args.kill else None)
    return verdict(wrong)


if __name__ == "__main__":
    sys.exit(main())
