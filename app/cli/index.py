"""``ipl index build|add|remove|stats``: past listings into the index and out of it, and what is there."""

from __future__ import annotations

import argparse
import functools
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import rag_index
from app.cli import CommandError, catalogue
from app.setup.steps import say
from listing.home import ipl_home, private_files

if TYPE_CHECKING:
    from rag_index.imports.importer import Import


def register(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands; nothing heavy is imported."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--index", metavar="PLACE", help="folder, or address of a chroma server (default: IPL_INDEX)")
    table = argparse.ArgumentParser(add_help=False)
    catalogue.add_options(table)
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    build_ = commands.add_parser(
        "build", parents=[common, table], help="make the index: from the sample, or from a table"
    )
    source = build_.add_mutually_exclusive_group()
    source.add_argument("--sample", action="store_true", help="from the sample listings (this is the default)")
    source.add_argument(
        "--from", dest="table", type=Path, metavar="TABLE", help=f"your past listings: {catalogue.KINDS}"
    )
    source.add_argument("--empty", action="store_true", help="an index without listings")
    build_.add_argument("--if-missing", action="store_true", help="do nothing when there is a fitting index")

    more = commands.add_parser("add", parents=[common, table], help="add your own past listings")
    more.add_argument("table", type=Path, metavar="TABLE", help=catalogue.KINDS)

    less = commands.add_parser("remove", parents=[common], help="take listings out again")
    less.add_argument("ids", nargs="*", metavar="ID", help="ids of listings")
    less.add_argument("--from", dest="table", type=Path, metavar="TABLE", help="all listings of this table")
    less.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="FIELD=COLUMN,...",
        help="as it was added: which column has the ids",
    )

    commands.add_parser("stats", parents=[common], help="what is in the index and which models made it")


def check(args: argparse.Namespace) -> None:
    """Look at the place of the index, and at the table or the photos."""
    if find_spec("chromadb") is None:  # before anything asks for a model or an index that could not be made
        raise ModuleNotFoundError(name="chromadb")
    args.index = args.index or rag_index.default_location(ipl_home())
    rag_index.check_answers(args.index)
    if args.action in ("build", "add") and args.table:
        catalogue.check_table(args.table, args.map, args.photos)


def run(args: argparse.Namespace) -> int:
    """Run a subcommand; returns the exit status."""
    home = ipl_home()
    actions = {"build": build, "add": add, "remove": remove, "stats": stats}
    with private_files():
        return actions[args.action](args, rag_index.default_encoders(home))


def build(args: argparse.Namespace, encoders: rag_index.Encoders) -> int:
    """Make the index and swap it in."""
    if args.if_missing and _fits(args.index, encoders):
        print(f"the index in {args.index} is there already")
        return 0
    import_ = _import(args, encoders) if args.table else None
    if args.empty:
        records: Iterable[rag_index.IndexRecord] = ()
    else:
        records = import_.records() if import_ else _samples(encoders)
    check = import_.check if import_ else None  # the sample is looked at by a test; that takes ten seconds
    count = rag_index.build(records, args.index, encoders.info, contact_check=check)
    if import_:
        import_.done()
    print(f"{count} listings in {args.index}")
    return 0


def add(args: argparse.Namespace, encoders: rag_index.Encoders) -> int:
    """Import a table into the index that is there."""
    rag_index.ListingIndex.open(args.index, encoders.info).close()  # better to hear of it before the work
    import_ = _import(args, encoders)
    with rag_index.ListingIndex.open(args.index, encoders.info, contact_check=import_.check) as index:
        before = index.count()
        stored = index.add(import_.records())
        new = index.count() - before
        gone = index.remove(import_.dropped)
    import_.done()
    replaced = f"; {stored - new} were there already and are replaced" if stored > new else ""
    left = f"; {gone} left it, which the mapping leaves out now" if gone else ""
    print(f"{new} listings added to {args.index}{replaced}{left}")
    return 0


def remove(args: argparse.Namespace, encoders: rag_index.Encoders) -> int:
    """Take listings out of the index, with what was kept to encode them no second time."""
    from listing.shops.catalogue import vocabulary_of
    from listing.taxonomy import load_taxonomy
    from rag_index.imports.catalogue import listing_ids
    from rag_index.imports.work_store import forget

    if not args.ids and not args.table:
        raise CommandError("name the listings to remove by their ids, or their table with --from TABLE.", 2)
    ids = list(args.ids)
    if args.table:
        ids += listing_ids(args.table, vocabulary_of(load_taxonomy()), catalogue.read_map(args.map)[0])
    with rag_index.ListingIndex.open(args.index) as index:
        removed = index.remove(ids)
    forget(catalogue.imports_home(), ids)
    if not removed:
        raise CommandError(f"none of these listings is in {args.index}.")
    print(f"{removed} listings removed from {args.index}")
    return 0


def _samples(encoders: rag_index.Encoders) -> Iterator[rag_index.IndexRecord]:
    """The sample listings of which the taxonomy has the category: one of bikes has none."""
    from listing.taxonomy import load_taxonomy

    categories = load_taxonomy().categories
    return (record for record in rag_index.sample_records(encoders.info) if record.category in categories)


def _import(args: argparse.Namespace, encoders: rag_index.Encoders) -> Import:
    """The table's rows, made ready; CommandError: too few of them can be used."""
    from listing.shops.catalogue import tools
    from rag_index.imports.importer import Import

    opened, rows = catalogue.open_table(args, args.table, encoders)
    say(f"making {rows} rows of {args.table.name} ready")
    import_ = Import(opened, tools(), encoders, catalogue.imports_home(), _contact_check)
    report = import_.prepare(catalogue.progress(rows, "rows made ready"))
    catalogue.go_on(args, report, catalogue.PHOTOS)
    say(f"storing {report.usable} listings")
    return import_


def stats(args: argparse.Namespace, encoders: rag_index.Encoders) -> int:
    """Print counts and models; loads no model."""
    with rag_index.ListingIndex.open(args.index) as index:
        manifest = index.manifest
        print(f"place      {args.index}")
        print(f"listings   {index.count()} ({index.photo_count()} photos)")
        print(f"built      {manifest.built_at} with {manifest.count} listings")
        for kind in ("image", "text"):
            info = getattr(manifest.encoders, kind)
            print(f"{kind:<10} {info.model}, weights {info.revision}, {info.dimensions} numbers")
        for name, count in Counter(index.categories()).most_common():
            print(f"  {count:>7}  {name}")
    return 0


def _fits(location: str, encoders: rag_index.Encoders) -> bool:
    """Whether there is an index of these models that can be read.

    Raises:
        IndexMismatch: it is another model's and holds more than the sample, which only its owner may give up.
    """
    try:
        rag_index.ListingIndex.open(location, encoders.info).close()
    except (rag_index.IndexMissing, rag_index.IndexDamaged):
        return False
    except rag_index.IndexMismatch:
        with rag_index.ListingIndex.open(location) as index:
            if any(not name.startswith("sample-") for name in index.ids()):
                raise
        return False
    return True


@functools.lru_cache(maxsize=4096)
def _contact_check(text: str) -> str | None:
    """``sure_contact``; categories and values come again with most listings, and looking takes longer than storing."""
    from listing.safety.contacts import sure_contact

    return sure_contact(text)
