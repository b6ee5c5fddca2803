"""Texts in the platform's voice: what annotators, and the rules of ``text_templates``, write about photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from finetune.data import text_templates
from finetune.evaluate.style import StyleClassifier, catalogue_texts
from listing import prompts
from listing.request import TONES
from listing.taxonomy import Taxonomy

MOST = 1_000  # training photos, two texts each; 400 already tell held-out texts apart in .99 of the cases
Row = Mapping[str, Any]


def annotated_facts(row: Row, taxonomy: Taxonomy) -> dict[str, str]:
    """What the annotation knows of a photo, as the text prompts name it; guesses are left out."""
    schema = {a.name for a in taxonomy.schema(row["label"])}
    values = {**row, "condition": row["condition"][0]}
    return {
        name: str(values[name]).strip('"')[:60]
        for name in (a.name for a in taxonomy.in_text())
        if name in schema
        and values.get(name) not in (None, "n/a", prompts.UNKNOWN, "none-visible")
        and name not in row["guess"]
    }


def platform_texts(rows: Sequence[Row], taxonomy: Taxonomy, seed: int = 0) -> list[str]:
    """Descriptions: the annotator's of each photo, and one by rule."""
    rng = Random(seed)
    texts = []
    for row in rows:
        node = taxonomy.categories[row["label"]]
        texts.append(str(row["description"]))
        texts.append(text_templates.description(node, annotated_facts(row, taxonomy), rng.choice(TONES), rng))
    return texts


def style_classifier(train: Sequence[Row], held: Sequence[Row], catalogue: Path, taxonomy: Taxonomy) -> StyleClassifier:
    """Fitted on training senders and catalogue texts; ``held`` are photos of other senders."""
    some = Random(0).sample(list(train), min(len(train), MOST))
    ours, others = platform_texts(some, taxonomy), platform_texts(held, taxonomy)
    return StyleClassifier((ours, others), catalogue_texts(catalogue, len(ours)))
