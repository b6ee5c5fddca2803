"""``ipl backup``, ``ipl restore``, ``ipl erase``: data kept, brought back, and deleted for good."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli import CommandError
from listing.errors import PROGRAM

if TYPE_CHECKING:
    from app.accounts.erase import Erased

AFTER_ERASE = {
    "done": "The index and its files hold nothing of it any more; the feed of a running server follows within seconds.",
    "files": "The index holds nothing of it, its server's files do until chroma vacuum; a feed follows within seconds.",
    "away": "The index does not answer; a server that runs takes the listings out of it as soon as it does.",
    "none": "There is no index; the feed of a server that runs follows within seconds.",
}


def register_backup(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ipl backup``."""
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="the tar to write; only its owner will be able to read it"
    )
    parser.add_argument("--force", action="store_true", help="replace FILE if it is there already")


def run_backup(args: argparse.Namespace) -> int:
    """Write listings, photos, orders and the feed's models to one archive; the server may go on meanwhile."""
    from app.settings import load_settings
    from app.store.backup.archive import back_up, say_damaged

    done = back_up(load_settings(), args.file.expanduser().absolute(), force=args.force)
    print(f"{args.file}: {done.files} files ({done.photos} photos), {done.bytes / 1e6:.1f} MB, each with its SHA-256")
    print("Not in it: index, embedded model, session key; docs/operations.md says why.")
    if done.damaged:
        print(f"ipl: the archive is not whole, as {say_damaged(done.damaged)}.", file=sys.stderr)
    return 1 if done.damaged else 0


def register_restore(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ipl restore``."""
    parser.add_argument("file", type=Path, metavar="FILE", help=f"an archive that {PROGRAM} backup wrote")
    parser.add_argument("--into", type=Path, metavar="DIR", required=True, help="the new home; empty or not there yet")


def run_restore(args: argparse.Namespace) -> int:
    """Check the archive as a whole, then make a home of it, at which IPL_HOME points next. A server may run."""
    from app.settings import load_settings
    from app.store.backup.restore import restore

    into = args.into.expanduser().absolute()
    done = restore(args.file, into, load_settings())
    print(f"{done.listings} listings and {done.photos} photos are in {into} ({done.store}).")
    print(f"Start it with  IPL_HOME={into} {PROGRAM} serve  (its photos lie inside: without IPL_MEDIA). It puts the")
    print("listings into the index again; everybody signs in anew.")
    return 0


def register_erase(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ipl erase``."""
    parser.add_argument(
        "name", metavar="NAME", help="who; on a machine of one person, who signs in nowhere, they are called me"
    )
    parser.add_argument("--settle", action="store_true", help="refund the person's open orders instead of refusing")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run_erase(args: argparse.Namespace) -> int:
    """Ask, delete, and say what was deleted and what is left to do. A server may run meanwhile."""
    from app.accounts.erase import erase
    from app.settings import load_settings

    settings = load_settings()
    done = erase(settings, args.name, lambda: None if args.yes else _ask(args.name), settle=args.settle)
    print(f"{args.name} is erased: {_deleted(done)}.")
    if done.orders:
        refunded = f", {done.refunded} of them refunded now" if done.refunded else ""
        print(f"{_count(done.orders, 'order')} stay in the accounts of the other side, without the name{refunded}.")
    print(AFTER_ERASE[done.index])
    print(f"Every backup made before still holds {args.name}, and so does a home restored from one: delete them.")
    return 0


def _ask(name: str) -> None:
    if not sys.stdin.isatty():
        raise CommandError(f"this deletes {name} for good; add --yes where nobody can be asked.", 2)
    if input(f"This deletes {name} and everything of theirs for good. Type the name to go on: ").strip() != name:
        raise CommandError("the name was not typed; nothing was deleted.")


def _deleted(done: Erased) -> str:
    counts = [_count(count, name) for name, count in done.counts.items() if count and name != "account"]
    return ", ".join(counts) if counts else "there was nothing but the name"


def _count(count: int, name: str) -> str:
    """Such as "2 pages of the feed"."""
    first, space, rest = name.partition(" of ")
    ending = "" if count == 1 else "es" if first.endswith("ch") else "s"
    return f"{count} {first}{ending}{space}{rest}"
