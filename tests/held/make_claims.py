"""Writes claims.jsonl: ``python -m tests.held.make_claims``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.held.claim_marks import ALL
from tests.held.markup import category_names, unmark, write_rows

VERDICTS = {"+": "supported", "-": "contradicted", "?": "unsupported", "~": "copied", "!": "prohibited"}


def build() -> list[dict[str, Any]]:
    """All rows, each claim with its offset."""
    rows: list[dict[str, Any]] = []
    names = category_names({one.category for one in ALL})
    for i, one in enumerate(ALL):
        text, spans = unmark(one.text)
        claims = [
            {"text": span, "kind": label[:-1], "verdict": VERDICTS[label[-1]], "start": start}
            for label, span, start in spans
        ]
        rows.append(
            {
                "id": f"hm{i:03d}",
                "group": one.group,
                "category": names[one.category],
                "facts": one.facts,
                "note": one.note,
                "ocr": one.ocr,
                "neighbours": one.neighbours,
                "text": text,
                "claims": claims,
            }
        )
    return rows


if __name__ == "__main__":
    print(write_rows(Path(__file__).with_name("claims.jsonl"), build()))
