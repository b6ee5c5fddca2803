"""Knowledge outside a channel (KEEP, 2208.10174): clicks elsewhere that a channel's own history does not hold."""

from __future__ import annotations

from pathlib import Path

from recommend.data.schema import CHANNELS
from recommend.metrics.jackknife import Estimate
from recommend.phenomena.elsewhere import lift
from recommend.phenomena.log import Log
from recommend.phenomena.oracle import shared_taste_loss


def measure(log: Log) -> Estimate:
    """``elsewhere.lift`` of channels, among items."""
    return lift(log, "channel", "entity = 0" if "entity" in log.columns["impression"] else "true")


def headroom(root: Path) -> float:
    """Expected AUC among ads that is lost without the tastes that clicks in the other channels show as well."""
    return shared_taste_loss(root, "channel", CHANNELS.index("ads"))
