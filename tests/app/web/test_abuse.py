"""The benchmark of abuse at a small size: seconds of what strangers can do to a real server with the embedded model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REAL_HOME

ROOT = Path(__file__).resolve().parents[3]
SMALL = ["--seconds", "2", "--sockets", "60", "--at-once", "12", "--most-ms", "5000"]  # beside other tests
SLOW = ["slow_bodies", "slow_bodies_beside"]
AGAIN = ["pipelining", "reconnecting"]
PHASES = ["quiet", "idle", "bodies", *SLOW, *AGAIN, "sign_ins", "cross_site", "addresses", "unpacking"]


@pytest.mark.nightly  # test_guard and test_guessing play each of them alone
@pytest.mark.model
@pytest.mark.server
def test_strangers_change_nothing_for_who_is_signed_in() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "IPL_HOME": str(REAL_HOME)}
    command = [sys.executable, "-m", "benchmarks.serving.abuse", *SMALL]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=250)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    phases = {row["phase"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert list(phases) == PHASES
    assert all(row["calls"] and not row["not_answered"] for row in phases.values())
    assert phases["bodies"]["strangers"].keys() & {"401", "413", "RemoteProtocolError", "WriteError", "ReadError"}
    for phase in SLOW:
        assert phases[phase]["strangers"]["closed"] > 100  # they took all that they could, and gave way
        assert not phases[phase]["strangers"]["OWNER LOCKED OUT"]
    # How many guesses get through is tested in test_guessing.py: a busy machine makes too few of them here.
    assert set(phases["sign_ins"]["strangers"]) <= {"401", "429", "OWNER LOCKED OUT"}
    assert set(phases["cross_site"]["strangers"]) <= {"401", "403"}
    assert "FETCHED" not in phases["addresses"]["strangers"]
