"""``python -m app.cli COMMAND ...``: the command table, instant help, and errors as sentences.

Only the module of the command that runs is imported. Exit status: 0 done, 1 failed, 2 what was given is unusable,
130 interrupted.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app import __version__
from app.cli import CommandError
from listing.errors import EVERYTHING, IplError, did_you_mean
from listing.home import ipl_home, private_files

QUIET_LIBRARIES = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "KMP_BLOCKTIME": "0",  # threads that wait sleep: by spinning they would take the cores from whoever computes
    "OMP_WAIT_POLICY": "PASSIVE",
    "OPENBLAS_NUM_THREADS": "1",  # its products are small: a second thread would only wait for the first
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
}


# A folder that is a file, a file that is a folder, a disk that cannot be read: what people can mend.
UNUSABLE = (
    errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.EIO,
)  # fmt: skip


@dataclass(frozen=True)
class Command:
    """A row of the command table.

    Args:
        module: module below this package with the command's ``register`` and ``run``; where it holds several commands
            they are called ``register_NAME`` and ``run_NAME``. It is imported when the command runs. ``check`` (or
            ``check_NAME``), where there is one, refuses what cannot be used, before anything is built for it.
        needs_model: the model and the sample index are made ready before the command runs.
        server_will_do: not where ``--model`` or ``IPL_MODEL`` names a server, whose drafts do without them.
    """

    name: str
    module: str
    help: str
    needs_model: bool = False
    server_will_do: bool = False

    def function(self, name: str) -> Callable[[Any], int | None]:
        """``register`` adds the command's options, ``check`` looks at them, ``run`` runs it."""
        module = importlib.import_module(f"app.cli.{self.module}")
        suffix = "" if self.module.rpartition(".")[2] == self.name else f"_{self.name}"
        return getattr(module, name + suffix, None) or (lambda _: None)

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The command's own options. SystemExit: a mistake in them, which is said."""
        about = f"{self.help[0].upper()}{self.help[1:]}."
        parser = argparse.ArgumentParser(prog=f"ipl {self.name}", description=about, allow_abbrev=False)
        self.function("register")(parser)
        return parser.parse_args(arguments)


COMMANDS = (
    Command("serve", "serve", "open the page on which photos become a listing", needs_model=True),
    Command("demo", "serve", "open a marketplace that fills itself, to look around in"),
    Command("draft", "drafts.draft", "write the draft listing of one item from its photos", True, True),
    Command("batch", "drafts.batch", "write the drafts of many items: a folder or a JSONL in, a JSONL out", True, True),
    Command("index", "index", "build, extend and thin out the index of past listings", needs_model=True),
    Command("learn", "learn", "learn from a shop's past listings, in minutes, without a GPU", needs_model=True),
    Command("tune", "tune", "tune the model on listings of your own", needs_model=True),
    Command("calibrate", "calibrate", "measure how far a model is heard, on photos with known answers", True, True),
    Command("evaluate", "evaluate", "measure the drafts against known answers", needs_model=True),
    Command("recommend", "recommend", "train and compare the feed's models"),
    Command("accounts", "accounts", "passwords, tokens, and how they end"),
    Command("backup", "data", "write listings, photos, orders and the feed's models to one archive"),
    Command("restore", "data", "bring an archive of 'backup' back, into a new home"),
    Command("erase", "data", "delete a person with everything of theirs"),
    Command("test", "develop", "check the style, the types and the behaviour of this code", needs_model=True),
    Command("doctor", "doctor", "say what is installed, which model and device serve, and what is missing"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status and never lets a stack trace reach the person."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    for name, value in QUIET_LIBRARIES.items():
        os.environ.setdefault(name, value)
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\.")  # of what its own code uses
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # its hint at an optional package reads like a failure
    try:
        if not arguments or arguments[0] in ("-h", "--help", "help"):
            print(overview(), flush=True)
            return 0
        if arguments[0] == "--version":
            print(f"ipl {__version__}")
            return 0
        return dispatch(arguments[0], arguments[1:])
    except KeyboardInterrupt:
        return say("interrupted", 130)
    except BrokenPipeError:
        # Whoever read our output (head, less) went away; closing stdout again at exit must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        return report(arguments[0], error)


def find_command(name: str) -> Command:
    """The command of that name. CommandError: there is none."""
    command = next((c for c in COMMANDS if c.name == name), None)
    if command is None:
        hint = did_you_mean(name, [c.name for c in COMMANDS], "./ipl --help lists the commands.")
        raise CommandError(f"there is no command '{name}'; {hint}", 2)
    return command


def dispatch(name: str, arguments: Sequence[str]) -> int:
    """Parse the command's own options, look at what they name, make ready what it needs, and run it."""
    command = find_command(name)
    args = command.parse(arguments)
    command.function("check")(args)
    if command.needs_model and not (command.server_will_do and _names_server(args.model)):
        from app.setup.prepare import prepare

        prepare()
    if shop := getattr(args, "shop", None):
        from listing.shops.shop import use_shop

        use_shop(shop)
    return int(command.function("run")(args) or 0)


def _names_server(model: str | None) -> bool:
    from listing.pipeline_parts import is_server

    return model is not None and is_server(model)


def overview() -> str:
    """What ``ipl --help`` prints: the commands, one line each."""
    width = max(len(c.name) for c in COMMANDS)
    lines = [
        "usage: ipl COMMAND [OPTIONS]",
        "",
        "From photos of one used thing to an honest listing; every fact shows what supports it.",
        "",
        "commands:",
        *(f"  {c.name:<{width}}  {c.help}" for c in COMMANDS),
        "",
        "examples:",
        "  ipl serve",
        "  ipl draft demo/hoodie.jpg",
        "  ipl batch photos/ -o out.jsonl",
        "",
        "ipl COMMAND --help shows the options of a command.",
        "IPL_HOME names the folder for models and index, IPL_MODEL another model (a hub id or a server's URL).",
    ]
    return "\n".join(lines)


def report(command: str, error: Exception) -> int:
    """One sentence for the person; the trace of an unforeseen error goes to a file."""
    if isinstance(error, IplError):
        return say(str(error), error.exit_status)
    if isinstance(error, ModuleNotFoundError) and error.name in sys.stdlib_module_names:
        system = "on Windows, use WSL" if sys.platform == "win32" else "install a whole Python 3.11, 3.12 or 3.13"
        return say(f"this Python has no module {error.name}, which '{command}' needs: {system}.", 1)
    if isinstance(error, ModuleNotFoundError):
        return say(f"'{command}' needs the package {error.name}, which is not installed: {EVERYTHING}.", 1)
    if isinstance(error, OSError) and error.errno in UNUSABLE:
        where, reason = error.filename or ipl_home(), (error.strerror or "").lower()
        return say(f"{where} cannot be used ({reason}): mend that, or name another folder with IPL_HOME.", 1)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" ({error.filename})" if error.filename else ""
        return say(f"the disk is full{where}: free some space and run the command again.", 1)
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
    """Print a sentence for the person; returns the exit status that goes with it."""
    print(f"ipl: {message}", file=sys.stderr)
    return code
