"""Taste that crosses entities (MKT, 2402.19101): what users click as one entity tells what they want as another."""

from __future__ import annotations

from recommend.metrics.jackknife import Estimate
from recommend.phenomena.elsewhere import lift
from recommend.phenomena.log import Log


def measure(log: Log) -> Estimate:
    """``elsewhere.lift`` of entities."""
    return lift(log, "entity")
