"""The environment ``.venv`` of a repository, made by the launcher; then the command, run in it.

``python -P -m app.setup.environment EXTRA STAMP COMMAND...``: EXTRA names the extra of pyproject.toml that the command
needs (or nothing), STAMP is what the launcher computed of the files that list packages. Standard library alone: the
Python that runs this has no package yet.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from app.cli.main import find_command
from app.setup.steps import SetupError, logs_folder, run_step, say, setting_up
from listing.errors import IplError
from listing.home import ipl_home

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
EXTRAS = ("serve", "tune", "feed")  # with them the program is whole
UNFINISHED, FINISHED = VENV / "ipl-unfinished", VENV / "ipl-made"
PIP = (str(PYTHON), "-m", "pip", "--no-input", "--disable-pip-version-check")
FITS = "import sys, pip; (3, 11) <= sys.version_info[:2] <= (3, 13) or sys.exit(1)"  # the versions that are tested


def stamp_file(extra: str) -> Path:
    """What says which state of the package lists is installed; the launcher reads it under the same name."""
    return VENV / (f"ipl-installed-{extra}" if extra else "ipl-installed")


def is_installed(extra: str, stamp: str) -> bool:
    """Whether nothing is left to do."""
    file = stamp_file(extra)
    return not UNFINISHED.exists() and file.is_file() and file.read_text(encoding="utf-8") == f"{stamp}\n"


def _fits() -> bool:
    return subprocess.run([PYTHON, "-c", FITS], capture_output=True, check=False).returncode == 0


def _make(logs: Path) -> None:
    """Make the environment; one that somebody else made here is used if it fits, and never removed."""
    if not UNFINISHED.exists() and PYTHON.exists() and _fits():
        return
    if VENV.exists() and not UNFINISHED.exists() and not FINISHED.exists():
        raise SetupError(f"{VENV} is no environment of Python 3.11 to 3.13 with pip: move it away and start again.")
    VENV.mkdir(exist_ok=True)
    UNFINISHED.touch()
    for path in VENV.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path != UNFINISHED:
            path.unlink()
    command = [sys.executable, "-m", "venv", str(VENV)]
    run_step(1, f"making the environment ({sys.executable})", command, logs / "environment.log")
    UNFINISHED.replace(FINISHED)


def _installer() -> list[str]:
    """uv where it is on PATH, else pip; pip as well where it has settings, as uv would not read them."""
    uv, pip = shutil.which("uv"), list(PIP)
    if uv and not subprocess.run([*pip, "config", "list"], capture_output=True, check=False).stdout.strip():
        return [uv, "pip", "install", "--python", str(PYTHON), "--compile-bytecode"]
    return [*pip, "install", "--progress-bar", "off", "--prefer-binary"]


def _install(extra: str, stamp: str, logs: Path) -> None:
    """Install the repository with its packages; what an interrupted installation left is removed first."""
    for info in VENV.glob("lib/python3*/site-packages/*.dist-info"):
        if not (info / "INSTALLER").is_file():  # pip writes it after a package's files
            shutil.rmtree(info)
    temporary = VENV / "ipl-tmp"  # where the next start finds what an interrupted one left
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    target = f"{ROOT}[{','.join([*EXTRAS, *([extra] if extra else [])])}]"
    label = f"installing the packages of '{extra}'" if extra else "installing the packages"
    command = [*_installer(), "--editable", target]
    run_step(2, label, command, logs / "packages.log", {"TMPDIR": str(temporary)})
    shutil.rmtree(temporary, ignore_errors=True)
    for name in {"", extra}:
        scratch = VENV / "ipl-installed.tmp"
        scratch.write_text(f"{stamp}\n", encoding="utf-8")
        scratch.replace(stamp_file(name))


def set_up(extra: str, stamp: str) -> None:
    """Make the environment fit the package lists. Raises SetupError."""
    logs, begun = logs_folder(ipl_home()), time.monotonic()
    with setting_up(ROOT / ".ipl-setup.lock", "its folder has to be writable and its disk not full"):
        if not is_installed(extra, stamp):
            _make(logs)
            _install(extra, stamp, logs)
    say(f"the environment is ready after {time.monotonic() - begun:.0f} s")


def main(arguments: list[str]) -> int:
    """Set up, then become the command; a mistake in its options is said before."""
    extra, stamp, *command = arguments
    try:
        find_command(command[0]).parse(command[1:])
        set_up(extra, stamp)
    except IplError as error:
        say(str(error))
        return error.exit_status
    os.execv(PYTHON, [str(PYTHON), "-P", "-m", "app.cli", *command])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
