"""The environment ``.venv`` of a repository, made by the launcher; then the command, run in it.

``python -P -m app.setup.environment EXTRA STAMP COMMAND...``: EXTRA names the extra of pyproject.toml that the command
needs (or nothing), STAMP is what the launcher computed of the files that list packages. Standard library alone: the
Python that runs this has no package yet.
"""

from __future__ import annotations

import ast
import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
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
UV_SECONDS = 120  # for so long uv is waited for
UV_OPTIONS = {  # what each setting of pip is called by uv, for each of its values
    "index-url": "--index-url", "extra-index-url": "--extra-index-url", "find-links": "--find-links",
    "constraint": "--constraints", "trusted-host": "--allow-insecure-host",
}  # fmt: skip
UV_FLAGS = {"no-index": "--no-index", "no-cache-dir": "--no-cache", "pre": "--pre"}
UV_ENVIRONMENT = {
    "cert": ["SSL_CERT_FILE"], "client-cert": ["SSL_CLIENT_CERT"], "timeout": ["UV_HTTP_TIMEOUT"],
    "default-timeout": ["UV_HTTP_TIMEOUT"], "proxy": ["HTTP_PROXY", "HTTPS_PROXY"],
}  # fmt: skip
PIP_ALONE = {  # settings that change nothing of what uv installs
    "break-system-packages", "cache-dir", "disable-pip-version-check", "log", "no-color", "no-input",
    "no-warn-script-location", "prefer-binary", "progress-bar", "quiet", "require-virtualenv", "retries",
    "root-user-action", "verbose",
}  # fmt: skip
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


def _pip_settings() -> dict[str, str]:
    """pip's settings of this machine for what ``pip install`` does, by name; later places go before earlier ones."""
    done = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True, check=False)
    settings: dict[str, str] = {}
    for place in ("global", "install", ":env:"):
        for line in done.stdout.splitlines():
            key, _, value = line.partition("=")
            if key.startswith(f"{place}."):
                settings[key.removeprefix(f"{place}.")] = ast.literal_eval(value)
    return settings


def uv_settings(pip: Mapping[str, str]) -> tuple[list[str], dict[str, str]] | None:
    """(options, environment) by which uv does as pip's settings say; None where one of them has no like in uv."""
    options, environment = list[str](), dict[str, str]()
    for name, value in pip.items():
        if name in UV_OPTIONS:
            options += [word for one in value.split() for word in (UV_OPTIONS[name], one)]
        elif name in UV_ENVIRONMENT:
            environment |= dict.fromkeys(UV_ENVIRONMENT[name], value)
        elif name in UV_FLAGS:
            options += [UV_FLAGS[name]] if value.lower() in ("1", "true", "yes", "on") else []
        elif name not in PIP_ALONE:
            return None
    return options, environment


def _installer(logs: Path) -> tuple[list[str], dict[str, str]]:
    """The command that installs, and its environment: uv's with pip's settings, or pip's where uv cannot be had."""
    settings, environment = uv_settings(_pip_settings()), dict[str, str]()
    if settings is not None:
        uv = shutil.which("uv") or str(VENV / "bin" / "uv")
        if not Path(uv).is_file():
            with (logs / "uv.log").open("wb") as log, contextlib.suppress(subprocess.TimeoutExpired):
                command = [*PIP, "install", "--progress-bar", "off", "--only-binary", ":all:", "uv"]
                subprocess.run(command, stdout=log, stderr=log, timeout=UV_SECONDS, check=False)
        if Path(uv).is_file():
            options, environment = settings
            options += ["--index-strategy", "unsafe-best-match"] * ("--extra-index-url" in options)  # as pip chooses
            return [uv, "pip", "install", "--python", str(PYTHON), *options], environment
    return [*PIP, "install", "--progress-bar", "off", "--prefer-binary"], environment


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
    command, environment = _installer(logs)
    environment |= {"TMPDIR": str(temporary)}
    run_step(2, label, [*command, "--editable", target], logs / "packages.log", environment)
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
