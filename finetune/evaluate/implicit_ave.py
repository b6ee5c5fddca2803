"""ImplicitAVE (Zou et al., ACL 2024 Findings): attributes that stand only in the photo. For reports, never for tuning.

Our model sees the photo alone; published systems see the title beside it. The set mixes kinds of goods that the
embedded model was not tuned on, so that its figure says how far it carries, not how good it is at home.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.data.photosets import DataError
from finetune.evaluate.cached_model import CachedModel
from listing.backends.base import ChoiceQuestion
from listing.facts.ensemble import best

# The released files' own spellings.
_OPTIONS = {
    "Clothing": "Clothing_Shoes_and_Jewelry",
    "Footwear": "Clothing_Shoes_and_Jewelry",
    "Jewlery_and_General_Apparel": "Clothing_Shoes_and_Jewelry",
    "Food": "Food",
    "Home": "Home",
}


@dataclass(frozen=True)
class Pair:
    """One photo and one attribute of it; ``value`` is among ``options``."""

    image: Path
    domain: str
    attribute: str
    value: str
    options: tuple[str, ...]

    @property
    def question(self) -> ChoiceQuestion:
        """The closed question in the words of our prompts."""
        return ChoiceQuestion(self.attribute, f"What is its {self.attribute.lower()}?", self.options)


def read_pairs(folder: Path) -> list[Pair]:
    """The human-annotated pairs of ``eval.csv`` whose photo is there.

    Raises:
        DataError: the folder lacks the table or a list of options, or a value is not among them.
    """
    table = folder / "eval.csv"
    if not table.is_file():
        raise DataError(f"{folder} holds no eval.csv of ImplicitAVE.")
    options: dict[str, dict[str, list[str]]] = {}
    for name in set(_OPTIONS.values()):
        file = folder / f"options_{name}.json"
        if not file.is_file():
            raise DataError(f"{folder} lacks {file.name}, the values to choose from.")
        options[name] = json.loads(file.read_text(encoding="utf-8"))
    pairs = []
    with table.open(encoding="utf-8", newline="") as opened:
        for number, row in enumerate(csv.DictReader(opened), 2):
            image, domain, attribute = folder / "images" / row["images"], row["domain"], row["attribute_names"]
            values = tuple(options.get(_OPTIONS.get(domain, ""), {}).get(attribute, ()))
            if row["attribute_values"] not in values:
                raise DataError(f"{table}, line {number}: {row['attribute_values']!r} is no option of {attribute!r}.")
            if image.is_file():
                pairs.append(Pair(image, domain, attribute, row["attribute_values"], values))
    return pairs


def measure_pairs(pairs: Sequence[Pair], model: CachedModel, out: Path | None = None, limit: int = 0) -> list[str]:
    """Accuracy (micro-F1 of one value a pair) by domain and together, beside what chance would give; as lines."""
    found: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    for pair in pairs[: limit or None]:
        answers = model.ask(str(pair.image), [pair.question])[pair.attribute]
        result = (best(answers)[0] == pair.value, 1 / len(pair.options))
        found[pair.domain].append(result)
        found["all"].append(result)
    scores: dict[str, Any] = {
        domain: {
            "pairs": len(results),
            "accuracy": sum(ok for ok, _ in results) / len(results),
            "chance": sum(chance for _, chance in results) / len(results),
        }
        for domain, results in found.items()
    }
    if out is not None:
        out.write_text(json.dumps({"model": model.stamp, "domains": scores}, indent=1) + "\n", encoding="utf-8")
    return [
        f"{domain:28} {s['pairs']:4} pairs  accuracy {s['accuracy']:.3f}  chance {s['chance']:.3f}"
        for domain, s in scores.items()
    ]
