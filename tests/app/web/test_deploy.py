"""The files for containers: readable, without secrets, and the dashboard asks only for what the server counts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from prometheus_client import generate_latest

from app.metrics import Metrics
from app.ops.collector import OpsCollector
from app.ops.figures import KEYS
from app.settings import READ_ELSEWHERE, Settings


@pytest.fixture
def folder(repository):
    return repository / "app" / "deploy"


def test_every_number_has_a_panel_and_a_rule(folder):
    metrics = Metrics()
    metrics.show(OpsCollector(SimpleNamespace(latest=lambda: None)))
    text = generate_latest(metrics.registry).decode()
    counted = {n for n in re.findall(r"^# TYPE (\w+)", text, re.MULTILINE) if not n.endswith("_created")}
    panels = json.loads((folder / "grafana" / "ipl.json").read_text())["panels"]
    groups = yaml.safe_load((folder / "alerts.yaml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    places = [place for p in panels for place in [tuple(p["gridPos"].values())]]
    assert len(set(places)) == len(places) == len({p["id"] for p in panels})
    assert all(rule["annotations"]["summary"] and rule["labels"]["severity"] for rule in rules)
    for asked in ([t["expr"] for p in panels for t in p["targets"]], [rule["expr"] for rule in rules]):
        assert all(e.count("(") == e.count(")") for e in asked)
        names = {re.sub(r"_(bucket|count|sum)$", "", n) for n in re.findall(r"ipl_\w+", " ".join(asked))}
        assert names - {"ipl"} == counted
    measures = re.findall(r'measure=~?"([\w|]+)"', " ".join(t["expr"] for p in panels for t in p["targets"]))
    assert {key for names in measures for key in names.split("|")} == KEYS


def test_compose_sets_only_settings_that_exist_and_holds_no_secret(folder):
    compose = yaml.safe_load((folder / "compose.yaml").read_text())
    known = {f"IPL_{name.upper()}" for name in Settings.model_fields} | READ_ELSEWHERE
    server = compose["services"]["ipl"]
    assert {name for name in server["environment"] if name.startswith("IPL_")} <= known
    assert all(port.startswith("127.0.0.1:") for s in compose["services"].values() for port in s.get("ports", []))
    mounted = {v.split(":")[0].removeprefix("./") for v in compose["services"]["prometheus"]["volumes"]} - {"counts"}
    assert mounted == {"prometheus.yaml", "alerts.yaml"}
    assert yaml.safe_load((folder / "prometheus.yaml").read_text())["rule_files"] == ["alerts.yaml"]
    assert "ports" not in compose["services"]["prometheus"]  # it reaches the server from inside
    assert {s["restart"] for s in compose["services"].values()} == {"unless-stopped"}
    grace = float(server["stop_grace_period"].rstrip("s"))
    assert grace > Settings.model_fields["shutdown_seconds"].default
    assert "@" not in server["environment"]["IPL_STORE"].replace("ipl@", "")
    assert set(server["secrets"]) <= set(compose["secrets"])
    ignored = (folder.parents[1] / ".gitignore").read_text()
    for secret in compose["secrets"].values():
        assert f"app/deploy/{secret['file'].removeprefix('./')}" in ignored
    for name in ("prometheus.yaml", "grafana/sources.yaml", "grafana/boards.yaml"):
        assert yaml.safe_load((folder / name).read_text())


def test_the_image_copies_no_secret_and_runs_as_nobody_special(folder, repository):
    text = (folder / "Dockerfile").read_text()
    assert re.search(r"^USER 10001$", text, re.MULTILINE)
    assert "useradd --create-home --uid 10001 ipl" in text
    assert '["ipl", "serve"' in text
    assert "MALLOC_ARENA_MAX=2" in text  # as the launcher has it: glibc's heaps, one a thread otherwise
    assert "MALLOC_ARENA_MAX=${MALLOC_ARENA_MAX:-2}" in (repository / "ipl").read_text()
    ignored = (folder / "Dockerfile.dockerignore").read_text().splitlines()
    assert {".git", "app/deploy/*.secret", "app/deploy/passwords"} <= set(ignored)
    for name in re.findall(r"requirements[\w-]*\.txt", text):
        assert (repository / name).is_file()


def test_the_image_takes_torchs_cpu_build_where_asked(folder):
    before, installs, _ = (folder / "Dockerfile").read_text().partition("RUN pip install")
    assert installs
    assert "ARG PIP_EXTRA_INDEX_URL" in before.splitlines(), "the name that docs/operations.md gives for ./ipl and pip"
    build = yaml.safe_load((folder / "compose.yaml").read_text())["services"]["ipl"]["build"]
    assert build["args"] == ["PIP_EXTRA_INDEX_URL"]


@pytest.mark.parametrize(
    ("program", "file"),
    [
        (["hadolint"], "Dockerfile"),
        (["check-jsonschema", "--builtin-schema", "vendor.compose-spec"], "compose.yaml"),
    ],
)
def test_the_files_are_what_their_readers_expect(folder, program, file):
    command = [str(Path(sys.executable).with_name(program[0])), *program[1:], str(folder / file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
