"""``messages`` + ``images`` JSONL -> batches with exact label masks, for any family's own processor.

Only the answers' tokens carry loss, their end of turn included; prompt, image and padding tokens do not. A sample that
is too long is dropped and counted, never truncated: a cut would remove image tokens or the end of an answer.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torchvision.transforms import v2

from finetune.data.photosets import GREY, open_photo
from finetune.errors import TuneError
from listing.backends.turns import Turns, find_turns, part

MARKER = "<image>"
IGNORED = -100


@dataclass(frozen=True)
class Encoded:
    """A sample that fits. ``images``: files; ``tokens``: its length with every photo at full size.

    tasks: what each answer is about, where the file says it. vary: see ``ChatConfig.vary_photos``.
    """

    turns: Turns
    images: tuple[Path, ...]
    tokens: int
    messages: tuple[dict[str, Any], ...]
    tasks: tuple[str, ...] = ()
    vary: bool = False


def read_samples(file: Path) -> list[dict[str, Any]]:
    """Lines of a JSONL file, image paths made absolute; TuneError where a line cannot be used or a photo is missing."""
    if not file.is_file():
        raise TuneError(f"There is no {file}; write it with: ./ipl tune data --out {file.parent}")
    samples = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            sample = json.loads(line)
            marked = sum(m["content"].count(MARKER) for m in sample["messages"])
            images = [str(file.parent / name) for name in sample.get("images", [])]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TuneError(f"{file}, line {number}: needs `messages` with role and content ({error}).") from error
        if marked != len(images):
            raise TuneError(f"{file}, line {number}: {marked} {MARKER} markers, but {len(images)} images.")
        for name in images:
            if not Path(name).is_file():
                raise TuneError(f"{file}, line {number}: there is no photo {name}; paths are relative to the file.")
        samples.append({**sample, "images": images})
    return samples


def parts(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message of the file as a list of content parts, as chat templates want it."""
    segments = message["content"].split(MARKER)
    content: list[dict[str, str]] = [part(segments[0])] if segments[0] else []
    for segment in segments[1:]:
        content.append({"type": "image"})
        if text := segment.removeprefix("\n"):
            content.append(part(text))
    return {"role": message["role"], "content": content}


def encode(samples: Iterable[Mapping[str, Any]], processor: Any, max_tokens: int) -> tuple[list[Encoded], Counter[str]]:
    """The samples that can be used, and how many were dropped by reason."""
    encoded: list[Encoded] = []
    dropped: Counter[str] = Counter()
    control = [t for t in processor.tokenizer.all_special_tokens if t != MARKER]
    for sample in samples:
        if any(t in m["content"] for m in sample["messages"] for t in control):
            dropped["control tokens in the text"] += 1  # they would end a turn or open another one
            continue
        messages = tuple(parts(m) for m in sample["messages"])
        turns = find_turns(processor, messages)
        images = tuple(Path(name) for name in sample["images"])
        try:
            photos = [open_photo(path) for path in images]
        except (OSError, Image.DecompressionBombError):
            dropped["unreadable photo"] += 1
            continue
        ids = _run(processor, [turns.text], [photos])["input_ids"][0].tolist()
        turns.expanded(ids)
        if not turns.spans:
            dropped["no answer"] += 1
        elif len(ids) > max_tokens:
            dropped[f"longer than {max_tokens} tokens"] += 1
        else:
            encoded.append(Encoded(turns, images, len(ids), messages, tuple(sample.get("tasks", ()))))
    return encoded, dropped


def _run(processor: Any, texts: list[str], photos: list[list[Image.Image]]) -> Any:
    return processor(
        text=texts,
        images=photos if any(photos) else None,
        padding=True,
        padding_side="right",
        add_special_tokens=False,
        return_tensors="pt",
    )


VARIED = v2.Compose(  # hue is left alone: colour is one of the answers
    [
        v2.RandomHorizontalFlip(),
        v2.RandomAffine(18, translate=(0.06, 0.06), scale=(0.95, 1.15), fill=GREY[0]),
        v2.ColorJitter(brightness=0.14),
    ]
)


def photos_of(sample: Encoded) -> list[Image.Image]:
    """A sample's photos; where they vary, its words decide how, so that a resumed run sees the same."""
    if not sample.vary:
        return [open_photo(path) for path in sample.images]
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(zlib.crc32(sample.turns.text.encode()))
        return [VARIED(open_photo(path)) for path in sample.images]


class Collator:
    """Samples -> the processor's tensors and ``labels`` [b, n], IGNORED wherever no answer stands."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor

    def __call__(self, samples: Sequence[Encoded]) -> dict[str, Any]:
        photos = [photos_of(sample) for sample in samples]
        batch = dict(_run(self.processor, [s.turns.text for s in samples], photos))
        ids = batch["input_ids"]
        lengths = batch["attention_mask"].sum(-1).tolist()
        labels = torch.full_like(ids, IGNORED)
        for row, (sample, length) in enumerate(zip(samples, lengths, strict=True)):
            for start, end in sample.turns.expanded(ids[row, :length].tolist()):
                labels[row, start:end] = ids[row, start:end]
        return {**batch, "labels": labels}
