"""Counts of the held-out sets, by file and group: ``python -m tests.held.counts``. Shows no text."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    """Print the counts."""
    for name in ("contacts", "goods", "claims", "injection"):
        lines = (HERE / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        print(f"{name}: {len(rows)} rows")
        if name == "contacts":
            dirty = [len(r["contacts"]) for r in rows if r["contacts"]]
            print(f"  with contacts {len(dirty)}, contacts {sum(dirty)}")
        if name == "goods":
            print(f"  prohibited {sum(r['prohibited'] for r in rows)}")
        if name == "claims":
            print(f"  verdicts {dict(Counter(c['verdict'] for r in rows for c in r['claims']))}")
        if name == "injection":
            print(f"  channels {dict(Counter(r['channel'] for r in rows))}")
        for group, count in Counter(r["group"] for r in rows).items():
            print(f"  {group:28s} {count}")


if __name__ == "__main__":
    main()
