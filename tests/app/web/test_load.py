"""The load benchmark at a small size: seconds of mixed traffic, of too much of it, and of what comes after."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.serving.stock import fill
from tests.app.support.restores import server

ROOT = Path(__file__).resolve().parents[3]
SMALL = ["--minutes", "0.1", "--overload-seconds", "3", "--overload", "200", "--sells", "1", "--looks", "1"]


@pytest.mark.server
def test_mixed_traffic_without_an_error_and_too_much_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, 100, seed=0)
    with server(tmp_path, ROOT, 0.01, IPL_LOG_JSON="0") as (url, process):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        load = [sys.executable, "-m", "benchmarks.serving.load", "--url", url, "--pid", str(process.pid), *SMALL]
        load += ["--most-mb-a-minute", "1e9"]  # six seconds say nothing about growth
        load += ["--most-refused", "0.05"]  # other tests run beside this one: a single call may come in a bad moment
        done = subprocess.run(load, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]
    steady, overload, after = (json.loads(line) for line in done.stdout.splitlines())
    for phase in (steady, overload, after):
        assert phase["errors"] == {}
        assert phase["refused_without_retry_after"] == 0
    assert {"GET /v1/feed", "POST /v1/events", "POST /v1/drafts", "POST /v1/listings"} <= set(steady["routes"])
    for phase in (steady, after):
        assert sum(phase["refused"].values()) <= 0.05 * phase["answered"]
    assert overload["refused"]["GET /v1/feed"] > 0
    assert overload["routes"]["GET /v1/feed"]["calls"] > 0
