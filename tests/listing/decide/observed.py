"""Observations for tests, short to write, and what is decided from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from listing.calibration import Calibration, QuestionCalibration
from listing.decide.decision import Decision, Rules
from listing.schema import Observation
from listing.taxonomy import load_taxonomy

OPEN = Calibration(default=QuestionCalibration(weights={"mllm": 1.0, "classifier": 1.0}, threshold=0.8))


def on(
    source: str, question: str, shares: Mapping[str, float] | str, photo: int | None = 0, **more: object
) -> Observation:
    """One source's word on one question; a value alone is sure."""
    probabilities = {shares: 1.0} if isinstance(shares, str) else dict(shares)
    return Observation.model_validate(
        {"source": source, "question": question, "probabilities": probabilities, "photo": photo, **more}
    )


def decided(
    observations: Sequence[Observation],
    calibration: Calibration = OPEN,
    *,
    photos: int = 1,
    types: Mapping[str, Sequence[str]] | None = None,
) -> Decision:
    """What follows from them by the package's taxonomy."""
    return Decision(observations, photos, Rules(load_taxonomy(), calibration, types or {}))
