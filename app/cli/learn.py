"""``ipl learn``: past listings of a shop into a folder that drafts speak its words from."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import finetune
from app.cli import CommandError, catalogue
from listing.home import ipl_home, private_files
from listing.shop import Shop


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("table", nargs="?", type=Path, metavar="TABLE", help=f"past listings: {catalogue.KINDS}")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="DIR", help="the shop's folder")
    parser.add_argument("--rollback", action="store_true", help="put the version before the current one into use")
    catalogue.add_options(parser)


def run(args: argparse.Namespace) -> int:
    """Learn, or go a version back; returns the exit status."""
    os.environ.pop("IPL_SHOP", None)  # what is learned does not depend on what was learned before
    shop = Shop(args.out)
    if args.rollback:
        print(f"{shop.roll_back()} is in use")
        return 0
    if args.table is None:
        raise CommandError("name the table of past listings, or --rollback.", 2)
    from rag_index.imports.columns import parse_mapping
    from rag_index.imports.glossary import read_glossary

    given = {name: column or None for name, column in parse_mapping(args.map).items()}
    glossary = read_glossary(args.mapping) if args.mapping else None
    home = ipl_home()
    table = finetune.Table(args.table, given, glossary, args.photos)
    with private_files():
        learned = finetune.learn(table, shop, home, finetune.weights_stamp(home / "models" / "ipl-mini"), catalogue.say)
    print(summary(learned.version))
    print(f"{learned.listings} listings learned; look at {learned.version / 'report.html'}")
    print(f"use it: ipl draft PHOTO --shop {args.out}   (or IPL_SHOP={args.out})")
    return 0


def summary(version: Path) -> str:
    """The report's table, for a terminal."""
    figures = json.loads((version / "report.json").read_text(encoding="utf-8"))
    lines = [f"{'':16} right  stated  right of those"]
    for name, shares in figures["questions"].items():
        cells = (shares[key] for key in ("right", "stated", "stated_right"))
        right, stated, sure = ("" if share is None else f"{share:.0%}" for share in cells)
        lines.append(f"{name:16} {right:>5}  {stated:>6}  {sure:>5}")
    lines += [f"- {remark}" for remark in figures["remarks"][:8]]
    return "\n".join(lines)
