"""How often print that a text states without a mark was read right, on the annotated photos for training.

    python -m benchmarks.drafts.print_words

Print is stated without a mark where all of it is words (``listing.text.claims.is_words``). Photos: all whose annotation
holds a text, and 250 without. Right: the letters of the reading stand in the annotation, or the other way round.
"""

from __future__ import annotations

import json
import random
import re

from PIL import Image

from finetune.data.photosets import data_root
from listing.observe.printed.ocr import Reader
from listing.decide.printed_facts import find_text
from listing.text.claims import is_words

WITHOUT, SEED = 250, 1


def letters(text: str | None) -> str:
    """Lower case, letters and digits alone."""
    return re.sub(r"[^a-z0-9]", "", (text or "").lower())


def main() -> None:
    """Run and print."""
    root, reader = data_root() / "clothing_cc0", Reader()
    rows = [json.loads(line) for line in (root / "annotations.jsonl").read_text(encoding="utf-8").splitlines()]
    without = [row for row in rows if not row["text"]]
    random.Random(SEED).shuffle(without)
    read: list[tuple[str, bool]] = []
    for row in [row for row in rows if row["text"]] + without[:WITHOUT]:
        fact = find_text([reader.read(Image.open(root / row["image"]))])
        if fact is not None and fact.value:
            value, true = letters(fact.value), letters(row["text"])
            read.append((fact.value, bool(true) and (value in true or true in value)))
    stated = [right for value, right in read if is_words(value)]
    print(f"{len(read)} readings, {sum(right for _, right in read)} right; {len(stated)} stated, {sum(stated)} right")


if __name__ == "__main__":
    main()
