"""``python -m app.cli COMMAND ...``: the command table, instant help, and errors as sentences.

Only the module of the command that runs is imported. Exit status: 0 done, 1 failed, 2 what was given is unusable,
130 interrupted.
"""

from __future__ import annotations

import argparse
import difflib
import errno
import importlib
import importlib.util
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from app.cli import CommandError
from listing.errors import IplError
from listing.home import ipl_home, private_files

QUIET_LIBRARIES = {
    "ANONYMIZED_TELEMETRY": "False",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
}


@dataclass(frozen=True)
class Command:
    """A row of the command table; ``module`` is imported when the command runs."""

    name: str
    help: str
    example: str

    @property
    def module(self) -> str:
        return f"app.cli.{self.name}"

    def exists(self) -> bool:
        """Whether this copy has the command's module (nothing of the command itself is imported)."""
        return importlib.util.find_spec(self.module) is not None


COMMANDS = (
    Command("serve", "open the page on which photos become a listing", "ipl serve"),
    Command("draft", "write the draft listing of one item from its photos", "ipl draft demo/hoodie.jpg"),
    Command(
        "batch", "write the drafts of many items: a folder or a JSONL in, a JSONL out", "ipl batch photos/ -o out.jsonl"
    ),
    Command("index", "build, extend and search the index of past listings", "ipl index stats"),
    Command("tune", "tune the model on listings of your own", "ipl tune --help"),
    Command("evaluate", "measure the drafts against known answers", "ipl evaluate --help"),
    Command("recommend", "train and compare the feed's models", "ipl recommend --help"),
    Command("accounts", "passwords, tokens, and how they end", "ipl accounts --help"),
    Command("backup", "write listings, photos, orders and the feed's models to one archive", "ipl backup ipl.tar"),
    Command("restore", "bring an archive of 'backup' back", "ipl restore ipl.tar"),
    Command("erase", "delete a person with everything of theirs", "ipl erase NAME"),
    Command("test", "check the style, the types and the behaviour of this code", "ipl test"),
    Command("docs", "build the documentation as a site, with the reference of API and modules", "ipl docs --serve"),
    Command("doctor", "say what is installed, which model and device serve, and what is missing", "ipl doctor"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status and never lets a stack trace reach the person."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if arguments[0] == "--version":
        print(f"ipl {version()}")
        return 0
    for name, value in QUIET_LIBRARIES.items():
        os.environ.setdefault(name, value)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # its hint at an optional package reads like a failure
    try:
        return dispatch(arguments[0], arguments[1:])
    except KeyboardInterrupt:
        return say("interrupted", 130)
    except BrokenPipeError:
        # Whoever read our output (head, less) went away; closing stdout again at exit must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        return report(arguments[0], error)


def dispatch(name: str, arguments: Sequence[str]) -> int:
    """Parse the command's own options and run it."""
    command = next((c for c in COMMANDS if c.name == name), None)
    if command is None:
        close = difflib.get_close_matches(name, [c.name for c in COMMANDS if c.exists()], n=1)
        hint = f"did you mean '{close[0]}'?" if close else "./ipl --help lists the commands."
        raise CommandError(f"there is no command '{name}'; {hint}", 2)
    if not command.exists():
        raise CommandError(f"this version has no '{name}' yet; ./ipl --help lists what it can do.", 2)
    module = load(command)
    parser = argparse.ArgumentParser(
        prog=f"ipl {name}", description=f"{command.help[0].upper()}{command.help[1:]}.", allow_abbrev=False
    )
    module.register(parser)
    return int(module.run(parser.parse_args(arguments)) or 0)


def load(command: Command) -> ModuleType:
    """The command's module."""
    try:
        return importlib.import_module(command.module)
    except ModuleNotFoundError as error:
        raise CommandError(f"the package '{error.name}' is missing; run ./ipl doctor, it says what to do.") from error


def overview() -> str:
    """What ``ipl --help`` prints: the commands of this copy, one line each."""
    rows = [c for c in COMMANDS if c.exists()]
    width = max((len(c.name) for c in rows), default=0)
    examples = [c.example for c in rows if c.name in ("draft", "serve", "batch")]
    lines = [
        "usage: ipl COMMAND [OPTIONS]",
        "",
        "From photos of one used thing to an honest listing; every fact shows what supports it.",
        "",
        "commands:",
        *(f"  {c.name:<{width}}  {c.help}" for c in rows),
        "",
        "examples:",
        *(f"  {example}" for example in examples),
        "",
        "ipl COMMAND --help shows the options of a command.",
        "IPL_HOME names the folder for models and index, IPL_MODEL another model (a hub id or a server's URL).",
    ]
    return "\n".join(lines)


def version() -> str:
    """The version in ``pyproject.toml``: one place, read also from a copy that is not installed."""
    import tomllib

    text = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(text)["project"]["version"])


def report(command: str, error: Exception) -> int:
    """One sentence for the person; the trace of an unforeseen error goes to a file."""
    if isinstance(error, IplError):
        return say(str(error), error.exit_status)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return say(f"the disk is full ({error.filename or ipl_home()}): free some space and run the command again.", 1)
    if os.environ.get("IPL_DEBUG"):
        traceback.print_exception(error)
    where = write_trace(error)
    detail = f"{type(error).__name__}: {error}".strip().splitlines()[0]
    return say(f"'{command}' stopped at something unforeseen ({detail}).{where}", 1)


def write_trace(error: Exception) -> str:
    """Keep the trace for a bug report; says where, or nothing when it cannot be written."""
    path = ipl_home() / "logs" / "last-error.txt"
    try:
        with private_files():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError:
        return ""
    return f" The details are in {path}."


def say(message: str, code: int) -> int:
    print(f"ipl: {message}", file=sys.stderr)
    return code
