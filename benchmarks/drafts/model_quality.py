"""Drafts with a model that is right in a given share: the stand-in model's server beside our sources, dose by dose.

    python -m benchmarks.drafts.model_quality --stand-in stand_in_model.py [--photos 317] [--right 0.5,0.8,1.0]
        [--belief 0] [--deny 0] [--verify 0.9] [--planted 0] [--shared]

The stand-in answers forms, texts and claims by annotations of validation photos, with errors by dose; --shared
makes them fall where the embedded model errs. A row a dose: category right by the model alone, by the embedded model
and by the draft; facts stated and right; texts kept word for word; words of the true text that are lost; planted
sentences that are left unmarked; marks and requests a draft. The networks look at each photo once.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.common import arguments, machine, markdown
from benchmarks.drafts.photos import CLOTHING
from finetune.data.photosets import read_annotations
from finetune.data.splits import split_rows
from finetune.evaluate.measures import judge
from listing.backends.openai import OpenAIBackend
from listing.calibration import Calibration, beside
from listing.decide.decision import Decision
from listing.home import ipl_home
from listing.intake.photos import intake
from listing.observe.language_model import LanguageModel
from listing.observe.source import Context, Source
from listing.pipeline import Pipeline, build_pipeline
from listing.request import DraftEvent, DraftRequest, Photo
from listing.schema import Draft, Observation

PORT = 9123
HEAD = (
    *("right", "category: model", "embedded", "draft", "stated", "of it right", "titles kept", "descriptions kept"),
    *("true words lost", "planted left unmarked", "marks", "requests"),
)


class Seen(Source):
    """What the embedded model's sources observed of a photo, without its language model's word."""

    name = "seen"

    def __init__(self, by_photo: dict[str, list[Observation]]) -> None:
        self.by_photo = by_photo

    def observe(self, photos: Sequence[Photo], context: Context) -> list[Observation]:
        """The observations of the one photo of a request."""
        return [o for o in self.by_photo[photos[0].name] if o.source != "mllm"]


@contextmanager
def stand_in(program: Path, photos: Path, log: Path, *options: str) -> Iterator[OpenAIBackend]:
    """The stand-in's server over a folder of photos, and a backend that asks it."""
    command = [sys.executable, str(program), "--port", str(PORT), "--photos", str(photos), "--log", str(log)]
    for name in ("annotations", "details"):
        command += [f"--{name}", str(CLOTHING / f"{name}.jsonl")]
    with subprocess.Popen([*command, *options]) as server:
        try:
            for _ in range(100):
                try:
                    yield OpenAIBackend(f"http://127.0.0.1:{PORT}/v1")
                    break
                except Exception:
                    time.sleep(0.3)
        finally:
            server.kill()


def words(text: str) -> list[str]:
    """Words of three and more letters, in lower case."""
    return [word for word in re.findall(r"[a-zà-ÿ]+", text.lower()) if len(word) > 2]


def measured(draft: Draft, row: dict[str, Any], said: str, planted: str | None) -> Counter[str]:
    """Counts of one draft; ``said``: the model's own text."""
    title, _, description = said.partition("\n")
    true = f"{title} {description}".replace(planted or "\0", "")
    both, mine = f"{draft.title} {draft.description}".lower(), set(words(f"{draft.title} {draft.description}"))
    marks = {(s.attribute, s.value) for s in draft.spans if s.status == "check"}
    marked = any(
        draft.texts[s.field][s.start : s.end].lower() in (planted or "").lower()
        for s in draft.spans
        if s.status == "check"
    )
    facts = [(f, judge(row, f.name, f.value)) for f in draft.attributes if f.value and f.name in row]
    judged = [counts for _, counts in facts if counts is not None]
    left = planted is not None and planted.rstrip(".").lower() in both and not marked
    return Counter(
        drafts=1, right=int(draft.category.value == row["label"]),
        stated=len(judged), stated_right=sum(c.right for c in judged),
        titles=int(draft.title == title), descriptions=int(draft.description == description.replace(f" {planted}", "")),
        words=len(words(true)), lost=sum(word not in mine for word in words(true)), planted=int(planted is not None),
        left=int(left), marks=len(marks),
    )  # fmt: skip


def main() -> None:
    parser = arguments(__doc__, photos=317, right="0.5,0.8,1.0", belief=0.0, deny=0.0, verify=0.9, planted=0.0)
    parser.add_argument("--stand-in", type=Path, required=True)
    parser.add_argument("--shared", action="store_true")
    args = parser.parse_args()
    rows = split_rows(read_annotations(CLOTHING))[1][: args.photos]
    embedded = build_pipeline(None, False, ipl_home())
    seen: dict[str, list[Observation]] = {}
    own: dict[str, Draft] = {}
    for row in rows:
        photos = intake([row["image"]])
        events = embedded.run(DraftRequest(photos=photos))
        own[photos[0].name] = next(e.draft for e in events if isinstance(e, DraftEvent))
        seen[photos[0].name] = own[photos[0].name].observations
    rules = replace(embedded.parts.rules, calibration=beside(embedded.parts.calibration or Calibration()))
    table = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photos").mkdir()
        for row in rows:
            (folder / "photos" / Path(row["image"]).name).symlink_to(row["image"])
        eyes = folder / "eyes.jsonl"
        lines = [
            json.dumps({"photos": [photo], "draft": draft.model_dump(mode="json")}) for photo, draft in own.items()
        ]
        eyes.write_text("\n".join(lines), encoding="utf-8")
        for right in args.right.split(","):
            log = folder / f"{right}.jsonl"
            options = [
                "--right",
                right,
                *(f"--{o}={getattr(args, o)}" for o in ("belief", "deny", "verify", "planted")),
            ]
            with stand_in(
                args.stand_in, folder / "photos", log, *options, *(["--eyes", str(eyes)] * args.shared)
            ) as backend:
                pipeline = Pipeline(
                    replace(
                        embedded.parts,
                        backend=backend,
                        sources=(Seen(seen), LanguageModel(backend)),
                        rules=rules,
                        writes=True,
                    )
                )
                table.append(_dose(pipeline, rows, own, right, log))
    print(markdown(HEAD, table))
    print(machine(), f"{len(rows)} validation photos")


def _dose(
    pipeline: Pipeline, rows: Sequence[dict[str, Any]], own: dict[str, Draft], right: str, log: Path
) -> list[Any]:
    total: Counter[str] = Counter()
    for row in rows:
        photos = intake([row["image"]])
        at = log.stat().st_size if log.is_file() else 0
        draft = next(e.draft for e in pipeline.run(DraftRequest(photos=photos)) if isinstance(e, DraftEvent))
        with log.open(encoding="utf-8") as file:
            file.seek(at)
            said = [json.loads(line) for line in file]
        text = next(s for s in said if "claim" not in s["prompt"].lower() and "listing" in s["prompt"].lower())
        total += measured(draft, row, text["reply"], text["planted"])
        model = Decision([o for o in draft.observations if o.source == "mllm"], 1, pipeline.parts.rules)
        total += Counter(
            model=int(model.category.value == row["label"]),
            own=int(own[photos[0].name].category.value == row["label"]),
            requests=len(said),
        )

    def share(part: str, whole: str = "drafts", digits: int = 3) -> float:
        return round(total[part] / max(1, total[whole]), digits)

    return [
        right, share("model"), share("own"), share("right"), share("stated", digits=2), share("stated_right", "stated"),
        share("titles"), share("descriptions"), share("lost", "words"), f"{total['left']} of {total['planted']}",
        share("marks", digits=2), share("requests", digits=2),
    ]  # fmt: skip


if __name__ == "__main__":
    main()
