"""Hermetic runs: a home of their own, few threads, no network; what cannot run here is left out and listed."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from app.setup.external_tools import find_chromium, find_faketime, find_postgres
from finetune.data.photosets import data_root
from listing.home import ipl_home
from listing.request import DraftPipeline
from rag_index import NO_TELEMETRY

ROOT = Path(__file__).resolve().parents[1]
REAL_HOME = ipl_home()
DATA = data_root().resolve()
KEPT = frozenset({"IPL_DATA"})
SETTINGS = {
    **NO_TELEMETRY,
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
BESIDE = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))  # processes of this run
THREADS = str(min(2, max(1, (os.cpu_count() or 1) // BESIDE)))  # threads that wait for each other's core only spin
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def model_is_assembled() -> bool:
    return (REAL_HOME / "models" / "ipl-mini" / "ipl.json").is_file()


def has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def can_mount() -> bool:
    """Whether this process may mount a file system."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False)
            return done.returncode == 0
        except FileNotFoundError:
            return False
        finally:
            subprocess.run(["umount", folder], capture_output=True, check=False)


@dataclass(frozen=True)
class Need:
    """What the tests of a marker need; ``optional`` needs cannot be installed, so that ``--strict`` lets them pass."""

    present: Callable[[], bool]
    reason: str
    optional: bool = False


NEEDS = {
    "browser": Need(lambda: find_chromium() is not None, "Chromium is not installed"),
    "postgres": Need(lambda: find_postgres() is not None, "PostgreSQL's server programs are not installed"),
    "faketime": Need(
        lambda: find_faketime() is not None, "libfaketime is not installed", optional=sys.platform != "linux"
    ),
    "ray": Need(lambda: find_spec("ray") is not None, "the package ray is not installed (requirements-ray.txt)"),
    "model": Need(model_is_assembled, f"the embedded model is not assembled in {REAL_HOME}"),
    "data": Need(DATA.is_dir, f"what it reads is not in {DATA} (IPL_DATA names the folder)", optional=True),
    "torchrec": Need(lambda: find_spec("torchrec") is not None, "TorchRec is not installed", optional=True),
    "mount": Need(can_mount, "file systems cannot be mounted here", optional=True),
    "gpu": Need(has_gpu, "there is no CUDA device", optional=True),
}


# A test of one of these is slow.
SLOW = ("browser", "ray", "postgres", "faketime", "server", "model", "mount", "torchrec")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="leave the tests with the mark slow out")
    parser.addoption(
        "--nightly", action="store_true", help="run the tests with the mark nightly, and all in their long forms"
    )
    parser.addoption("--strict-left-out", action="store_true", help="fail when a test that could run here was left out")


def pytest_configure(config: pytest.Config) -> None:
    """A home for this run: the model and the wheels are the real ones, everything that is written is the run's own.

    Of a run in several processes (pytest-xdist) each has its own.
    """
    config.stash[LEFT_OUT_KEY] = []
    if config.getoption("numprocesses", None):
        return
    home = Path(tempfile.mkdtemp(prefix="ipl-tests-"))
    for shared in ("models", "wheels"):
        if (REAL_HOME / shared).is_dir():
            (home / shared).symlink_to(REAL_HOME / shared, target_is_directory=True)
    for name in [n for n in os.environ if n.startswith("IPL_") and n not in KEPT]:
        del os.environ[name]
    os.environ.update(SETTINGS, IPL_HOME=str(home), IPL_SETUP="0")
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, THREADS)
    config.stash[HOME_KEY] = home


def pytest_unconfigure(config: pytest.Config) -> None:
    if HOME_KEY in config.stash:
        shutil.rmtree(config.stash[HOME_KEY], ignore_errors=True)


HOME_KEY = pytest.StashKey[Path]()
LEFT_OUT_KEY = pytest.StashKey[list[tuple[str, str, bool]]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    known: dict[str, bool] = {}
    chosen, others = [], []
    for item in items:
        if any(item.get_closest_marker(name) for name in SLOW):
            item.add_marker("slow")
        nightly = item.get_closest_marker("nightly") and not config.getoption("nightly")
        slow = item.get_closest_marker("slow") and config.getoption("fast")
        (others if nightly or slow else chosen).append(item)
    config.hook.pytest_deselected(items=others)
    items[:] = chosen
    for item in items:
        for marker, need in NEEDS.items():
            if item.get_closest_marker(marker) is None:
                continue
            if marker not in known:
                known[marker] = need.present()
            if not known[marker]:
                item.add_marker(pytest.mark.skip(reason=need.reason))


class LeftOut:
    """Collects skipped tests and says so at the end; with ``--strict-left-out`` they fail the run."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.optional = {need.reason for need in NEEDS.values() if need.optional}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if not report.skipped or hasattr(report, "wasxfail"):
            return
        reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        self.config.stash[LEFT_OUT_KEY].append((report.nodeid, reason, reason in self.optional))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        missing = [row for row in self.config.stash[LEFT_OUT_KEY] if not row[2]]
        if missing and exitstatus == 0 and self.config.getoption("--strict-left-out"):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        rows = self.config.stash[LEFT_OUT_KEY]
        if not rows:
            return
        terminalreporter.section("left out")
        for reason in dict.fromkeys(reason for _, reason, _ in rows):
            names = [name for name, why, _ in rows if why == reason]
            terminalreporter.line(f"left out: {len(names)} because {reason}")
            for name in names:
                terminalreporter.line(f"  {name}")
        if any(not optional for *_, optional in rows) and self.config.getoption("--strict-left-out"):
            terminalreporter.line("left-out tests fail a strict run", red=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish() -> None:
    """Every later garbage collection (each training asks for one) would look through all test modules and libraries."""
    gc.collect()
    gc.freeze()


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.pluginmanager.register(LeftOut(session.config), "left-out")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of this copy."""
    return ROOT


@pytest.fixture
def run_async() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """``asyncio.run`` in a thread of its own: this one runs a loop already where a browser was opened before."""

    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, coroutine).result()

    return run


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of the project's data (``IPL_DATA``); only for tests with the marker ``data``."""
    return DATA


@pytest.fixture(scope="session")
def model_folder() -> Path:
    """The assembled embedded model; only for tests with the marker ``model``."""
    return REAL_HOME / "models" / "ipl-mini"


@pytest.fixture(scope="session")
def real_pipeline() -> DraftPipeline:
    """The embedded model over the sample index, which has one owner; only for tests with the marker ``model``."""
    from app.cli.main import main
    from listing.pipeline import build_pipeline

    assert main(["index", "build", "--sample", "--if-missing"]) == 0
    return build_pipeline(None, True, ipl_home())
