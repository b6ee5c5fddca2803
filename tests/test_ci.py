"""The commands of ``.ci``: the audit says "none" only when every package was looked up, no image is claimed unbuilt."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CI = Path(__file__).resolve().parents[1] / ".ci"
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


def run(*command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, command)], env=environment, capture_output=True, text=True, check=False, timeout=120
    )


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
def test_what_the_audit_says_and_returns(tmp_path: Path, answer: dict[str, str], status: int, said: str) -> None:
    fake = tmp_path / "pip-audit"
    fake.write_text(FAKE.format(python=sys.executable), encoding="utf-8")
    fake.chmod(0o755)
    command = [sys.executable, CI / "audit", "--python", sys.executable, "--pip-audit", fake]
    done = run(*command, ANSWER=json.dumps(answer))
    assert done.returncode == status, done.stdout + done.stderr
    assert said in done.stdout


def test_an_environment_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = run(sys.executable, CI / "audit", "--python", tmp_path / "python")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_without_an_engine_no_image_is_built(tmp_path: Path) -> None:
    done = run("/bin/sh", CI / "image", PATH=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
    assert "no image was built" in done.stderr
