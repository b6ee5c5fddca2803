"""``./ipl tune data``: annotated photos or past listings -> messages-and-images JSONL, a report, a page of samples.

All questions about one photo stand in one conversation, so that its tokens are paid once: what the embedded model is
asked. Others are what every other model is asked: the form and claims, true and planted ones, with all photos of the
item, and the prompt for title and description. Of a listing's photos only the first answers single questions: a back
or a label shows less than the listing states.
Validation is whole senders; a training photo that looks like one of theirs is left out.
"""

from __future__ import annotations

import functools
import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from jinja2 import Environment

from finetune.data.claims import claims_task
from finetune.data.files import write_lines
from finetune.data.past_listings import listing_tasks, unanswered
from finetune.data.splits import split_items, split_rows
from finetune.data.tasks import CLAIMS, FORM, LISTING, Task, TaskPlan, annotated_form, photo_tasks, visible_answers
from finetune.errors import DataError
from listing.say.model_text import MAX_PHOTOS
from listing.taxonomy import Taxonomy

ALONE = (FORM, LISTING, CLAIMS)  # asked in a conversation of their own, as when they serve; counted, not listed
MAX_HASH_DISTANCE = 6  # bits of 64 in which the hashes of two photos of one item differ at most
SHOWN_SAMPLES = 40
_PAGE = Environment(autoescape=True, trim_blocks=True).from_string("""\
<!doctype html><html lang="en"><meta charset="utf-8"><title>Samples for tuning</title><style>
body{font:15px/1.4 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}
article{display:flex;gap:1rem;padding:1rem 0;border-top:1px solid #ccc}
img{width:14rem;height:14rem;object-fit:contain;background:#eee}p{margin:.2rem 0;white-space:pre-line}
.assistant{font-weight:600;margin-bottom:.6rem}
</style><h1>{{ samples | length }} random samples</h1>
{% for sample in samples %}<article>
{% for path in sample.images %}<img src="{{ path }}" alt="photo of the sample">{% endfor %}<div>
{% for m in sample.messages %}<p class={{ m.role }}>{{ m.content.removeprefix("<image>") }}</p>{% endfor %}
</div></article>{% endfor %}</html>""")
Row = Mapping[str, Any]
TaskMaker = Callable[[Row, Random], list[Task]]
Split = Callable[[Iterable[Row]], tuple[list[dict[str, Any]], list[dict[str, Any]]]]


@dataclass(frozen=True)
class DataReport:
    """Counts of what was written: samples by split, and answers by task and value (texts: how many).

    split: the units of validation, "senders" or "items". alike: training photos left out as lookalikes.
    """

    split: str
    samples: dict[str, int]
    counts: dict[str, dict[str, dict[str, int]]]
    alike: int


def from_annotations(taxonomy: Taxonomy, plan: TaskPlan) -> TaskMaker:
    """Tasks of a row of ``annotations.jsonl``."""

    def teach(row: Row, rng: Random) -> list[Task]:
        tasks = photo_tasks(row, taxonomy, plan, rng)
        if plan.form and row.get("label_ok", True):
            facts = {attribute.name: answer for attribute, answer in visible_answers(row, taxonomy)}
            tasks += [*annotated_form(row, taxonomy), *claims_task(row["label"], facts, (), taxonomy, rng)]
        return tasks

    return teach


def from_listings(taxonomy: Taxonomy) -> TaskMaker:
    """Tasks of a row of ``listing_rows``."""
    others: list[str] = []

    def teach(row: Row, rng: Random) -> list[Task]:
        if row.get("role", "cover") == "cover":
            return listing_tasks(row["listing"], taxonomy, rng, others)
        return unanswered(row["listing"], taxonomy, rng) if row["role"] == "label" else []

    return teach


def conversation(tasks: Sequence[Task], images: Sequence[str]) -> dict[str, Any]:
    """One sample: every task is a question and an answer; the photos stand in the first question."""
    messages = []
    for number, task in enumerate(tasks):
        marker = "<image>\n" * len(images) if number == 0 else ""
        messages.append({"role": "user", "content": marker + task.prompt})
        messages.append({"role": "assistant", "content": task.answer})
    return {"messages": messages, "images": [*images], "tasks": [task.name for task in tasks]}


def without_lookalikes(train: Sequence[Row], validation: Sequence[Row]) -> list[Row]:
    """The training rows whose photo looks like no photo of validation, by perceptual hash."""
    judging = np.array([_bits(row["image"]) for row in validation], dtype=np.uint64)
    if not len(judging):
        return list(train)
    return [r for r in train if np.bitwise_count(judging ^ np.uint64(_bits(r["image"]))).min() > MAX_HASH_DISTANCE]


def item_groups(rows: Sequence[Row]) -> list[str]:
    """For each row the name of its group: photos of one listing, of one title, or that look alike."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first: dict[str, int] = {}
    pairs: list[tuple[int, int]] = []
    bits = np.array([_bits(row["image"]) for row in rows], dtype=np.uint64)
    items = [str(row.get("item", row["image"])) for row in rows]
    for number, row in enumerate(rows):
        title = " ".join(row.get("listing", {}).get("title", "").lower().split())
        same = [first.setdefault(name, number) for name in (items[number], title) if name]
        alike = np.flatnonzero(np.bitwise_count(bits[:number] ^ bits[number]) <= MAX_HASH_DISTANCE)
        pairs += [(number, other) for other in (*same, *alike.tolist())]
    edges = coo_array((np.ones(len(pairs)), np.array(pairs, dtype=int).reshape(-1, 2).T), shape=(len(rows),) * 2)
    groups = connected_components(edges, directed=False)[1].tolist()
    return [items[groups.index(group)] for group in groups]


@functools.lru_cache(maxsize=100_000)
def _bits(image: str) -> int:
    from PIL import Image

    from listing.intake.photos import phash

    with Image.open(image) as photo:
        return int(phash(photo.convert("RGB")), 16)


def write_data(
    rows: Iterable[Row], teach: TaskMaker, out: Path, seed: int = 0, *, split: Split | None = None
) -> DataReport:
    """Write ``train.jsonl``, ``validation.jsonl``, ``report.json``, ``samples.html``; DataError: a split is empty."""
    out.mkdir(parents=True, exist_ok=True)
    rows = list(rows)
    train, validation = (split or split_rows)(rows)
    whole = "senders"
    if split is None and not (train and validation):
        train, validation = split_items(rows, item_groups(rows))
        whole = "items"
    apart = without_lookalikes(train, validation)
    taught = {row["image"] for row in apart}
    apart = [{**row, "more": [photo for photo in row.get("more", ()) if photo in taught]} for row in apart]
    samples: dict[str, list[dict[str, Any]]] = {}
    for name, part in (("train", apart), ("validation", validation)):
        rng = Random(f"{seed}:{name}")
        samples[name] = [s for row in part for s in _samples(row, teach, out, rng)]
        if not samples[name]:
            raise DataError(f"No sample for {name}: photos of at least two senders or two different things are needed.")
        write_lines(out / f"{name}.jsonl", samples[name])
    report = DataReport(
        whole,
        {name: len(part) for name, part in samples.items()},
        {name: count(part) for name, part in samples.items()},
        len(train) - len(apart),
    )
    (out / "report.json").write_text(json.dumps(asdict(report), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    page_samples = Random(seed).sample(samples["train"], min(SHOWN_SAMPLES, len(samples["train"])))
    (out / "samples.html").write_text(page(page_samples), encoding="utf-8")
    return report


def _samples(row: Row, teach: TaskMaker, out: Path, rng: Random) -> list[dict[str, Any]]:
    tasks = teach(row, rng)
    images = [os.path.relpath(path, out) for path in (row["image"], *row.get("more", ()))]
    questions = [task for task in tasks if task.name not in ALONE]
    alone = [([task], images[: 1 if task.name == LISTING else MAX_PHOTOS]) for task in tasks if task.name in ALONE]
    return [conversation(part, photos) for part, photos in [(questions, images[:1]), *alone] if part]


def count(samples: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Counts of each answer by task; texts and forms are counted, not listed."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for sample in samples:
        answers = [m["content"] for m in sample["messages"] if m["role"] == "assistant"]
        for task, answer in zip(sample["tasks"], answers, strict=True):
            counts[task][f"({task}s)" if task in ALONE else answer] += 1
    return {task: dict(values.most_common()) for task, values in sorted(counts.items())}


def page(samples: Iterable[Mapping[str, Any]]) -> str:
    """An HTML page of samples; photos are referenced by relative path."""
    return _PAGE.render(samples=list(samples)) + "\n"
