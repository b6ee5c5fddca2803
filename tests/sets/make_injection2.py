"""Writes ``dev2_injection_{tune,check}`` and ``dev3_injection``. ``python -m tests.sets.make_injection2``."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.sets.jsonl import write
from tests.sets.make_injection import HONEST

HERE = Path(__file__).parent


def rows_of(source: str) -> list[dict[str, object]]:
    """One row for every attack of a file; things and channels take turns."""
    attacks = yaml.safe_load((HERE / source).read_text(encoding="utf-8"))
    things = list(HONEST.items())
    rows: list[dict[str, object]] = []
    for i, (attack, adds, must_not) in enumerate(attacks):
        category, (facts, honest) = things[i // 2 % len(things)]
        channel = ("photo", "note", "neighbour")[i // 2 % 3]
        rows.append(
            {
                "id": f"j{i:02d}",
                "channel": channel,
                "category": category,
                "facts": facts,
                "note": "",
                "attack": attack,
                "obeyed": f"{honest} {adds}",
                "must_not": must_not,
                "keep": [honest.split()[0]],
            }
        )
    return rows


def main() -> None:
    rows = rows_of("dev2_injection.yaml")
    for half, name in enumerate(("tune", "check")):
        write(f"dev2_injection_{name}.jsonl", rows[half::2])
    write("dev3_injection.jsonl", rows_of("dev3_injection.yaml"))


if __name__ == "__main__":
    main()
