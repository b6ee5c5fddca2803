"""Spans written inside the text: ``call [[phone|0770...]] now`` -> the plain text and what was marked, with offsets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from listing.taxonomy import load_taxonomy

MARK = re.compile(r"\[\[([^|\]]+)\|(.+?)\]\]", re.S)


def unmark(marked: str) -> tuple[str, list[tuple[str, str, int]]]:
    """The text without marks, and ``(label, marked text, start)`` for each mark, in order."""
    plain, spans, last = "", [], 0
    for m in MARK.finditer(marked):
        plain += marked[last : m.start()]
        spans.append((m[1], m[2], len(plain)))
        plain += m[2]
        last = m.end()
    return plain + marked[last:], spans


def write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """One JSON object a line; returns how many."""
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines)


def category_names(words: Iterable[str | None]) -> dict[str | None, str | None]:
    """The taxonomy's name for each seller's word; None for a word that it does not know."""
    taxonomy = load_taxonomy()
    nodes = {word: taxonomy.find(word) if word else None for word in words}
    return {word: node.name if node else None for word, node in nodes.items()}
