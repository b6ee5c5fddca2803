"""A model whose answers and texts are kept: it is loaded only when something has to be asked that was not before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image

from finetune.data.photosets import open_photo
from finetune.evaluate.decoding import BATCH, first_lines
from finetune.evaluate.predictions import collect
from finetune.evaluate.row_cache import RowCache
from listing.backends.base import ChoiceQuestion
from listing.facts.calibrations import file_stem, identity
from listing.pipeline_parts import open_backend
from listing.taxonomy import Taxonomy

Answers = dict[str, dict[str, float]]


class AskedModel:
    """A model folder and three files of what it said: opinions, answers to further questions, texts.

    Args:
        source: folder, hub id or a server's address.
        store: folder of the files; their names change with the model's weights.
        opinions: file of the opinions, where it is not the one in ``store``.
        limit: most characters of a prompt kept in the files in full; longer ones are kept by their digest alone.
    """

    def __init__(
        self, source: str | Path, store: Path, taxonomy: Taxonomy, opinions: Path | None = None, limit: int = 2000
    ) -> None:
        self.source = source
        self.stamp = stamp(source)
        self.name = self.stamp
        self.taxonomy = taxonomy
        self._opinions = opinions or store / f"{self.stamp}.jsonl"
        self._answers = RowCache(store / f"{self.stamp}.answers.jsonl", lambda row: f"{row['image']} {row['prompt']}")
        self._texts = RowCache(store / f"{self.stamp}.texts.jsonl", lambda row: f"{row['tokens']} {row['prompt']}")
        self._limit = limit

    @cached_property
    def backend(self) -> Any:
        """The loaded model, or the server's."""
        return open_backend(str(self.source), Path(self.source))

    def collected(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """See ``finetune.evaluate.predictions.collect``."""
        return collect(rows, self, self.taxonomy, self._opinions)

    def ask(self, image: str, questions: Sequence[ChoiceQuestion]) -> Answers:
        """Answers by the question's name; one forward pass for those that were not asked about this photo before."""
        name = Path(image).name
        keys = {q.name: f"{name} {self._key(q.prompt)}" for q in questions}
        missing = [q for q in questions if keys[q.name] not in self._answers]
        if missing:
            said = self.backend.score(open_photo(image), missing)
            for question in missing:
                prompt, answers = self._key(question.prompt), said[question.name]
                self._answers.put({"image": name, "prompt": prompt, "answers": answers})
        return {name: self._answers[key]["answers"] for name, key in keys.items()}

    def write(self, image: Image.Image | None, prompt: str, *, max_tokens: int = 120) -> Iterator[str]:
        """The first line of the decoded text, in one piece; photos are not part of our text prompts.

        Raises:
            ValueError: a photo was given.
        """
        if image is not None:
            raise ValueError("texts are written from facts alone; a photo would need a key of its own")
        self.write_many([prompt], max_tokens)
        yield self._texts[f"{max_tokens} {self._key(prompt)}"]["text"]

    def write_many(self, prompts: Sequence[str], max_tokens: int) -> None:
        """Decode, in batches, what was not decoded before; ``write`` gives it."""
        missing = [p for p in dict.fromkeys(prompts) if f"{max_tokens} {self._key(p)}" not in self._texts]
        for start in range(0, len(missing), BATCH):
            part = missing[start : start + BATCH]
            for prompt, text in zip(part, first_lines(self.backend, part, max_tokens), strict=True):
                self._texts.put({"tokens": max_tokens, "prompt": self._key(prompt), "text": text})

    # What else belongs to a backend; opinions and the pipeline's writers are used to it.

    def score(self, image: Image.Image, questions: Sequence[ChoiceQuestion]) -> Answers:
        """Not kept: see ``ask``."""
        return self.backend.score(image, questions)

    def score_many(self, images: Sequence[Image.Image], questions: Sequence[ChoiceQuestion]) -> list[Answers]:
        """Not kept: see ``collected``."""
        if hasattr(self.backend, "score_many"):
            return self.backend.score_many(images, questions)
        return [self.backend.score(image, questions) for image in images]  # a server gets them one by one

    def opinions(self, image: Image.Image) -> Answers:
        """The tower's own heads."""
        return self.backend.opinions(image)

    def describe(self) -> dict[str, Any]:
        """Model, device and precision."""
        return self.backend.describe()

    def _key(self, prompt: str) -> str:
        return prompt if len(prompt) <= self._limit else hashlib.sha256(prompt.encode()).hexdigest()


def stamp(source: str | Path) -> str:
    """A name for files that changes with the weights.

    The manifest's fingerprint; of another folder, its name and a digest of its place, sizes and times; else the hub's
    id, or address and model of a server.

    Raises:
        BackendError: the server does not answer.
    """
    manifest = Path(source) / "ipl.json"
    if manifest.is_file():
        return str(json.loads(manifest.read_text(encoding="utf-8"))["fingerprint"])
    folder = Path(source)
    if not folder.is_dir():
        return file_stem(identity(str(source)))
    stats = [(file.name, file.stat()) for file in sorted(folder.glob("*.safetensors"))]
    weights = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
    digest = hashlib.sha256(repr((str(folder.resolve()), weights)).encode()).hexdigest()[:12]
    return f"{folder.resolve().name}-{digest}"
