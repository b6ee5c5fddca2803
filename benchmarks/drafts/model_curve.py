"""The curve of drafts over how often a model is right: from the prior, measured on what ships.

    python -m benchmarks.drafts.model_curve --stand-in stand_in_model.py [--right 0.5,0.6,0.7,0.8,0.9,1.0]
        [--shared] [--belief 0] [--deny 0] [--cache FILE] [--photos 0] [--picture curve.svg]

A row a dose: category right, F1 of the best guesses, and of what is stated how much is right and how much of all that
is there (coverage); for the model alone, the embedded model, and the draft by the prior and measured by ``calibrate``
on the 160 photos that ship. Judged on validation photos whose senders are not among these. --shared makes the model err
where the embedded one errs. The networks look at each photo once, and what they saw is kept in the cache; a dose costs
the forms that the stand-in's server fills in.
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.common import arguments, machine, markdown
from benchmarks.drafts.photos import CLOTHING
from benchmarks.drafts.stand_in import Seen, stand_in
from finetune.data.photosets import ATTRIBUTES, read_annotations
from finetune.data.splits import split_rows
from finetune.evaluate.measures import f1, judge
from listing.calibration import Calibration, beside
from listing.decide.decision import Decision
from listing.home import ipl_home
from listing.intake.photos import intake
from listing.measure.photos import SHIPPED, calibrate
from listing.measure.row_cache import RowCache
from listing.observe.language_model import LanguageModel
from listing.pipeline import Pipeline, build_pipeline
from listing.pipeline_parts import PipelineParts, rules_of_now
from listing.request import DraftRequest
from listing.rules import Rules
from listing.schema import Observation
from listing.taxonomy import load_taxonomy

HEAD = ("right", "who", "category", "F1", "stated right", "coverage", "category stated right")
Seeing = dict[str, list[Observation]]


def looked(photos: Sequence[Path], cache: RowCache) -> Seeing:
    """What the embedded model's sources see on each photo, by the name of its file."""
    pipeline: Pipeline | None = None
    for number, photo in enumerate(photos, 1):
        if photo.name not in cache:
            pipeline = pipeline or build_pipeline(None, False, ipl_home())
            seen = pipeline.observe(DraftRequest(photos=intake([photo])))
            rows = [o.model_dump(exclude_defaults=True) for o in seen]
            cache.put({"photo": photo.name, "observations": rows})
            if number % 20 == 0:
                print(f"{number} of {len(photos)}", flush=True)
    return {p.name: [Observation.model_validate(o) for o in cache[p.name]["observations"]] for p in photos}


class Scores:
    """Counts over photos."""

    def __init__(self) -> None:
        self.n: Counter[str] = Counter()

    def add(self, row: Mapping[str, Any], decision: Decision) -> None:
        category = decision.category
        sure = category.confidence >= decision.rules.calibration.of("category").threshold
        right = category.value == row["label"]
        self.n += Counter(photos=1, category=right, named=sure, named_right=sure and right)
        for fact in decision.facts:
            counts = judge(row, fact.name, fact.value or fact.suggestion) if fact.name in ATTRIBUTES else None
            if counts is not None:
                stated = fact.value is not None
                self.n += Counter(right=counts.right, wrong=counts.wrong, missed=counts.missed)
                self.n += Counter(stated=stated, stated_right=stated and counts.right)

    def row(self) -> list[float]:
        n = self.n
        there = n["right"] + n["missed"]
        return [
            round(n["category"] / n["photos"], 3), round(f1(n["right"], n["wrong"], n["missed"]), 3),
            round(n["stated_right"] / max(1, n["stated"]), 3), round(n["stated_right"] / there, 3),
            round(n["named_right"] / max(1, n["named"]), 3),
        ]  # fmt: skip


def doses(args: Any, folder: Path, rows: Sequence[dict[str, Any]], seen: Seeing, now: Rules) -> Iterator[list[Any]]:
    rules = replace(now, calibration=beside(now.calibration))
    alone = replace(now, calibration=Calibration())
    embedded = Scores()
    for row in rows:
        embedded.add(row, Decision(seen[Path(row["image"]).name], 1, now))
    yield ["", "embedded", *embedded.row()]
    for right in args.right.split(","):
        options = [f"--right={right}", f"--belief={args.belief}", f"--deny={args.deny}"]
        eyes = ["--eyes", str(folder / "eyes.jsonl")] if args.shared else []
        with stand_in(args.stand_in, folder / "photos", folder / "log", *options, *eyes) as backend:
            photos = {name: [o for o in found if o.source != "mllm"] for name, found in seen.items()}
            parts = PipelineParts(backend, (Seen(photos), LanguageModel(backend)), rules)
            pipeline = Pipeline(parts)
            forms = {
                name: pipeline.observe(DraftRequest(photos=intake([path])))
                for name, path in [(Path(r["image"]).name, r["image"]) for r in rows]
            }
            calibrations = {"prior": rules.calibration}
            file = calibrate(pipeline, backend.describe()["device"], folder, report=lambda _: None)
            calibrations["160 photos"] = beside(now.calibration, Calibration.load(file))
        scores = {"model alone": Scores(), **{name: Scores() for name in calibrations}}
        for row in rows:
            found = forms[Path(row["image"]).name]
            scores["model alone"].add(row, Decision([o for o in found if o.source == "mllm"], 1, alone))
            for name, calibration in calibrations.items():
                scores[name].add(row, Decision(found, 1, replace(now, calibration=calibration)))
        yield from ([right, name, *score.row()] for name, score in scores.items())


def picture(table: Sequence[Sequence[Any]], file: Path) -> None:
    """Draw two panels over how often the model is right: category right, and what is stated of all that is there."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    styles = {"model alone": "s--", "prior": "o-", "160 photos": "^-"}
    names = {"prior": "draft, model not measured", "160 photos": "draft, model measured"}
    figure = Figure((7.6, 2.9), layout="constrained")
    embedded = next(row for row in table if row[1] == "embedded")
    panels = (("category right", 2), ("facts stated and right, of all", 5))
    for axes, (title, column) in zip(figure.subplots(1, 2), panels, strict=True):
        for name, style in styles.items():
            points = [(float(row[0]), row[column]) for row in table if row[1] == name]
            axes.plot(*zip(*points, strict=True), style, label=names.get(name, name), markersize=4)
        axes.axhline(embedded[column], color="grey", linestyle=":", label="embedded model alone")
        axes.set(title=title, xlabel="the larger model is right in", ylim=(0.4, 1.02))
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize="small", frameon=False
    )
    with rc_context({"svg.hashsalt": "curve"}):
        FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None})


def main() -> None:
    parser = arguments(__doc__, photos=0, right="0.5,0.6,0.7,0.8,0.9,1.0", belief=0.0, deny=0.0)
    parser.add_argument("--stand-in", type=Path, required=True)
    parser.add_argument("--shared", action="store_true")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--cache", type=Path, default=ipl_home() / "evaluation" / "model_curve.jsonl")
    args = parser.parse_args()
    with SHIPPED.open(encoding="utf-8") as file:
        ours = {row["sender"] for row in csv.DictReader(file)}
    validation = split_rows(read_annotations(CLOTHING))[1]
    judged = [row for row in validation if str(row["sender_id"]) not in ours][: args.photos or None]
    shipped = sorted(SHIPPED.parent.glob("*.jpg"))
    names = {Path(row["image"]).name[:8]: Path(row["image"]).name for row in validation}
    seen = looked([*(Path(row["image"]) for row in judged), *shipped], RowCache(args.cache, lambda row: row["photo"]))
    now, table = rules_of_now(ipl_home(), load_taxonomy()), []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "photos").mkdir()
        (folder / "models").mkdir()
        (folder / "models" / "ipl-mini").symlink_to(ipl_home() / "models" / "ipl-mini")
        for row in validation:
            (folder / "photos" / Path(row["image"]).name).symlink_to(row["image"])
        with (folder / "eyes.jsonl").open("w", encoding="utf-8") as eyes:
            for name, found in seen.items():
                decision = Decision(found, 1, now)
                facts = [fact.model_dump(mode="json") for fact in decision.facts]
                draft = {"category": {"value": decision.category.value}, "attributes": facts}
                eyes.write(json.dumps({"photos": [names[name[:8]]], "draft": draft}) + "\n")
        for line in doses(args, folder, judged, seen, now):
            print(*line, flush=True)
            table.append(line)
    if args.picture:
        picture(table, args.picture)
    print(markdown(HEAD, table))
    print(machine(), f"{len(judged)} validation photos")


if __name__ == "__main__":
    main()
