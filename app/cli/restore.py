"""``ipl restore``: an archive of ``ipl backup`` back into a home."""

from __future__ import annotations

import argparse
from pathlib import Path


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("file", type=Path, metavar="FILE", help="an archive that ./ipl backup wrote")
    parser.add_argument("--home", type=Path, metavar="DIR", help="where to (default: IPL_HOME)")
    parser.add_argument(
        "--force", action="store_true", help="go ahead where there is data already; it is moved aside, not deleted"
    )


def run(args: argparse.Namespace) -> int:
    """Check the archive as a whole, then put everything in its place. The server must not run meanwhile."""
    from app.settings import load_settings
    from app.store.backup.restore import restore

    given = {"home": args.home.expanduser().resolve()} if args.home else {}
    settings = load_settings(**given)
    done = restore(args.file, settings, force=args.force)
    print(f"{done.listings} listings and {done.photos} photos are back in {settings.home} ({done.store}).")
    for aside in (done.aside, done.photos_aside):
        if aside is not None:
            print(f"What was there lies in {aside}.")
    print("The next ./ipl serve puts the listings into the index again; everybody signs in anew.")
    return 0
