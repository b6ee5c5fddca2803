"""``ipl draft``: one item's photos to its draft listing."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from listing.errors import PROGRAM
from listing.home import ipl_home
from listing.languages import ENGLISH, LANGUAGES

if TYPE_CHECKING:
    from listing.request import Event
    from listing.schema import Draft

STAGES = {
    "photos": "looking at the photos",
    "reading": "reading the text in them",
    "category": "finding out what it is",
    "similar": "finding similar past listings",
    "facts": "gathering facts",
    "text": "writing",
    "checks": "checking what was written",
}


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="1 to 8 photos of one item (JPEG, PNG, WebP, HEIC)")
    parser.add_argument("--note", default="", metavar="TEXT", help="what a buyer should know; kept word for word")
    parser.add_argument(
        "--lang",
        choices=sorted(LANGUAGES),
        default=ENGLISH,
        help="the language of the texts (default: en); the embedded model writes English alone",
    )
    parser.add_argument("--json", action="store_true", help="print the draft as JSON")
    add_model_options(parser)
    add_without_mllm(parser)


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """The options of every command that writes drafts."""
    parser.add_argument(
        "--model",
        metavar="ID|URL",
        default=os.environ.get("IPL_MODEL"),
        type=lambda given: given or None,
        help="another model: a hub id, a folder, or the URL of an OpenAI-compatible server (default: what IPL_MODEL "
        "names, else the embedded one)",
    )
    parser.add_argument(
        "--shop",
        metavar="DIR",
        default=os.environ.get("IPL_SHOP"),
        help=f"a shop's folder that {PROGRAM} learn made: drafts in its words (default: what IPL_SHOP names)",
    )
    parser.add_argument("--no-rag", dest="rag", action="store_false", help="do without similar past listings")


def add_without_mllm(parser: argparse.ArgumentParser) -> None:
    """The option of the commands that end with their drafts."""
    parser.add_argument(
        "--without-mllm",
        dest="without",
        action="store_const",
        const=("mllm",),
        default=(),
        help="do not ask the embedded language model: quicker, less sure of category and for whom",
    )


def check(args: argparse.Namespace) -> None:
    """Take the photos in; what is wrong with them, the shop or the index is said."""
    from listing.batch.run import photo_files
    from listing.intake.photos import intake

    args.photos = intake(photo_files(args.photos, Path()))
    check_drafting(args)


def check_drafting(args: argparse.Namespace) -> None:
    """Whether the shop and the index's server are there. ShopError, IndexUnreachable: they are not."""
    from listing.shops.shop import Shop
    from rag_index import check_answers, default_location

    if args.shop:
        _ = Shop(Path(args.shop).expanduser()).current
    elif args.rag:
        check_answers(default_location(ipl_home()))


def run(args: argparse.Namespace) -> int:
    """Write the draft to stdout, the progress to stderr."""
    from listing.pipeline import build_pipeline
    from listing.request import DraftRequest

    pipeline = build_pipeline(args.model, args.rag, ipl_home(), without=args.without)
    draft = follow(pipeline.run(DraftRequest(photos=args.photos, note=args.note, language=args.lang)))
    if args.json:
        print(draft.model_dump_json(indent=2))
    else:
        from app.cli.drafts.draft_text import draft_text

        print(draft_text(draft))
    return 0


def follow(events: Iterable[Event]) -> Draft:
    """Show the events as they come; returns the finished draft."""
    from app.cli import CommandError
    from app.cli.drafts.draft_text import category_line
    from listing.say.ask import readable

    started = time.monotonic()

    def tell(text: str) -> None:
        print(f"{time.monotonic() - started:5.1f} s  {text}", file=sys.stderr, flush=True)

    for event in events:
        if event.kind == "stage":
            tell(STAGES[event.stage])
        elif event.kind == "category":
            tell(category_line(event.category))
        elif event.kind == "draft":
            return readable(event.draft)
    raise CommandError("the draft was not finished; run ./ipl doctor.")
