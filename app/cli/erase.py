"""``ipl erase``: a person and everything of theirs, for good."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from app.cli import CommandError

if TYPE_CHECKING:
    from app.accounts.erase import Erased

AFTER = {
    "done": "The index holds nothing of it any more; the feed of a server that runs follows within seconds.",
    "server": "The running server follows with its index and its feed within seconds.",
    "away": "The index does not answer; a server that runs takes the listings out of it as soon as it does.",
    "none": "There is no index; the feed of a server that runs follows within seconds.",
}


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "name", metavar="NAME", help="who; on a machine of one person, who signs in nowhere, they are called me"
    )
    parser.add_argument("--settle", action="store_true", help="refund the person's open orders instead of refusing")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(args: argparse.Namespace) -> int:
    """Ask, delete, and say what was deleted and what is left to do. A server may run meanwhile."""
    from app.accounts.erase import erase, line_of, open_known, person_id, refuse_open_orders
    from app.settings import load_settings

    settings = load_settings()
    store = open_known(settings, args.name)
    try:
        who = person_id(store, args.name)
        if not args.settle:
            with store.read() as session:
                refuse_open_orders(session, who, args.name)
    finally:
        store.engine.dispose()
    if not args.yes:
        _ask(args.name)
    done = erase(settings, args.name, settle=args.settle)
    print(f"{args.name} is erased: {_list(done)}.")
    if done.orders:
        refunded = f", {done.refunded} of them refunded now" if done.refunded else ""
        print(f"{_many(done.orders, 'order')} stay in the accounts of the other side, without the name{refunded}.")
    print(AFTER[done.index])
    print(f"Every backup made before still holds {args.name}, and so does a folder before-restore-...: delete them.")
    line = line_of(settings.passwords, args.name)
    if line is not None:
        print(f"The password file still names {args.name}: run  {line}")
    return 0


def _ask(name: str) -> None:
    if not sys.stdin.isatty():
        raise CommandError(f"this deletes {name} for good; add --yes where nobody can be asked.", 2)
    if input(f"This deletes {name} and everything of theirs for good. Type the name to go on: ").strip() != name:
        raise CommandError("the name was not typed; nothing was deleted.")


def _list(done: Erased) -> str:
    counts = [_many(count, name) for name, count in done.counts.items() if count and name != "account"]
    return ", ".join(counts) if counts else "there was nothing but the name"


def _many(count: int, name: str) -> str:
    """Such as "2 pages of the feed"."""
    first, space, rest = name.partition(" of ")
    return f"{count} {first}{'' if count == 1 else 's'}{space}{rest}"
