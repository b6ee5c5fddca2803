"""Many items: rows in, drafts out as JSONL, in one process, by workers, or on Ray."""

from __future__ import annotations

from typing import TYPE_CHECKING

from listing.lazy import lazy_names

if TYPE_CHECKING:
    from listing.batch.output import BatchError as BatchError
    from listing.batch.ray import RayMissing as RayMissing
    from listing.batch.run import BatchInputError as BatchInputError

_MODULES = {
    "BatchError": "listing.batch.output",
    "BatchInputError": "listing.batch.run",
    "RayMissing": "listing.batch.ray",
}
__all__ = list(_MODULES)
__getattr__ = lazy_names(__name__, _MODULES)
