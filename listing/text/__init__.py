"""Title and description: what they may say, written by the model, checked claim by claim, or rendered plainly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from listing.lazy import lazy_names

if TYPE_CHECKING:
    from listing.text.checked import Subject as Subject
    from listing.text.checked import checked_description as checked_description
    from listing.text.checked import checked_title as checked_title
    from listing.text.compose import Text as Text
    from listing.text.ground import Claim as Claim
    from listing.text.ground import find_claims as find_claims
    from listing.text.ground import verify as verify

_MODULES = {
    "Claim": "listing.text.ground",
    "Subject": "listing.text.checked",
    "Text": "listing.text.compose",
    "checked_description": "listing.text.checked",
    "checked_title": "listing.text.checked",
    "find_claims": "listing.text.ground",
    "verify": "listing.text.ground",
}
__all__ = list(_MODULES)
__getattr__ = lazy_names(__name__, _MODULES)
