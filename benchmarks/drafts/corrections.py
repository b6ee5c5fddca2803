"""Gains from what sellers correct: drafts of a real server are corrected and published, then learned with --from-store.

    python -m benchmarks.drafts.corrections fashion_catalog --past 200 --corrected 200 --work DIR

The split is that of ``benchmarks.drafts.learned``: the first ``--past`` of its past listings are the shop, the first
``--corrected`` of its new ones are published by a seller who sets each answer of the shop's questions right, and the
rest are measured with the version before and the one after.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pandas as pd

import finetune
from benchmarks.common import arguments, machine
from benchmarks.drafts.learned import split
from benchmarks.serving.real_server import ROOT, environment, served
from finetune.shops.columns import no_vectors
from listing.home import ipl_home
from listing.shops.catalogue import vocabulary_of
from listing.shops.shop import TAXONOMY, Shop
from listing.taxonomy import load_taxonomy
from rag_index.imports.catalogue import RowReader, open_catalogue
from rag_index.imports.tables import RawRow, read_rows


def answers(table: finetune.Table, version: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """(photo, question -> answer) of each listing of a table, in the shop's words."""
    questions = set(json.loads((version / "report.json").read_text(encoding="utf-8"))["questions"])
    catalogue = open_catalogue(table.path, vocabulary_of(load_taxonomy(version / TAXONOMY)), no_vectors)
    columns = catalogue.columns.attributes
    for row in read_rows(table.path):
        if isinstance(row, RawRow):
            reader = RowReader(row.cells, catalogue.columns)
            stated = {name: str(row.cells.get(column) or "") for name, column in columns.items() if name in questions}
            stated["category"] = reader.category()
            yield (table.photos or table.path.parent) / str(row.cells["image"]), {n: v for n, v in stated.items() if v}


def publish(client: httpx.Client, photo: Path, truth: Mapping[str, str]) -> int:
    """Draft, correct and publish one listing; the number of answers that were set right."""
    draft = client.post("/v1/drafts", files={"photos": photo.read_bytes()}).raise_for_status().json()
    body = draft["draft"]
    stated = {a["name"]: a["value"] for a in body["attributes"]} | {"category": (body["category"] or {}).get("value")}
    # The category first: it decides which questions the others are asked of.
    wrong = {n: v for n, v in sorted(truth.items(), key=lambda x: x[0] != "category") if stated.get(n) != v}
    refused = 0
    for name, value in wrong.items():
        answer = client.post(f"/v1/drafts/{draft['id']}/claims", json={"facts": {name: value}})
        refused += answer.status_code != 200
    client.post(f"/v1/drafts/{draft['id']}/claims", json={"confirm": True})
    client.post("/v1/listings", json={"draft_id": draft["id"], "price": 10}).raise_for_status()
    return len(wrong) - refused


def main() -> None:
    parser = arguments(__doc__, past=200, corrected=200)
    parser.add_argument("name", choices=("fashion_catalog", "ikea_interior"))
    parser.add_argument("--split", type=int, default=2200, help="past listings of the split")
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    home, root, shop = ipl_home(), finetune.data_root() / args.name, Shop(args.work / "shop")
    stamp = finetune.weights_stamp(home / "models" / "ipl-mini")
    past, new = split(args.name, args.split)
    args.work.mkdir(parents=True, exist_ok=True)
    frames: dict[str, pd.DataFrame] = {
        "past": past.iloc[: args.past], "corrected": new.iloc[: args.corrected], "rest": new.iloc[args.corrected :]
    }  # fmt: skip
    tables = {}
    for name, frame in frames.items():
        frame.to_csv(args.work / f"{name}.csv", index=False)
        tables[name] = finetune.Table(args.work / f"{name}.csv", photos=root)
    variables = environment(args.work / "home", IPL_SHOP=str(shop.folder))
    learn = [sys.executable, "-P", "-m", "app.cli", "learn", "-o", str(shop.folder)]
    first = [str(tables["past"].path), "--photos", str(root)]
    subprocess.run([*learn, *first], env=variables, cwd=ROOT, check=True)
    before = shop.current
    with served(variables, args.work / "server.log") as (url, _), httpx.Client(base_url=url, timeout=120) as client:
        corrected = sum(publish(client, photo, truth) for photo, truth in answers(tables["corrected"], before))
    print(f"{corrected} answers of {args.corrected} drafts set right", flush=True)
    subprocess.run([*learn, "--from-store"], env=variables, cwd=ROOT, check=True)
    results: dict[str, Any] = {**machine(), "answers set right": corrected, "rest": len(frames["rest"])}
    for arm, version in (("before", before), ("after", shop.current)):
        results[arm] = finetune.measure(version, tables["rest"], args.work / "new", home, stamp)
    for question in results["before"].keys() & results["after"].keys():
        print(question, *(results[arm][question]["shop"] for arm in ("before", "after")), flush=True)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
