"""How far a larger model is heard: measured once in the background, then moved at night by what sellers tap.

Only what a seller says of words that were marked, or asked for, counts, at most five taps of each: nobody taps what is
right and plain, so that corrections of it alone would tell of errors alone. Silence confirms nothing. Every change is
another version of the rules, and a draft keeps the one that it was decided by.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import select

from app.drafting.queue import DraftQueue
from app.store import draft_repo
from app.store.db import Store
from app.store.tables import DraftRow, EditRow
from listing.backends.base import BackendError
from listing.backends.stopping import STOPPED, Stopped
from listing.calibration import Calibration
from listing.measure.photos import calibrate
from listing.measure.weights import Case, agreed, cases_of, measured
from listing.observe.seller import is_seller
from listing.pipeline import Pipeline
from listing.pipeline_parts import calibration_file, calibration_of, is_embedded
from listing.rules import Rules
from listing.schema import Draft

log = logging.getLogger(__name__)
TAPS, DRAFTS = 5, 2000  # of a seller; drafts that are looked at, the newest
WAIT_SECONDS, AWAY_SECONDS = 0.5, 5.0  # between looks at the queue, and for a server that is away


@dataclass
class Hearing:
    """``use``: takes the pipeline with other rules. ``says``: how the model was measured, for operators."""

    store: Store
    queue: DraftQueue
    home: Path
    model: str | None
    wanted: bool
    use: Callable[[Pipeline], None]
    pipeline: Pipeline | None = None
    says: str = ""
    closing: threading.Event = field(default_factory=threading.Event)

    def begin(self, pipeline: Pipeline) -> None:
        """Measure the model of the pipeline, unless it was measured, is the embedded one, or nobody wants it."""
        if self.model is None or is_embedded(pipeline.parts.backend):
            return
        self.pipeline = pipeline
        if (there := getattr(pipeline.parts.backend, "there", None)) is not None:
            self.says = f"No server answers at {self.model}; until one does, the embedded model writes."
            while not there():
                if self.closing.wait(AWAY_SECONDS):
                    return
            self._renew()  # which model it is, and so how far it is heard, is known only now
        model = pipeline.parts.backend.name
        on = self._file().measured_on.get("photos")
        if on or not self.wanted:
            self.says = f"{model} was measured on {on} photos." if on else f"{model} is heard by its prior."
            return
        patient = self.pipeline.with_parts(replace(self.pipeline.parts, alone=None))
        try:
            calibrate(patient, self.model, self.home, report=self._report, pause=self._pause)
        except Stopped:
            return
        except (BackendError, OSError) as error:
            log.warning("%s", error)
            self.says = f"{model} could not be measured ({error}); the next start goes on. It is heard by its prior."
            return
        self._renew()

    def move(self) -> int:
        """Move the model's weights by what sellers have tapped since; returns how many taps count."""
        if self.pipeline is None:
            return 0
        now = self._file()
        start = calibration_of(self._path(), self.home, replaced=now.untapped or None)
        rules = Rules(self.pipeline.parts.taxonomy, start, self.pipeline.parts.rules.types)
        tapped, others, drafts = self._cases(rules)
        count = sum(map(len, tapped.values()))
        moved = measured(tapped, start, tempered=False)
        if not now.measured_on.get("photos"):
            moved = agreed(others, moved)
        if moved == start and not now.untapped:
            return 0
        on = {**now.measured_on, "drafts": drafts, "corrections": count}
        moved.model_copy(update={"measured_on": on, "untapped": start.questions}).save(self._path())
        self._renew()
        return count

    def close(self) -> None:
        """End a measuring; the next start goes on."""
        self.closing.set()

    def _path(self) -> Path:
        assert self.pipeline is not None
        assert self.model is not None
        return calibration_file(self.model, self.home, self.pipeline.parts.backend)

    def _file(self) -> Calibration:
        return Calibration.load(self._path())

    def _renew(self) -> None:
        """Let new drafts be decided by what the file says now."""
        assert self.pipeline is not None
        calibration, old = (
            calibration_of(self._path(), self.home, shop=self.pipeline.parts.learned),
            self.pipeline.parts.rules,
        )
        rules = Rules(old.taxonomy, calibration, old.types)
        rules.keep(self.home / "rules")
        self.pipeline = self.pipeline.with_parts(replace(self.pipeline.parts, rules=rules))
        on = calibration.measured_on
        counts = [f"{on[name]} {name}" for name in ("photos", "corrections") if on.get(name)]
        self.says = f"{self.pipeline.parts.backend.name} was measured on {' and '.join(counts) or 'nothing'}."
        self.use(self.pipeline)

    def _report(self, sentence: str) -> None:
        assert self.pipeline is not None
        self.says = f"{self.pipeline.parts.backend.name} is being {sentence}; until then its prior holds."

    def _pause(self) -> None:
        """Sellers' drafts come first."""
        while not self.closing.is_set() and len(self.queue):
            self.closing.wait(WAIT_SECONDS)
        if self.closing.is_set():
            raise Stopped(STOPPED)

    def _cases(self, rules: Rules) -> tuple[dict[str, list[Case]], dict[str, list[Case]], int]:
        """Cases that sellers settled, those that they did not, and the number of drafts of the former."""
        assert self.pipeline is not None
        tapped: dict[str, list[Case]] = {}
        others: dict[str, list[Case]] = {}
        of_seller: Counter[str] = Counter()
        drafts = 0
        with self.store.read() as session:
            edited = select(EditRow.draft_id).where(EditRow.draft_id == DraftRow.id, EditRow.kind == "set").exists()
            for with_taps, into in ((edited, tapped), (~edited, others)):
                query = select(DraftRow).where(DraftRow.generated.is_not(None), with_taps)
                for row in session.scalars(query.order_by(DraftRow.created_at.desc(), DraftRow.id).limit(DRAFTS)):
                    draft = draft_repo.generated(row)
                    if draft is None or draft.model != self.pipeline.parts.backend.name:
                        continue
                    word = draft_repo.word_on(session, row.id)
                    asked = asked_of(draft)
                    said = {n: [v] for n, v in word.values.items() if v is not None and n in asked}
                    told = said if into is tapped else None
                    seen = [o for o in draft.observations if not is_seller(o)]
                    category = word.values.get("category") or draft.category.value
                    found = cases_of(seen, told, len(draft.photos), rules, category)
                    left = TAPS - of_seller[row.seller_id] if into is tapped else None
                    for name, case in list(found.items())[:left]:
                        into.setdefault(name, []).append(case)
                        of_seller[row.seller_id] += into is tapped
                    drafts += bool(told and found)
        return tapped, others, drafts


def asked_of(draft: Draft) -> set[str | None]:
    """What its seller was asked about: the marked words, and the questions."""
    return {s.attribute for s in draft.spans if s.status == "check"} | {q.attribute for q in draft.questions}
