"""Writes claims.jsonl from claims_marked.yaml: ``python -m tests.held.make_claims``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.held.markup import category_names, unmark, write_rows

HERE = Path(__file__).parent
VERDICTS = {"+": "supported", "-": "contradicted", "?": "unsupported", "~": "copied", "!": "prohibited"}


def build() -> list[dict[str, Any]]:
    """All rows, each claim with its offset."""
    marked = yaml.safe_load(HERE.joinpath("claims_marked.yaml").read_text(encoding="utf-8"))
    rows: list[dict[str, Any]] = []
    names = category_names({one["category"] for one in marked})
    for i, one in enumerate(marked):
        text, spans = unmark(one["text"])
        claims = [
            {"text": span, "kind": label[:-1], "verdict": VERDICTS[label[-1]], "start": start}
            for label, span, start in spans
        ]
        rows.append(
            {
                "id": f"hm{i:03d}",
                "group": one["group"],
                "category": names[one["category"]],
                "facts": one["facts"],
                "note": one.get("note", ""),
                "ocr": one.get("ocr", []),
                "neighbours": one.get("neighbours", {}),
                "text": text,
                "claims": claims,
            }
        )
    return rows


if __name__ == "__main__":
    print(write_rows(HERE / "claims.jsonl", build()))
