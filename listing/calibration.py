"""How far each source is heard on each question, and from which probability on a value is stated.

One file of one form (``calibration.json`` of a model folder, ``./ipl calibrate``) for every model, taxonomy and
question. A model without that file is heard by the prior below.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

FILE = "calibration.json"
GENERAL = "general"  # of a category: what towers and ImageNet, which no shop has taught, say together
_SHARE_FLOOR = 1e-3  # keeps the ratio of two shares finite


def log_ratio(clothes: float, others: float) -> float:
    """How much more ImageNet sees clothes than other leaves of the taxonomy, from its shares (0..1) of both."""
    return math.log(clothes + _SHARE_FLOOR) - math.log(others + _SHARE_FLOOR)


class QuestionCalibration(BaseModel):
    """``weights``: exponent of each source, all of them over ``temperature``. ``threshold``: the least probability at
    which a value is stated.

    ``told`` of older files is read and not used: facts and texts have one threshold.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: dict[str, float]
    threshold: float
    temperature: float = Field(default=1.0, gt=0)
    told: float | None = Field(default=None, exclude=True)

    @property
    def exponents(self) -> dict[str, float]:
        """What each source's probabilities are raised to in the pool."""
        return {source: weight / self.temperature for source, weight in self.weights.items()}


class CategoryRange(BaseModel):
    """Which of two ranges a photo is in: garments, which the towers were trained on, or everything else.

    ``garment_threshold`` is the log ratio of ImageNet's clothes to its other leaves at which a photo counts as a
    garment: one in a hundred training garments lies below it. The towers' likeliest garment adds ``tower_weight`` times
    its probability, less ``tower_neutral``, to that ratio. ``min_leaf``, ``min_group`` and ``min_confidence`` of older
    files are read and not used: a name is sure or asked (``listing.decide.category.SURE_KIND``). ``weights`` of the
    sources among garments hold where the calibration of the category names none, and sum to ``sharpness``: sources that
    look through the same tower add little certainty by agreeing. ``other_weights`` hold beyond garments, whose leaves
    share the range's probability where ImageNet gives them ``covered`` of its own, and less where it gives less. Of
    photos on which no item is recognised, only what has ``min_unrecognised`` is named. A garment is as sure as such
    ones are right: its log odds times ``temper_slope``, plus ``temper_ratio`` times ImageNet's log ratio, plus
    ``temper_bias``, and ``temper_studio`` on an even white ground: no network learned of a catalogue's photos.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    garment_threshold: float = -1.949
    garment_slope: float = Field(default=2.0, gt=0)
    tower_weight: float = Field(default=2.0, ge=0)
    tower_neutral: float = 0.949
    min_leaf: float | None = Field(default=None, exclude=True)
    min_group: float | None = Field(default=None, exclude=True)
    covered: float = Field(default=0.5, gt=0, le=1)
    min_unrecognised: float = Field(default=0.4, ge=0, le=1)
    min_confidence: float | None = Field(default=None, exclude=True)
    min_candidate: float = Field(default=0.02, ge=0, le=1)
    unsure: float | None = Field(default=None, exclude=True)  # of older files
    sharpness: float = Field(default=1.6, gt=0)
    temper_slope: float = Field(default=1.0, gt=0)
    temper_ratio: float = 0.0
    temper_bias: float = 0.0
    temper_studio: float = 0.0
    weights: dict[str, float] = {"mllm": 0.25, "classifier": 0.75, "neighbours": 0.2}
    other_weights: dict[str, float] = {"imagenet": 1.0, "mllm": 0.5, "neighbours": 0.5}


# A model's word beside the other sources, before anybody measured it: about as often right as .85 of closed answers.
# PRIOR_ALONE: where no other source speaks.
PRIOR_WEIGHT, PRIOR_CATEGORY, PRIOR_ALONE, PRIOR_THRESHOLD = 0.6, 0.5, 0.8, 0.9


class Calibration(BaseModel):
    """By question (``category`` and attribute names); ``default`` serves what is not listed.

    ``UNCALIBRATED`` stands for a model that has none. ``measured_on``: how many photos, drafts and corrections it was
    measured on; ``untapped``: the questions as they were before sellers' corrections moved them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    default: QuestionCalibration = QuestionCalibration(weights={"mllm": 1.0}, threshold=0.8)
    questions: dict[str, QuestionCalibration] = {}
    range: CategoryRange = CategoryRange()
    measured_on: dict[str, int] = {}
    untapped: dict[str, QuestionCalibration] = {}

    def of(self, question: str) -> QuestionCalibration:
        """The calibration of one question."""
        return self.questions.get(question, self.default)

    def model_weight(self, question: str) -> float:
        """How far a model's own word on a question is heard."""
        return self.of(question).weights.get("mllm", PRIOR_CATEGORY if question == "category" else PRIOR_WEIGHT)

    @property
    def fitted(self) -> bool:
        """True if there is one: otherwise no probability is enough to state a value."""
        return math.isfinite(self.default.threshold)

    @classmethod
    def load(cls, place: str | Path) -> Calibration:
        """From a file or a model folder; ``UNCALIBRATED`` where there is none."""
        file = Path(place) / FILE if Path(place).is_dir() else Path(place)
        return cls.model_validate(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else UNCALIBRATED

    def save(self, file: Path) -> None:
        """Write the file, in one rename; its folder is made."""
        file.parent.mkdir(parents=True, exist_ok=True)
        scratch = file.with_suffix(".tmp")
        scratch.write_text(json.dumps(self.model_dump(), indent=1) + "\n", encoding="utf-8")
        scratch.replace(file)


def beside(embedded: Calibration, measured: Calibration | None = None) -> Calibration:
    """The calibration of a model beside the sources of the embedded one.

    measured: of that model; None takes the prior, for which nothing is stated below ``PRIOR_THRESHOLD``.
    """
    questions = dict(embedded.questions)
    for name, question in questions.items():
        weight = PRIOR_CATEGORY if name == "category" else PRIOR_WEIGHT
        threshold = max(question.threshold, PRIOR_THRESHOLD)
        questions[name] = QuestionCalibration(weights={**question.weights, "mllm": weight}, threshold=threshold)
    if measured is not None:
        questions.update(measured.questions)
    default = QuestionCalibration(weights={"mllm": PRIOR_ALONE}, threshold=PRIOR_THRESHOLD)
    on = measured.measured_on if measured is not None else {}
    return Calibration(default=default, questions=questions, range=embedded.range, measured_on=on)


UNCALIBRATED = Calibration(default=QuestionCalibration(weights={"mllm": 1.0}, threshold=math.inf))
