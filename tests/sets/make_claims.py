"""Writes ``dev_claims.jsonl``: 140 texts with every claim marked. ``python -m tests.sets.make_claims``.

Markup of a line: ``[[words|kind|verdict]]`` with the verdicts supported, unsupported, contradicted, k (copied),
prohibited.
"""

from __future__ import annotations

import random
import re
from typing import Any

from tests.sets.claim_lines import HAND, TEMPLATES, WORDS
from tests.sets.jsonl import write

SEED = 20260802
VERDICTS = {"s": "supported", "u": "unsupported", "c": "contradicted", "k": "copied", "p": "prohibited"}
MARK = re.compile(r"\[\[(.+?)\|(\w+)\|(\w)\]\]")
SLOT = re.compile(r"\{(\w+)\}")


def unmark(marked: str) -> tuple[str, list[dict[str, Any]]]:
    """(plain text, claims with their start offsets)."""
    text, claims, last = "", [], 0
    for found in MARK.finditer(marked):
        text += marked[last : found.start()]
        claims.append({"text": found[1], "start": len(text), "kind": found[2], "verdict": VERDICTS[found[3]]})
        text += found[1]
        last = found.end()
    return text + marked[last:], claims


def generated(rng: random.Random) -> tuple[dict[str, Any], dict[str, list[str]], str, str]:
    """(facts, neighbours, category, marked text): every slot is a claim, about four in ten are false."""
    category, nouns, template, extra = rng.choice(TEMPLATES)
    facts: dict[str, Any] = {}
    neighbours: dict[str, list[str]] = {}

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        if name == "noun":
            return f"[[{rng.choice(nouns)}|category|s]]"
        if name == "extra":
            words, kind, verdict = rng.choice(extra)
            return f"[[{words}|{kind}|{verdict}]]"
        value = rng.choice(list(WORDS[name]))
        words = rng.choice(WORDS[name][value])
        dice = rng.random()
        if dice < 0.6:
            facts[name], verdict = value, "s"
        elif dice < 0.78:
            others = [v for v in WORDS[name] if v != value and not {v, value} <= {"blue", "navy"}]
            facts[name], verdict = rng.choice(others), "c"
        elif dice < 0.9:
            verdict = "u"
        else:
            neighbours[name], verdict = [value], "k"
        return f"[[{words}|{name}|{verdict}]]"

    return facts, neighbours, category, SLOT.sub(fill, template)


def rows() -> list[dict[str, Any]]:
    rng = random.Random(SEED)
    out: list[dict[str, Any]] = []
    for category, facts, context, marked in HAND:
        text, claims = unmark(marked)
        row = {"group": "hand", "category": category, "facts": facts, "note": "", "ocr": [], "neighbours": {}}
        out.append({**row, **context, "text": text, "claims": claims})
    while len(out) < 140:
        facts, neighbours, category, marked = generated(rng)
        text, claims = unmark(marked)
        out.append(
            {
                "group": "template",
                "category": category,
                "facts": facts,
                "note": "",
                "ocr": [],
                "neighbours": neighbours,
                "text": text,
                "claims": claims,
            }
        )
    return [{"id": f"d{i:03}", **row} for i, row in enumerate(out)]


if __name__ == "__main__":
    write("dev_claims.jsonl", rows())
