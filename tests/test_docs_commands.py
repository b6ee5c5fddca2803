"""Commands on the pages: the command line reads each of them."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from app.cli.main import find_command

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"(?:\w+=\S+ )*(?:\./ipl |(?:\S*/)?python -m |.* -m app\.cli )")
# What stands for a file, a number or a name of one's own.
PLACES = {"REPLICAS": "2", "N": "2"}


def commands(text: str) -> Iterator[tuple[bool, str]]:
    """Commands of a page: whether one stands in a block, where it must be whole, and its line."""
    for kind, block in BLOCK.findall(text):
        if kind == "sh":
            lines = block.replace("\\\n", " ").splitlines()
            yield from ((True, line) for line in lines if COMMAND.match(line))
    for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", BLOCK.sub("", text)):
        if COMMAND.match(line := " ".join(span.split())):
            yield False, line


def words(line: str) -> list[str]:
    """Words of the first command of a line, with all that stands in brackets, without settings and comments."""
    read = shlex.shlex(re.sub(r"\[(.*?)\]", r"\1", line), posix=True, punctuation_chars="&;|")
    read.whitespace_split = True
    found = [PLACES.get(word, word) for word in read if word != "..."]
    end = next((n for n, word in enumerate(found) if set(word) <= set("&;|")), len(found))
    start = next(n for n, word in enumerate(found) if "=" not in word)
    return found[start:end]


def refusal(command: Sequence[str], monkeypatch: pytest.MonkeyPatch, *, whole: bool = True) -> str:
    """What the command line says against a command; nothing: it reads it."""
    module, arguments = ("app.cli", command[1:]) if command[0] == "./ipl" else _module(command)
    if module == "pytest":
        named = [word.partition("::")[0] for word in arguments if word.startswith("tests/")]
        return " ".join(path for path in named if not (ROOT / path).exists())
    if module != "app.cli":
        return _unknown(module, [word.partition("=")[0] for word in arguments if re.match("--[a-z]", word)])
    said: list[str] = []

    def refuse(_: argparse.ArgumentParser, message: str) -> None:
        said.append(message)
        raise SystemExit

    monkeypatch.setattr(argparse.ArgumentParser, "error", refuse)
    if arguments[0] not in ("--help", "--version"):
        with suppress(SystemExit):
            find_command(arguments[0]).parse(arguments[1:])
    return " ".join(message for message in said if whole or "arguments are required" not in message)


def _unknown(module: str, options: Sequence[str]) -> str:
    """What a module that is run has not: itself, or options, read in its text (it may need what is not installed)."""
    if find_spec(module) is None:
        return f"there is no module {module}"
    if not module.startswith(("benchmarks.", "rag_index.")):
        return ""
    tree = ast.parse(ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = {getattr(value, "value", None) for call in calls for value in call.args}
    names |= {f"--{(word.arg or '').replace('_', '-')}" for call in calls for word in call.keywords}
    return " ".join(option for option in options if option not in names)


def _module(command: Sequence[str]) -> tuple[str, Sequence[str]]:
    at = command.index("-m") + 1
    return command[at], command[at + 1 :]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_command_line_reads_every_command(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = dict.fromkeys(commands(page.read_text(encoding="utf-8")))
    refused = {line: refusal(words(line), monkeypatch, whole=whole) for whole, line in found}
    assert {line: why for line, why in refused.items() if why} == {}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("./ipl accounts add", "required"),
        ("./ipl draft a.jpg --lnag de", "--lnag"),
        ("./ipl recommend stduy msnet", "stduy"),
        ("A=b python -m benchmarks.gone --x 1 | less", "no module"),
        ("python -m benchmarks.rag_index.retrieval --lisitngs 5   # a comment", "--lisitngs"),
        (".venv/bin/python -m pytest tests/gone.py -x", "tests/gone.py"),
    ],
)
def test_a_command_that_is_wrong_is_noticed(line: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(commands(f"```sh\n{line}\n```")) == [(True, line)]
    assert why in refusal(words(line), monkeypatch)
