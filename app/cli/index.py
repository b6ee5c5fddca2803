"""``ipl index``: gives the index's commands the scrubbing, the photo intake and the category names of this program."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from listing.home import ipl_home, private_files
from rag_index import cli

if TYPE_CHECKING:
    from rag_index.encoders import Encoders
    from rag_index.imports.importer import ReadPhoto, Tools


def register(parser: argparse.ArgumentParser) -> None:
    """Options of ``ipl index``."""
    cli.register(parser)


def run(args: argparse.Namespace) -> int:
    """Run a subcommand; returns the exit status."""
    from rag_index.defaults import default_encoders, default_location

    home = ipl_home()
    encoders = default_encoders(home)
    location = args.index or default_location(home)
    kit = cli.Kit(location, encoders, tools=lambda: _tools(encoders), contact_check=_contact_check)
    with private_files():
        return cli.run(args, kit)


def _contact_check(text: str) -> str | None:
    from listing.safety.contacts import sure_contact

    return sure_contact(text)


def _tools(encoders: Encoders) -> Tools:
    from listing.safety.contacts import scrub_for_index
    from listing.taxonomy import load_taxonomy
    from rag_index.imports.importer import ReadPhoto, Tools

    taxonomy = load_taxonomy()

    def category(words: str) -> str:
        node = taxonomy.find(words)
        if node is None:
            raise ValueError(f"there is no category {words[:40]!r}; listing/taxonomy.yaml names them.")
        return node.name

    def read_photos(paths: Sequence[Path]) -> list[ReadPhoto]:
        from listing.intake.photos import intake

        return [ReadPhoto(photo.image, photo.ref.phash) for photo in intake(paths)]

    return Tools(
        scrub=scrub_for_index,
        read_photos=read_photos,
        category=category,
        image_vectors=encoders.image_vectors,
        text_vectors=encoders.text_vectors,
    )
