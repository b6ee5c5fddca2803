"""Everything the handlers stand on, built once from the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.settings import Settings
    from listing.request import DraftPipeline


@dataclass(frozen=True)
class Services:
    """Shared by the page and the API; holds no state of a person."""

    settings: Settings
    pipeline: DraftPipeline


def build_services(
    settings: Settings | None = None, *, pipeline: DraftPipeline | None = None, index: Any | None = None
) -> Services:
    """The services of ``settings`` (default: of the environment). Tests hand in their own pipeline and index."""
    raise NotImplementedError
