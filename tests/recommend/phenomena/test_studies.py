"""What a study lets expect at a strength: between its doses, and beyond them."""

from __future__ import annotations

from pathlib import Path

import pytest

from recommend.phenomena import studies
from recommend.phenomena.studies import expected
from recommend.research.studies import engine


def point(x: float | None, gain: float) -> dict:
    return {"phenomenon": x, "gain": gain, "low": gain - 1, "high": gain + 1}


def test_the_gain_lies_between_those_of_the_doses(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(studies, "VERDICTS", tmp_path)
    assert expected("ecad", 0.3) is None  # no study has run
    curve = [point(0.5, 8.0), point(0.1, 0.0), point(None, 99.0), point(0.3, 4.0)]
    stored = {"conclusion": {"curve": curve, "unit": "millinats", "verdict": "gains, specific"}}
    engine.write(tmp_path / "ecad.json", stored)
    at_strength = expected("ecad", 0.4)
    assert at_strength is not None
    assert (at_strength.gain, at_strength.low, at_strength.high) == pytest.approx((6.0, 5.0, 7.0))
    assert at_strength.sentence() == "in its study +6 [+5, +7] millinats at this strength (gains, specific)"
    beyond = expected("ecad", 0.9)
    assert beyond is not None
    assert beyond.gain == pytest.approx(8.0)
    assert "at its nearest dose" in beyond.sentence()
    engine.write(tmp_path / "ecad.json", {"done": {}})  # it is running
    assert expected("ecad", 0.4) is None
