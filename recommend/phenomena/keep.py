"""Knowledge outside a channel (KEEP, 2208.10174): clicks elsewhere that a channel's own history does not hold."""

from __future__ import annotations

from recommend.metrics.jackknife import Estimate
from recommend.phenomena.elsewhere import lift
from recommend.phenomena.log import Log


def measure(log: Log) -> Estimate:
    """``elsewhere.lift`` of channels, among items."""
    return lift(log, "channel", "entity = 0" if "entity" in log.columns["impression"] else "true")
