"""Writes ``dev2_goods_{tune,check}.jsonl`` from ``dev2_goods.yaml``. ``python -m tests.sets.make_goods2``."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.sets.make_contacts import write

HERE = Path(__file__).parent


def main() -> None:
    lines = yaml.safe_load((HERE / "dev2_goods.yaml").read_text(encoding="utf-8"))
    for half, name in enumerate(("tune", "check")):
        rows = []
        for side, listings in lines.items():
            for listing in listings[half::2]:
                category, text = listing.split(" | ", 1)
                known = None if category == "null" else category
                rows.append({"category": known, "text": text, "prohibited": side == "prohibited"})
        write(f"dev2_goods_{name}.jsonl", [{"id": f"{name[0]}{i:03d}", **row} for i, row in enumerate(rows)])


if __name__ == "__main__":
    main()
