"""A model whose answers and texts are kept: it is loaded only when something has to be asked that was not before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from finetune.data.photosets import open_photo
from finetune.embedded.masks import masks_of
from finetune.evaluate.questions import all_questions, named
from finetune.evaluate.row_cache import RowCache
from listing.backends.base import ChoiceQuestion, FormBackend
from listing.backends.local import LocalBackend
from listing.observe.networks.colour_pixels import MODEL_FILE
from listing.observe.networks.colour_network import FILE, ColourNetwork
from listing.observe.networks.evidence_tower import Eyes, Sight
from listing.observe.networks.foreground import WEIGHTS as MASK_WEIGHTS
from listing.observe.networks.foreground import usable
from listing.decide import item_form
from listing.calibration_files import file_stem, identity, is_server
from listing.decide.pool import mean_of
from listing.decide.questions import pixel_shares
from listing.decide.visual_facts import colour_view
from listing.pipeline_parts import open_backend
from listing.taxonomy import Taxonomy

Answers = dict[str, dict[str, float]]
BATCH = 16  # texts: on a CPU a batch of sixteen costs little more than one text


class CachedModel:
    """What a model (folder, hub id or address) answered: predictions, answers to further questions, texts.

    Files in ``store`` whose names change with the weights; ``predictions`` names another one for the predictions.
    ``evidence``: the folder whose networks find item and colours beside the model; None is the model's own.
    """

    def __init__(
        self,
        source: str | Path,
        store: Path,
        taxonomy: Taxonomy,
        predictions: Path | None = None,
        evidence: Path | None = None,
    ) -> None:
        self.source, self.evidence = source, evidence or Path(source)
        self.stamp = weights_stamp(source)
        self.taxonomy = taxonomy
        self.store = store
        self._predictions_file = predictions or store / f"{self.stamp}.jsonl"
        self._answers = RowCache(store / f"{self.stamp}.answers.jsonl", lambda row: f"{row['image']} {row['prompt']}")
        self._texts = RowCache(store / f"{self.stamp}.texts.jsonl", lambda row: f"{row['tokens']} {row['prompt']}")

    @cached_property
    def backend(self) -> Any:
        """The loaded model, or the server's."""
        return open_backend(str(self.source), Path(self.source))

    @cached_property
    def eyes(self) -> Eyes | None:
        """The evidence tower of the model's folder."""
        return Eyes.load(Path(self.source))

    def predictions(self, rows: Sequence[dict[str, Any]], batch: int = 4) -> list[dict[str, Any]]:
        """What every source says of each photo, by source; none is asked twice."""
        kept = RowCache(self._predictions_file, lambda row: str(row["image"]))
        todo = [row for row in rows if Path(row["image"]).name not in kept]
        batch = max(batch, self.backend.concurrency) if todo else batch
        for start in range(0, len(todo), batch):
            part = todo[start : start + batch]
            photos = [open_photo(row["image"]) for row in part]
            for row, photo, (answers, form) in zip(part, photos, self._answers_to(photos), strict=True):
                sight = self.eyes.look(photo) if self.eyes is not None else Sight()
                kept.put(
                    {
                        "image": Path(row["image"]).name,
                        "mllm": answers,
                        **({"form": True} if form else {}),
                        "classifier": mean_of(self.backend.opinions(photo), sight.opinions),
                        "details": sight.details,
                        "condition": sight.condition,
                    }
                )
        names = [Path(row["image"]).name for row in rows]
        return [{**kept[name], **seen} for name, seen in zip(names, self._colours(rows), strict=True)]

    def _colours(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """``pixels`` and ``contradicted`` of each photo, in a file of their own: other colours need no new answers."""
        folder, masked = self.evidence, (self.evidence / MASK_WEIGHTS).is_file()
        stamp = file_digest(MODEL_FILE, folder / FILE) + ("" if masked else "-unmasked")
        kept = RowCache(self.store / f"colours-{stamp}.jsonl", lambda row: str(row["image"]))
        todo = [row for row in rows if Path(row["image"]).name not in kept]
        network = ColourNetwork.load(folder) if todo else None
        masks: Sequence[np.ndarray | None] = [None] * len(todo)
        if todo and masked:
            masks = masks_of(todo, self.store / "masks.npz")
        for row, mask in zip(todo, masks, strict=True):
            usable_mask = mask if mask is not None and usable(mask) else None
            view = colour_view(open_photo(row["image"]), 0, usable_mask, network)
            pixels = {name: dict(pixel_shares(view, name)) for name in ("colour", "colour2")}
            said = {"pixels": {n: p for n, p in pixels.items() if p}, "contradicted": list(view.contradicted)}
            kept.put({"image": Path(row["image"]).name, **said})
        return [kept[Path(row["image"]).name] for row in rows]

    def _answers_to(self, photos: Sequence[Image.Image]) -> list[tuple[Answers, bool]]:
        """Answers by our names, and whether they are those of a form."""
        if not isinstance(self.backend, FormBackend):
            found = self.backend.score_many(photos, all_questions(self.taxonomy))
            return [(named(answers, self.taxonomy), False) for answers in found]
        with ThreadPoolExecutor(len(photos)) as pool:
            return list(pool.map(self._asked, photos))

    def _asked(self, photo: Image.Image) -> tuple[Answers, bool]:
        said = item_form.ask([photo], self.backend, self.taxonomy)
        if said is None:
            return named(self.backend.score(photo, all_questions(self.taxonomy)), self.taxonomy), False
        return {"category": dict(said.categories), **{n: dict(d) for n, d in said.attributes.items()}}, True

    def ask(self, image: str, questions: Sequence[ChoiceQuestion]) -> Answers:
        """Answers by the question's name; one forward pass for those that were not asked about this photo before."""
        name = Path(image).name
        keys = {q.name: f"{name} {q.prompt}" for q in questions}
        missing = [q for q in questions if keys[q.name] not in self._answers]
        if missing:
            answers_by_name = self.backend.score(open_photo(image), missing)
            for q in (q for q in missing if q.name in answers_by_name):
                self._answers.put({"image": name, "prompt": q.prompt, "answers": answers_by_name[q.name]})
        return {name: self._answers[key]["answers"] for name, key in keys.items() if key in self._answers}

    def write(self, images: Sequence[Image.Image], prompt: str, *, max_tokens: int = 120) -> Iterator[str]:
        """The first line of the decoded text, in one piece; ValueError with a photo: our text prompts have none."""
        if images:
            raise ValueError("texts are written from facts alone; a photo would need a key of its own")
        self.write_many([prompt], max_tokens)
        yield self._texts[f"{max_tokens} {prompt}"]["text"]

    def write_many(self, prompts: Sequence[str], max_tokens: int) -> None:
        """Decode, in batches, what was not decoded before; ``write`` gives it."""
        missing = [p for p in dict.fromkeys(prompts) if f"{max_tokens} {p}" not in self._texts]
        for start in range(0, len(missing), BATCH):
            part = missing[start : start + BATCH]
            for prompt, text in zip(part, first_lines(self.backend, part, max_tokens), strict=True):
                self._texts.put({"tokens": max_tokens, "prompt": prompt, "text": text})


def file_digest(*files: Path) -> str:
    """A name that changes with any of the files; one that is missing counts as empty."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes() if file.is_file() else b"").digest())
    return digest.hexdigest()[:12]


def weights_stamp(source: str | Path) -> str:
    """A name for files that changes with the weights: the manifest's fingerprint, a folder's name and digest.

    Else the hub's id, or address and model of a server (BackendError where it does not answer).
    """
    manifest = Path(source) / "ipl.json"
    if manifest.is_file():
        return str(json.loads(manifest.read_text(encoding="utf-8"))["fingerprint"])
    folder = Path(source)
    if not folder.is_dir():
        return file_stem(identity(str(source))) + ("-forms" if is_server(str(source)) else "")
    stats = [(file.name, file.stat()) for file in sorted(folder.glob("*.safetensors"))]
    weights = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
    digest = hashlib.sha256(repr((str(folder.resolve()), weights)).encode()).hexdigest()[:12]
    return f"{folder.resolve().name}-{digest}"


def first_lines(backend: LocalBackend, prompts: Sequence[str], max_tokens: int, batch: int = BATCH) -> list[str]:
    """The first line of the answer to each prompt, in order; the rest of an answer is never shown.

    Decoding is greedy as in serving. In 16-bit arithmetic a batch can round a near tie the other way, and a text then
    goes another way from there on: often with the untuned model, which is sure of little. Families that are not served
    by one tree are decoded one by one.
    """
    if not backend.tree:
        return [first_line("".join(backend.write((), p, max_tokens=max_tokens))) for p in prompts]
    ids = [backend.prompt_ids(prompt) for prompt in prompts]
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    stops = [backend.tokenizer.eos_token_id, *line_breaks(backend)]
    texts = [""] * len(ids)
    for start in range(0, len(order), batch):
        part = order[start : start + batch]
        for i, text in zip(part, _decode(backend, [ids[i] for i in part], max_tokens, stops), strict=True):
            # A break before the first word ends a batch's text, but not a served one.
            texts[i] = text or first_line("".join(backend.write((), prompts[i], max_tokens=max_tokens)))
    return texts


def first_line(text: str) -> str:
    """Up to the first break behind a word."""
    return text.lstrip().partition("\n")[0]


def line_breaks(backend: LocalBackend) -> list[int]:
    """Tokens that hold a line break."""
    count = len(backend.tokenizer)
    pieces = backend.tokenizer.batch_decode([[i] for i in range(count)])
    return [i for i, piece in enumerate(pieces) if "\n" in piece]


def _decode(backend: LocalBackend, ids: Sequence[Sequence[int]], max_tokens: int, stops: Sequence[int]) -> list[str]:
    import torch

    width, pad = max(map(len, ids)), backend.tokenizer.pad_token_id or backend.tokenizer.eos_token_id
    padded = torch.tensor([[pad] * (width - len(row)) + list(row) for row in ids], device=backend.device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in ids], device=backend.device)
    with torch.inference_mode():
        made = backend.model.generate(
            input_ids=padded,
            attention_mask=mask,
            max_new_tokens=max_tokens,
            do_sample=False,
            eos_token_id=list(stops),
            pad_token_id=pad,
        )
    return [first_line(t) for t in backend.tokenizer.batch_decode(made[:, width:], skip_special_tokens=True)]
