"""A model measured on annotated photos: those that ship, or a table of somebody's own.

A table has a row a photo: ``photo`` (its path from the table on), ``category``, and a column for each attribute that is
known. An empty cell says nothing; ``unknown`` and ``none`` are answers. The observations of each photo are kept until
all are there, so that an interrupted measuring goes on.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from listing.backends.base import BackendError
from listing.batch.workers import at_once
from listing.calibration import Calibration, beside
from listing.errors import IplError
from listing.intake.photos import intake
from listing.measure.row_cache import RowCache
from listing.measure.weights import CATEGORY, Case, as_usual, cases_of, measured
from listing.pipeline import Pipeline
from listing.pipeline_parts import EMBEDDED, calibration_file, file_stem
from listing.request import DraftRequest
from listing.rules import Rules
from listing.schema import Observation
from listing.taxonomy import Taxonomy

SHIPPED = Path(__file__).parents[1] / "calibration_photos" / "photos.csv"
# Where all other sources together are right: the category on photos of people whom nobody trained or weighed them on,
# else on those of all validation senders. Those who photographed what ships are easier (category .91).
USUALLY_RIGHT = {
    **{"category": 0.85, "colour": 0.71, "colour2": 0.47, "pattern": 0.75, "neckline": 0.75},
    **{"closure": 0.74, "sleeve": 0.91, "audience": 0.73, "material": 0.65},
}
COLOURS = ("colour", "colour2")  # each of them is a right answer for the first


class TableError(IplError, ValueError):
    """A table of annotated photos cannot be used."""

    code, exit_status = "bad_table", 2


@dataclass(frozen=True)
class AnnotatedPhoto:
    """A photo, and the answers that are right by question."""

    path: Path
    truths: dict[str, list[str]]


def read_table(table: Path, taxonomy: Taxonomy) -> list[AnnotatedPhoto]:
    """The photos of a table. TableError: it, a photo or an answer cannot be used."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{table} cannot be read as a CSV table ({error}): name one with --photos.") from error
    columns = rows[0].keys() if rows else ()
    if not {"photo", CATEGORY} <= set(columns):
        raise TableError(f"{table} needs the columns photo and category, and a row for each photo.")
    photos = []
    for number, row in enumerate(rows, 2):
        path = table.parent / (row["photo"] or "")
        if not path.is_file():
            raise TableError(f"{table}, line {number}: there is no photo {path}.")
        photos.append(AnnotatedPhoto(path, _truths(row, f"{table}, line {number}", taxonomy)))
    return photos


def _truths(row: dict[str, str | None], where: str, taxonomy: Taxonomy) -> dict[str, list[str]]:
    cells = {name: (value or "").strip() for name, value in row.items() if isinstance(value, str)}
    node = taxonomy.find(cells.get(CATEGORY, ""))
    if node is None:
        named = cells.get(CATEGORY, "")
        raise TableError(f"{where}: there is no category {named!r}; choose one of: {', '.join(taxonomy.categories)}.")
    truths = {CATEGORY: [node.name]}
    for attribute in taxonomy.schema_of(node):
        value = cells.get(attribute.name, "")
        if not value or not attribute.values:
            continue
        if value not in (*taxonomy.attributes[attribute.name].answers, "n/a"):
            choices = ", ".join(attribute.answers)
            raise TableError(f"{where}: {attribute.name} cannot be {value!r}; choose one of: {choices}.")
        truths[attribute.name] = [value]
    colours = [value for name in COLOURS for value in truths.get(name, ()) if value not in ("none", "unknown")]
    return {**truths, **({"colour": colours} if "colour" in truths and colours else {})}


def calibrate(
    pipeline: Pipeline,
    model: str,
    home: Path,
    table: Path = SHIPPED,
    report: Callable[[str], None] = print,
    pause: Callable[[], None] = lambda: None,
) -> Path:
    """Measure the pipeline's model, which was named so, and write its calibration; the file.

    ``pause`` is called before each photo.

    Raises:
        TableError: the table cannot be used.
        BackendError: the model cannot be used, or has answered nothing; the same call goes on from there.
    """
    photos, parts = read_table(table, pipeline.parts.taxonomy), pipeline.parts
    file = calibration_file(model, home, parts.backend)
    prior = beside(Calibration.load(home / "models" / EMBEDDED))
    rules = Rules(parts.taxonomy, prior, parts.rules.types)
    stem = file.stem if file.parent == home / "calibrations" else file_stem(str(file))
    kept = RowCache(home / "calibrations" / f"{stem}.observed.jsonl", lambda row: str(row["photo"]))
    cases: dict[str, list[Case]] = {}
    answered = 0
    for number, (photo, observations) in enumerate(_observed(pipeline, photos, kept, pause), 1):
        answered += any(o.source == "mllm" for o in observations)
        for question, case in cases_of(observations, photo.truths, 1, rules).items():
            cases.setdefault(question, []).append(case)
        if number % 20 == 0 or number == len(photos):
            report(f"measured on {number} of {len(photos)} photos")
    kept.file.unlink(missing_ok=True)
    if not answered:
        message = f"The model {parts.backend.name} answered nothing that can be read about {len(photos)} photos"
        raise BackendError(f"{message}: it stays with its prior; see whether it takes photos and fills in forms.")
    if table == SHIPPED:
        cases = {q: as_usual(found, prior.of(q), USUALLY_RIGHT[q]) for q, found in cases.items()}
    measured(cases, prior).model_copy(update={"measured_on": {"photos": answered}}).save(file)
    return file


def _observed(
    pipeline: Pipeline, photos: list[AnnotatedPhoto], kept: RowCache, pause: Callable[[], None]
) -> Iterator[tuple[AnnotatedPhoto, list[Observation]]]:
    def work(pipeline: Any, photo: AnnotatedPhoto) -> dict[str, Any]:
        key = hashlib.sha256(photo.path.read_bytes()).hexdigest()
        if key in kept:
            return kept[key]
        pause()
        observations = pipeline.observe(DraftRequest(photos=intake([photo.path])))
        return {"photo": key, "observations": [o.model_dump(exclude_defaults=True) for o in observations]}

    for photo, row in at_once(photos, work, lambda: pipeline, pipeline.concurrency):
        if row["photo"] not in kept:
            kept.put(row)
        yield photo, [Observation.model_validate(o) for o in row["observations"]]
