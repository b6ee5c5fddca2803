"""Taste that crosses entities (MKT, 2402.19101): what users click as one entity tells what they want as another."""

from __future__ import annotations

from pathlib import Path

from recommend.data.schema import ENTITIES
from recommend.metrics.jackknife import Estimate
from recommend.phenomena.elsewhere import lift
from recommend.phenomena.log import Log
from recommend.phenomena.oracle import shared_taste_loss


def measure(log: Log) -> Estimate:
    """``elsewhere.lift`` of entities."""
    return lift(log, "entity")


def headroom(root: Path) -> float:
    """Expected AUC among posts that is lost without the tastes that clicks on things show as well."""
    return shared_taste_loss(root, "entity", ENTITIES.index("post"))
