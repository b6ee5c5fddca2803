"""What the commands that read a catalogue share: their options, the file of words, when they stop, the report."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli import CommandError
from app.setup.steps import say
from listing.home import ipl_home

if TYPE_CHECKING:
    import rag_index
    from rag_index.imports.catalogue import Catalogue
    from rag_index.imports.glossary import Glossary
    from rag_index.imports.report import Report

PROGRESS_SECONDS = 5.0  # between two lines about how far it is
PHOTOS = "name the folder of the photos with --photos DIR"
KINDS = "CSV, TSV, Excel, JSON, JSONL, Parquet, or an export of Shopify, eBay or Google Merchant"


def add_options(parser: argparse._ActionsContainer) -> None:
    """The options of a command that reads a catalogue."""
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="FIELD=COLUMN,...|FILE",
        help="which column is which field, where the names do not say it: listing_id, seller_id, category, title, "
        "description, price, currency, sold, photos, attributes.NAME; or the file of words that was proposed, edited; "
        "may be given again",
    )
    parser.add_argument("--photos", type=Path, metavar="DIR", help="where its photos lie (default: beside the table)")
    parser.add_argument("--allow-partial", action="store_true", help="go on though fewer than half of the rows fit")


def read_map(given: Sequence[str]) -> tuple[dict[str, str | None], Glossary | None]:
    """What ``--map`` says: column by field, and the file of words. ImportProblem: it cannot be used."""
    from rag_index.imports.columns import parse_mapping
    from rag_index.imports.glossary import read_glossary

    files = [Path(word) for word in given if "=" not in word]
    if len(files) > 1:
        raise CommandError(f"--map names two files of words, {files[0]} and {files[1]}; put them into one.", 2)
    columns = parse_mapping(",".join(word for word in given if "=" in word))
    return {name: column or None for name, column in columns.items()}, read_glossary(files[0]) if files else None


def progress(total: int, what: str) -> Callable[[int], None]:
    """Takes how many of ``total`` are done and says so every few seconds."""
    began = last = time.monotonic()

    def tell(done: int) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= PROGRESS_SECONDS:
            last = now
            say(f"{done} of {total} {what}, {now - began:.0f} s")

    return tell


def check_table(table: Path, given: Sequence[str] = (), photos: Path | None = None) -> None:
    """Whether rows of a table can be used, before anything is built; the first row of each trouble is said.

    Raises:
        CommandError: no row can. ImportProblem: the table or what was said of its columns cannot be used.
    """
    from finetune.shops.columns import no_vectors
    from listing.shops.catalogue import vocabulary_of
    from listing.taxonomy import load_taxonomy
    from rag_index.imports.catalogue import NO_PHOTO_FILE, open_catalogue

    choices, glossary = read_map(given)
    opened = open_catalogue(
        table,
        vocabulary_of(load_taxonomy()),
        no_vectors,
        column_choices=choices,
        glossary=glossary,
        photos=photos,
    )
    report = opened.report()
    for reason, (count, first) in report.left_out.items():
        if not first.dropped:
            what = first.detail if reason == NO_PHOTO_FILE else ", ".join(filter(None, (reason, first.detail)))
            say(f"{first.place} of {table.name}: {what}; so it is with {count} of {report.read} rows")
    if not report.usable:
        why = (
            PHOTOS
            if NO_PHOTO_FILE in report.left_out
            else f"check the table and --map; {'; '.join(line.strip() for line in report.lines())}"
        )
        raise CommandError(f"nothing was done: {why.rstrip('.')}.", 2)


def open_table(args: argparse.Namespace, table: Path, encoders: rag_index.Encoders) -> tuple[Catalogue, int]:
    """The table in our words, and its number of rows; open words go to a file beside it, to be decided.

    Raises:
        CommandError: fewer than half of the rows fit, and nobody has said that this is all right.
    """
    from listing.shops.catalogue import vocabulary_of
    from listing.taxonomy import load_taxonomy
    from rag_index.imports.catalogue import NO_PHOTO_FILE, open_catalogue

    choices, glossary = read_map(args.map)
    catalogue = open_catalogue(
        table,
        vocabulary_of(load_taxonomy()),
        encoders.text_vectors,
        column_choices=choices,
        glossary=glossary,
        photos=args.photos,
    )
    report = catalogue.report()
    advice = "" if glossary or not catalogue.glossary.undecided() else _propose(catalogue)
    otherwise = PHOTOS if NO_PHOTO_FILE in report.left_out else "check the table and --map"
    go_on(args, report, advice or otherwise, quiet=True)
    if advice:
        print(f"{advice[0].upper()}{advice[1:]}.", flush=True)
    return catalogue, report.read


def _propose(catalogue: Catalogue) -> str:
    """Write the file of words, never over one that is there; returns what to do."""
    file = catalogue.path.with_name(f"{catalogue.path.stem}.mapping.yaml")
    count = catalogue.glossary.undecided()
    try:
        with file.open("x", encoding="utf-8") as opened:
            unused = catalogue.columns.unused(catalogue.header)
            opened.write(catalogue.glossary.text(catalogue.path.name, unused, f"--map {file}"))
    except FileExistsError:
        return f"{count} words are open, and {file} is there from before: edit it and pass it with --map, or delete it"
    except OSError as error:
        message = f"{file} cannot be written ({error.strerror}); copy the table to a folder of yours."
        raise CommandError(message) from error
    return f"{count} words are open: edit {file} and run this again with --map {file}"


def go_on(args: argparse.Namespace, report: Report, advice: str, *, quiet: bool = False) -> None:
    """Print the report; ``quiet``: only where it ends here. CommandError: see ``open_table``."""
    stops = not report.usable or (
        report.is_poor and not any("=" not in word for word in args.map) and not args.allow_partial
    )
    if stops or not quiet:
        for line in report.lines():
            print(line, file=sys.stderr if stops else sys.stdout)
    if stops:
        allow = ", or go on so with --allow-partial" if report.usable else ""
        raise CommandError(f"nothing was done: {advice}{allow}.")


def imports_home() -> Path:
    """Where photos are kept that were fetched, and what is needed to go on after a stop."""
    return ipl_home() / "imports"
