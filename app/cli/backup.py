"""``ipl backup``: listings, photos, orders and the feed's models in one archive."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="the tar to write; only its owner will be able to read it"
    )
    parser.add_argument("--force", action="store_true", help="replace FILE if it is there already")


def run(args: argparse.Namespace) -> int:
    """Write the archive; the server may go on meanwhile."""
    from app.settings import load_settings
    from app.store.backup.archive import back_up

    done = back_up(load_settings(), args.file.expanduser().absolute(), force=args.force)
    print(f"{args.file}: {done.files} files ({done.photos} photos), {done.bytes / 1e6:.1f} MB, each with its SHA-256")
    print("Not in it: index, embedded model, session key, password file; docs/operations.md says why.")
    if done.lost:
        print(f"ipl: {len(done.lost)} photos have no file any more, {done.lost[0]} is one of them.", file=sys.stderr)
    return 0
