"""Drafts of goods that no leaf names, by a real server: what they ask, and their texts once the kind is typed.

    python -m benchmarks.drafts.unnamed_goods --work DIR [--seed 50] [--ikea 12] [--ave 8]

Draws photos of types without a leaf (``benchmarks/drafts/kinds.yaml``), prints each draft, then the draft whose seller
has typed the type's name. For a person to read.
"""

from __future__ import annotations

import random
from pathlib import Path

import httpx

from benchmarks.common import arguments
from benchmarks.drafts.kinds import TRUTH, photos_of
from benchmarks.serving.real_server import environment, served
from finetune.data.photosets import data_root


def main() -> None:
    parser = arguments(__doc__, seed=50, ikea=12, ave=8)
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    drawn, items, root = random.Random(args.seed), list[tuple[Path, str]](), data_root()
    for name, count in (("ikea", args.ikea), ("ave", args.ave)):
        rows = [(p, kind) for p, kind in photos_of(name, root) if not TRUTH[name][kind]["leaves"] and p.is_file()]
        items += drawn.sample(sorted(rows, key=str), count)
    args.work.mkdir(parents=True, exist_ok=True)
    variables = environment(args.work / "home")
    with served(variables, args.work / "log") as (url, _), httpx.Client(base_url=url, timeout=180) as client:
        for photo, kind in items:
            made = client.post("/v1/drafts", files={"photos": photo.read_bytes()}).raise_for_status().json()
            draft = made["draft"]
            asked = [question["text"] for question in draft["questions"]]
            print(f"{photo.name} | {kind} | {draft['category']} | {draft['title']} | {draft['description']} | {asked}")
            typed = {"facts": {"category": kind.split(",")[0].lower()}}
            after = client.post(f"/v1/drafts/{made['id']}/claims", json=typed).raise_for_status().json()["draft"]
            print(f"  typed: {after['title']} | {after['description']}", flush=True)


if __name__ == "__main__":
    main()
