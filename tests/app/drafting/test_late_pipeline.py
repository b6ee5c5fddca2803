"""What writes drafts is loaded beside the open page: drafts wait for it, and where it fails the server ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.drafting.late_pipeline import LatePipeline
from listing.backends.base import BackendError
from listing.backends.stopping import Stopped, never, stop_when
from listing.request import DraftRequest, Event, StageEvent

ROOT = Path(__file__).resolve().parents[3]
REQUEST = DraftRequest(photos=())
STAGE = StageEvent(stage="category", share=0.05)


class Ready:
    concurrency = 1

    def run(self, request: DraftRequest) -> Iterator[Event]:
        yield STAGE


def test_a_draft_waits_until_the_pipeline_is_loaded() -> None:
    loaded, built = threading.Event(), []

    def build() -> Ready:
        loaded.wait(10)
        built.append(1)
        return Ready()

    late = LatePipeline(build, 1)
    events: list[Event] = []
    asking = threading.Thread(target=lambda: events.extend(late.run(REQUEST)))
    asking.start()
    asking.join(0.3)
    assert asking.is_alive()
    loaded.set()
    asking.join(10)
    assert events == [STAGE]
    late.start()
    assert list(late.run(REQUEST)) == [STAGE]
    assert built == [1]
    late.close()


def test_a_draft_that_nobody_wants_any_more_does_not_wait() -> None:
    loaded = threading.Event()
    late = LatePipeline(lambda: loaded.wait(10) and Ready(), 1)
    stop_when(lambda: True)
    try:
        with pytest.raises(Stopped, match="before the model was loaded"):
            next(late.run(REQUEST))
    finally:
        stop_when(never)
        loaded.set()
        late.close()


def test_what_cannot_be_loaded_tells_the_server_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))

    def build() -> Ready:
        raise BackendError("no such model")

    late = LatePipeline(build, 1)
    with pytest.raises(BackendError, match="cannot be loaded") as said:
        next(late.run(REQUEST))
    assert not isinstance(said.value, Stopped), "a draft would be told that it took too long"
    late.close()
    assert str(late.failure) == "no such model"
    assert sent == [(os.getpid(), signal.SIGTERM)]


@pytest.mark.server
def test_a_server_without_its_model_ends_with_one_sentence(tmp_path: Path) -> None:
    given = {**os.environ, "PYTHONPATH": str(ROOT), "IPL_HOME": str(tmp_path / "home"), "IPL_SETUP": "0"}
    command = [sys.executable, "-m", "app.cli", "serve", "--port", "0", "--no-rag", "--model", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("ipl: ")
    assert "Traceback" not in done.stderr
