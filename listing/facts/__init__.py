"""From evidence to facts: questions to the model, the ensemble, what is stated and what only suggested."""

from __future__ import annotations

from typing import TYPE_CHECKING

from listing.lazy import lazy_names

if TYPE_CHECKING:
    from listing.facts.calibrations import calibration_file as calibration_file
    from listing.facts.category_router import Router as Router
    from listing.facts.ensemble import AttributeCalibration as AttributeCalibration
    from listing.facts.ensemble import Calibration as Calibration

_MODULES = {
    "AttributeCalibration": "listing.facts.ensemble",
    "Calibration": "listing.facts.ensemble",
    "Router": "listing.facts.category_router",
    "calibration_file": "listing.facts.calibrations",
}
__all__ = list(_MODULES)
__getattr__ = lazy_names(__name__, _MODULES)
