"""Writes ``dev2_goods_{tune,check}`` and ``dev3_goods`` from their YAML. ``python -m tests.sets.make_goods2``."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.sets.jsonl import write

HERE = Path(__file__).parent


def deal(source: str, names: dict[str, slice]) -> None:
    """Write each named part of the lines of ``source``."""
    lines = yaml.safe_load((HERE / source).read_text(encoding="utf-8"))
    for name, part in names.items():
        rows = []
        for side, listings in lines.items():
            for listing in listings[part]:
                category, text = listing.split(" | ", 1)
                known = None if category == "null" else category
                rows.append({"category": known, "text": text, "prohibited": side == "prohibited"})
        letter = name.split("_")[-1][0]
        write(f"{name}.jsonl", [{"id": f"{letter}{i:03d}", **row} for i, row in enumerate(rows)])


def main() -> None:
    deal("dev2_goods.yaml", {"dev2_goods_tune": slice(0, None, 2), "dev2_goods_check": slice(1, None, 2)})
    deal("dev3_goods.yaml", {"dev3_goods": slice(None)})


if __name__ == "__main__":
    main()
