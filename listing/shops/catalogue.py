"""Somebody's catalogue of past listings, read with our words: what the index and tuning both import from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from listing.intake.photos import intake
from listing.lexicon import load_lexicon
from listing.safety.contacts import contacts_version, scrub_for_index
from listing.taxonomy import Taxonomy
from rag_index import ReadPhoto, Tools
from rag_index.imports.words import Vocabulary

PHOTOS = 1  # raise when intake makes other pixels or hashes of the same file


def vocabulary_of(taxonomy: Taxonomy) -> Vocabulary:
    """The words of a taxonomy and of the lexicon."""
    values = {
        a.name: {value: (value, *a.phrases.get(value, ())) for value in (*a.values, *a.choices)}
        for a in taxonomy.attributes.values()
    }
    return Vocabulary(
        kinds={node.name: (node.phrase, *node.synonyms) for node in taxonomy.leaves()},
        values=values,
        nouns={noun: _in_order(labels, taxonomy) for noun, labels in load_lexicon(taxonomy).nouns.items()},
        has={node.name: frozenset(node.attributes) for node in taxonomy.leaves()},
    )


def _in_order(labels: frozenset[str], taxonomy: Taxonomy) -> tuple[str, ...]:
    return tuple(name for name in taxonomy.categories if name in labels)


def tools() -> Tools:
    """Scrubbing and safe intake of photos."""
    return Tools(scrub_for_index, read_photos, f"{PHOTOS} {contacts_version()}")


def read_photos(paths: Sequence[Path]) -> list[ReadPhoto]:
    """Photos of one item through intake; PhotoError: one is refused."""
    return [ReadPhoto(photo.image, photo.ref.phash) for photo in intake(paths)]
