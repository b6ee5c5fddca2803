"""The audit of the packages says "none" only when every one of them was looked up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# In place of pip-audit: answers about every package that it is asked about, as told by its environment.
FAKE = """#!{python}
import json, os, sys
given = sys.argv
names = [line.strip().split("==") for line in open(given[given.index("-r") + 1])]
kind = json.loads(os.environ["ANSWER"]).get(given[given.index("-s") + 1])
if kind is None:
    sys.exit("cannot be reached")
rows = [dict(name=n, version=v, vulns=[]) for n, v in names]
if kind == "vulnerable":
    rows[0]["vulns"] = [dict(id="PYSEC-1", fix_versions=["9.9"])]
if kind == "skipped":
    rows[0] = dict(name=names[0][0], skip_reason="not found")
json.dump(dict(dependencies=rows, fixes=[]), open(given[given.index("-o") + 1], "w"))
"""


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        ({"pypi": "fine"}, 0, "0 are known"),
        ({"pypi": "vulnerable"}, 1, "PYSEC-1; fixed in 9.9"),
        ({"pypi": "skipped", "osv": "fine"}, 0, "0 are known"),
        ({"pypi": "skipped"}, 3, "of"),
        ({"osv": "vulnerable"}, 1, "PYSEC-1"),
        ({}, 3, "nothing was looked up"),
    ],
)
def test_what_it_says_and_returns(tmp_path: Path, answer: dict[str, str], status: int, said: str) -> None:
    fake = tmp_path / "pip-audit"
    fake.write_text(FAKE.format(python=sys.executable), encoding="utf-8")
    fake.chmod(0o755)
    command = [sys.executable, str(ROOT / ".ci" / "audit"), "--python", sys.executable, "--pip-audit", str(fake)]
    done = subprocess.run(
        command, env={"ANSWER": json.dumps(answer)}, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert said in done.stdout


def test_an_environment_that_is_not_there_is_said(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / ".ci" / "audit"), "--python", str(tmp_path / "python")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
