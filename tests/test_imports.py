"""No circle between modules, lazy imports and imports for type checking included; tests stand alone.

Which package may import which is declared in pyproject.toml and checked by import-linter, a step of ``./ipl test``.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping, Set
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("app", "finetune", "listing", "rag_index", "recommend")


def circles(imports: Mapping[str, Set[str]]) -> set[tuple[str, ...]]:
    """The groups of modules that import each other, directly or through others."""
    reached: dict[str, set[str]] = {}
    for module in imports:
        reached[module], waiting = set(), [module]
        while waiting:
            new = imports.get(waiting.pop(), set()) - reached[module]
            reached[module] |= new
            waiting += new
    return {
        tuple(sorted(other for other in reached[module] if module in reached.get(other, ())))
        for module in imports
        if module in reached[module]
    }


def test_circles_are_seen() -> None:
    imports = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": set(), "f": {"a"}}
    assert circles(imports) == {("a", "b", "c")}


def test_modules_import_each_other_in_one_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(imports) > 300
    assert circles(imports) == set()


def test_no_test_imports_another_or_a_benchmark() -> None:
    wrong = []
    for file in (ROOT / "tests").rglob("*.py"):
        nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        modules = {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)}
        wrong += [(file.name, m) for m in modules if re.search(r"^benchmarks(?!\.training\b)|\.test_\w+$", m)]
    assert not wrong
