"""``ipl index build|add|search|stats``. What needs the rest of the program (scrubbing, intake) comes in as ``Kit``."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag_index.encoders import Encoders
    from rag_index.imports.import_tables import RowProblem
    from rag_index.imports.importer import Tools
    from rag_index.imports.record_checks import ContactCheck
    from rag_index.records import IndexRecord

SHOWN_PROBLEMS = 20


@dataclass(frozen=True)
class Kit:
    """Where the index is, its models, and what the caller does for it (``rag_index.imports.importer.Tools``).

    contact_check: the kind of contact data in a text, or None; what holds any is not stored.
    """

    location: str
    encoders: Encoders
    tools: Callable[[], Tools]
    contact_check: ContactCheck | None = None


def register(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands; nothing heavy is imported."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--index", metavar="PLACE", help="folder, or address of a chroma server (default: IPL_INDEX)")
    table = argparse.ArgumentParser(add_help=False)
    table.add_argument(
        "--map",
        default="",
        metavar="FIELD=COLUMN,...",
        help="which column is which field: listing_id, seller_id, category, title, description, price, currency, sold, "
        "photos, attributes.NAME",
    )
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    made = commands.add_parser(
        "build", parents=[common, table], help="make the index: from the sample, or from a table"
    )
    source = made.add_mutually_exclusive_group()
    source.add_argument("--sample", action="store_true", help="from the sample listings (this is the default)")
    source.add_argument(
        "--from", dest="table", type=Path, metavar="TABLE", help="CSV, JSONL or Parquet of past listings"
    )
    source.add_argument("--empty", action="store_true", help="an index without listings")
    made.add_argument("--if-missing", action="store_true", help="do nothing when there is a fitting index")

    more = commands.add_parser("add", parents=[common, table], help="add your own past listings")
    more.add_argument("table", type=Path, metavar="TABLE", help="CSV, JSONL or Parquet")

    search_ = commands.add_parser("search", parents=[common], help="find past listings by words or by photos")
    search_.add_argument("words", nargs="*", help="what to look for")
    search_.add_argument("--photo", action="append", type=Path, default=[], metavar="FILE", help="may be given again")
    search_.add_argument("--category", help="only this category")
    search_.add_argument("-n", type=int, default=5, metavar="N", help="how many (default 5)")
    search_.add_argument("--json", action="store_true", help="one JSON object a line")

    commands.add_parser("stats", parents=[common], help="what is in the index and which models made it")


def run(args: argparse.Namespace, kit: Kit) -> int:
    """Run the chosen subcommand; returns the exit status."""
    actions = {"build": build, "add": add, "search": search, "stats": stats}
    return actions[args.action](args, kit)


def build(args: argparse.Namespace, kit: Kit) -> int:
    """Make the index and swap it in."""
    from rag_index.index import build as build_index
    from rag_index.sample.load import sample_records

    if args.if_missing and _fits(kit):
        print(f"the index in {kit.location} is there already")
        return 0
    problems: list[RowProblem] = []
    if args.empty:
        records: Iterator[IndexRecord] = iter(())
    elif args.table:
        records = _usable(args, kit, problems)
    else:
        records = sample_records(kit.encoders.info)
    count = build_index(records, kit.location, kit.encoders.info, contact_check=kit.contact_check)
    print(f"{count} listings in {kit.location}")
    return _report(problems)


def add(args: argparse.Namespace, kit: Kit) -> int:
    """Import a table into the index that is there."""
    from rag_index.imports.import_tables import parse_mapping
    from rag_index.imports.importer import import_table
    from rag_index.index import ListingIndex

    mapping = parse_mapping(args.map)
    with ListingIndex.open(kit.location, kit.encoders.info, contact_check=kit.contact_check) as index:
        stored, problems = import_table(args.table, mapping, kit.tools(), index.add)
    print(f"{stored} listings added to {kit.location}")
    return _report(problems)


def search(args: argparse.Namespace, kit: Kit) -> int:
    """Print what is nearest to words or photos."""
    from rag_index.index import ListingIndex
    from rag_index.retrieve import Query, Rules, retrieve

    words = " ".join(args.words).strip()
    if not words and not args.photo:
        print("ipl: name words to look for, or a photo (--photo FILE)", file=sys.stderr)
        return 2
    photos = kit.tools().read_photos(args.photo) if args.photo else []
    with ListingIndex.open(kit.location, kit.encoders.info) as index:
        query = Query(
            image_vectors=kit.encoders.image_vectors([p.image for p in photos]).tolist(),
            text_vector=kit.encoders.text_vectors([words])[0].tolist() if words else None,
            category=args.category,
        )
        # A person who looks around may see everything; the rules guard what reaches a draft.
        for found in retrieve(index, query, args.n, Rules.off()):
            record = found.record
            if args.json:
                plain = record.model_dump(exclude={"image_vectors", "text_vector"})
                print(json.dumps({"score": round(found.score, 4), **plain}, ensure_ascii=False))
            else:
                title = record.text.splitlines()[0] if record.text else ""
                print(f"{found.similarity:.2f}  {record.listing_id}  {record.category}  {title}")
    return 0


def stats(args: argparse.Namespace, kit: Kit) -> int:
    """Print counts and models; loads no model."""
    from rag_index.index import ListingIndex

    with ListingIndex.open(kit.location) as index:
        manifest = index.manifest
        print(f"place      {kit.location}")
        print(f"listings   {index.count()} ({index.photo_count()} photos)")
        print(f"built      {manifest.built_at} with {manifest.count} listings")
        for kind in ("image", "text"):
            info = getattr(manifest.encoders, kind)
            print(f"{kind:<10} {info.model}, weights {info.revision}, {info.dimensions} numbers")
        for name, count in Counter(index.categories()).most_common():
            print(f"  {count:>7}  {name}")
    return 0


def _fits(kit: Kit) -> bool:
    """Whether there is an index of these models.

    Raises:
        IndexMismatch: it is another model's and holds more than the sample, which only its owner may give up.
    """
    from rag_index.errors import IndexMismatch, IndexMissing
    from rag_index.index import ListingIndex

    try:
        ListingIndex.open(kit.location, kit.encoders.info).close()
    except IndexMissing:
        return False
    except IndexMismatch:
        with ListingIndex.open(kit.location) as index:
            if any(not name.startswith("sample-") for name in index.ids()):
                raise
        return False
    return True


def _usable(args: argparse.Namespace, kit: Kit, problems: list[RowProblem]) -> Iterator[IndexRecord]:
    from rag_index.errors import BadRecord
    from rag_index.imports.import_tables import RowProblem, parse_mapping, read_table
    from rag_index.imports.importer import to_records
    from rag_index.imports.record_checks import check

    for made in to_records(read_table(args.table, parse_mapping(args.map)), kit.tools()):
        if isinstance(made, RowProblem):
            problems.append(made)
            continue
        try:
            check(made, kit.encoders.info, kit.contact_check)
        except BadRecord as error:
            problems.append(RowProblem(0, str(error)))
            continue
        yield made


def _report(problems: list[RowProblem]) -> int:
    for problem in problems[:SHOWN_PROBLEMS]:
        where = f"row {problem.number}: " if problem.number else ""
        print(f"left out: {where}{problem.message}", file=sys.stderr)
    if len(problems) > SHOWN_PROBLEMS:
        print(f"left out: {len(problems) - SHOWN_PROBLEMS} more rows", file=sys.stderr)
    return 1 if problems else 0
