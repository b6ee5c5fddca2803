"""``ipl learn``: past listings of a shop into a folder that drafts speak its words from."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import finetune
from app.cli import CommandError, catalogue
from app.setup.steps import say
from listing.errors import PROGRAM
from listing.home import ipl_home, private_files

if TYPE_CHECKING:
    from listing.shops.shop import Shop

SOURCE, MERGED, SAMPLED, PHOTOS = "source.json", "with-store.jsonl", "sample.jsonl", "store"
NONE: dict[str, Any] = {"questions": {}, "remarks": [], "next": []}


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("table", nargs="?", type=Path, metavar="TABLE", help=f"past listings: {catalogue.KINDS}")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="DIR", help="the shop's folder")
    parser.add_argument(
        "--from-store",
        action="store_true",
        help=f"learn what was published in {PROGRAM} serve too; without TABLE, beside the one that was learned before",
    )
    parser.add_argument("--rollback", action="store_true", help="put the version before the current one into use")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="learn N rows for a look alone, in a minute")
    catalogue.add_options(parser)


def check(args: argparse.Namespace) -> None:
    """Look at the table; see ``check_table``."""
    from listing.shops.shop import Shop

    if not args.rollback:
        source = _source(args, Shop(args.out.expanduser().absolute()))
        photos = Path(source["photos"]) if source.get("photos") else None
        catalogue.check_table(Path(source["table"]), source.get("map", ()), photos)


def run(args: argparse.Namespace) -> int:
    """Learn, or go a version back; returns the exit status."""
    from listing.shops.shop import Shop

    os.environ.pop("IPL_SHOP", None)  # what is learned does not depend on what was learned before
    shop = Shop(args.out.expanduser().absolute())
    if args.rollback:
        print(f"{shop.roll_back()} is in use")
        return 0
    home, before = ipl_home(), _figures_in_use(shop)
    with private_files():
        source = _source(args, shop)
        table = _table(source)
        if args.from_store:
            table = _with_store(table, shop)
        if args.sample:
            table = replace(table, path=_sampled(table, args.sample, shop.cache / SAMPLED))
        learned = finetune.learn(
            table, shop, home, finetune.weights_stamp(home / "models" / "ipl-mini"), say, trial=bool(args.sample)
        )
        if args.sample:
            print("\n".join(summary(_figures(learned.version), before)))
            print(f"so {learned.listings} rows say; nothing was put into use: without --sample all rows are learned")
            return 0
        (shop.folder / SOURCE).write_text(json.dumps(source, indent=1) + "\n", encoding="utf-8")
    figures = _figures(learned.version)
    print("\n".join(summary(figures, before)))
    print(f"{learned.listings} listings learned. What to do next:")
    print("\n".join(f"- {step}" for step in (*figures["next"], f"look at {learned.version / 'report.html'}")))
    print(f"- use it: {PROGRAM} draft PHOTO --shop {args.out}   (or IPL_SHOP={args.out}); undo it: --rollback")
    return 0


def _source(args: argparse.Namespace, shop: Shop) -> dict[str, Any]:
    """The table and how it is read, as given or as it was learned before."""
    if args.table is not None:
        files = {"table": args.table, "photos": args.photos}
        given = [word if "=" in word else str(Path(word).expanduser().absolute()) for word in args.map]
        return {"map": given, **{name: str(file.expanduser().absolute()) for name, file in files.items() if file}}
    file = shop.folder / SOURCE
    if not file.is_file():
        raise CommandError("name the table of past listings; ./ipl learn --help says which kinds can be read.", 2)
    source: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    if isinstance(source.get("map"), str):  # as it was written before there was one option
        source["map"] = [word for word in (source["map"], source.get("mapping")) if word]
    return source


def _table(source: dict[str, Any]) -> finetune.Table:
    columns, glossary = catalogue.read_map(source.get("map", ()))
    path = Path(source["table"])
    return finetune.Table(path, columns, glossary, Path(source["photos"]) if source.get("photos") else path.parent)


def _with_store(table: finetune.Table, shop: Shop) -> finetune.Table:
    """The table with the store's published listings behind its own rows."""
    from app.market.learned_listings import published_rows, write_with_store
    from app.settings import load_settings
    from app.store.db import open_store
    from app.store.media import Media
    from listing.shops.catalogue import vocabulary_of
    from listing.taxonomy import load_taxonomy
    from rag_index.imports.columns import find_columns
    from rag_index.imports.tables import RawRow, read_rows

    settings = load_settings()
    header = next((list(row.cells) for row in read_rows(table.path) if isinstance(row, RawRow)), None)
    if header is None:
        raise CommandError(f"{table.path.name} has no row that can be read; check that it is the right file.", 2)
    columns = find_columns(header, table.given, vocabulary_of(load_taxonomy()).values.keys(), table.path.name)
    store, merged = open_store(settings.store_url), shop.cache / MERGED
    try:
        rows = published_rows(store, Media(settings.media_folder), columns, shop.cache / PHOTOS)
        count = write_with_store(table.path, rows, merged)
    finally:
        store.engine.dispose()
    say(f"{count} published listings of the store stand behind the table's own")
    return replace(table, path=merged)


def _sampled(table: finetune.Table, count: int, out: Path) -> Path:
    """Some rows of a table as JSON lines, drawn by chance and the same each time."""
    import random

    from rag_index.imports.products import one_row_each
    from rag_index.imports.tables import RawRow, read_rows

    rows = [row for row in one_row_each(read_rows(table.path)) if isinstance(row, RawRow)]
    drawn = random.Random(0).sample(rows, min(count, len(rows)))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(json.dumps(row.cells, default=str) + "\n" for row in drawn), encoding="utf-8")
    return out


def _figures_in_use(shop: Shop) -> dict[str, Any]:
    """The questions' figures of the version in use; none before the first."""
    return _figures(shop.current) if (shop.folder / "current").is_file() else NONE


def _figures(version: Path) -> dict[str, Any]:
    """The questions' figures of a version."""
    from listing.shops.shop import FIGURES

    file = version / FIGURES
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else NONE


def summary(figures: dict[str, Any], before: dict[str, Any]) -> list[str]:
    """The report's table for a terminal, with how often each answer was right in the version before."""
    lines = [f"{'':16} right  (before)  stated  right of those"]
    for name, shares in figures["questions"].items():
        earlier = before["questions"].get(name, {}).get("right")
        cells = (shares["right"], earlier, shares["stated"], shares["stated_right"])
        right, was, stated, sure = ("" if share is None else f"{share:.0%}" for share in cells)
        lines.append(f"{name:16} {right:>5}  {was:>8}  {stated:>6}  {sure:>5}")
    return [*lines, *(f"- {remark}" for remark in figures["remarks"][:8])]
