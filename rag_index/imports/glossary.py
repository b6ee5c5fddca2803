"""The file in which a person decides what the words of their table are here: proposed by us, edited, and read back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rag_index.imports.columns import near_hint
from rag_index.imports.tables import ImportProblem
from rag_index.imports.words import BY_TITLE, Vocabulary

CUSTOM, DROP, NONE, UNSURE = "own", "drop", "none", "?"
_HEAD = """\
# What the words of {table} are here: theirs on the left, ours on the right. "?" means not sure, so not used yet.
# Take the "?" away where it is right, write another word where it is wrong; lines may go. Then run
# the same command again with {command}
# A category may also be: {own} (kept under their name: found by photo and words, but its facts and price count for
# nothing), {drop} (these rows are left out), {by_title} (the kind of thing that the title names). A value or an
# attribute may also be {none} (not used).
"""


@dataclass(frozen=True)
class Entry:
    """One of their words; ``internal`` None: open. The rest is for the person: rows, why, an example."""

    internal: str | None
    sure: bool
    count: int = 0
    why: str = ""
    example: str = ""


@dataclass(frozen=True)
class Glossary:
    """Field -> columns; categories and attributes by their word; attribute -> values by their word."""

    columns: Mapping[str, str | list[str] | None] = field(default_factory=dict)
    categories: Mapping[str, Entry] = field(default_factory=dict)
    attributes: Mapping[str, Entry] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, Entry]] = field(default_factory=dict)

    def undecided(self) -> int:
        """Number of categories and values that wait for a person."""
        parts = (self.categories, *self.values.values())
        return sum(not entry.sure for part in parts for entry in part.values())

    def check(self, vocabulary: Vocabulary) -> None:
        """ImportProblem: something that is ours by this file is not there."""
        _check(self.categories, {*vocabulary.kinds, CUSTOM, DROP, BY_TITLE}, "category")
        _check(self.attributes, {*vocabulary.values, NONE}, "attribute")
        for name, entries in self.values.items():
            if not vocabulary.values.get(name):
                raise ImportProblem(f"The mapping has values for {name!r}{near_hint(name, vocabulary.values)}.")
            _check(entries, {*vocabulary.values[name], NONE}, f"value of {name}")

    def text(self, table: str, unused: Iterable[str], command: str) -> str:
        """The file to edit."""
        words = {"own": CUSTOM, "drop": DROP, "by_title": BY_TITLE, "none": NONE}
        lines = [
            _HEAD.format(table=table, command=command, **words),
            "columns:  # field: columns, the first that is filled counts",
        ]
        for name, named in self.columns.items():
            columns = [named] if isinstance(named, str) else named or []
            lines.append(f"  {name}: {_quoted(columns[0] if len(columns) == 1 else columns)}")
        if unused := list(unused):
            lines.append(f"# not read: {', '.join(unused)}")
        lines += _section("categories", self.categories, 0)
        lines += _section("attributes", {n: e for n, e in self.attributes.items() if e.internal != NONE}, 0)
        idle = [f"{imported} ({e.count})" for imported, e in self.attributes.items() if e.internal == NONE]
        if idle:
            lines.append(f"# attributes that are none here: {', '.join(idle)}")
        if self.values:
            lines += ["", "values:"]
            lines += [line for name, entries in self.values.items() for line in _section(name, entries, 1)]
        return "\n".join(lines) + "\n"


def read_glossary(path: Path) -> Glossary:
    """The file as it was edited; ImportProblem: it cannot be read."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        parts = {name: raw.get(name) or {} for name in ("columns", "categories", "attributes", "values")}
        return Glossary(
            {str(k): [str(c) for c in v] if isinstance(v, list) else v for k, v in parts["columns"].items()},
            _read(parts["categories"]),
            _read(parts["attributes"]),
            {str(name): _read(entries or {}) for name, entries in parts["values"].items()},
        )
    except (OSError, UnicodeDecodeError) as error:
        raise ImportProblem(f"The mapping {path} cannot be read; check the path.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise ImportProblem(f"The mapping {path.name} is no YAML{where}; each line is THEIRS: OURS.") from error
    except (AttributeError, TypeError) as error:
        raise ImportProblem(f"The mapping {path.name} is of another form; each line is THEIRS: OURS.") from error


def _read(raw: Mapping[Any, Any]) -> dict[str, Entry]:
    entries = {}
    for imported, internal in raw.items():
        word = "" if internal is None else str(internal).strip()
        sure = bool(word) and not word.startswith(UNSURE)
        entries[str(imported)] = Entry(word.removeprefix(UNSURE).strip() or None, sure)
    return entries


def _section(name: str, entries: Mapping[str, Entry], depth: int) -> Iterator[str]:
    if not entries:
        return
    indent = "  " * depth
    lead = [] if depth else [""]
    yield from (*lead, f"{indent}{name}:")
    cells = [
        (f"{indent}  {_quoted(imported)}:", ("" if e.sure else UNSURE) + (e.internal or ""), e)
        for imported, e in entries.items()
    ]
    wide, word = (min(44, max(map(len, column))) for column in ([c[0] for c in cells], [c[1] for c in cells]))
    for left, right, entry in cells:
        example = f"; {' '.join(entry.example.split())[:50]}" if entry.example else ""
        yield f"{left:<{wide}} {_quoted(right):<{word}}  # {entry.count}, {entry.why}{example}"


def _quoted(value: str | list[str]) -> str:
    """YAML on one line."""
    flow = isinstance(value, list) or None
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True, width=10_000).removesuffix("\n")
    return text.removesuffix("\n...").rstrip()


def _check(entries: Mapping[str, Entry], internal: Iterable[str], kind: str) -> None:
    valid = set(internal)
    for imported, entry in entries.items():
        if entry.sure and entry.internal not in valid:
            hint = near_hint(str(entry.internal), valid)
            raise ImportProblem(f"The mapping says {imported}: {entry.internal}, and there is no such {kind}{hint}.")
