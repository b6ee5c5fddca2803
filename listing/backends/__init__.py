"""The multimodal LLM: the protocol, local weights, and any OpenAI-compatible server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from listing.lazy import lazy_names

if TYPE_CHECKING:
    from listing.backends.base import Backend as Backend
    from listing.backends.base import BackendError as BackendError
    from listing.backends.base import ChoiceQuestion as ChoiceQuestion
    from listing.backends.local import LocalBackend as LocalBackend
    from listing.backends.openai import OpenAIBackend as OpenAIBackend
    from listing.backends.stopping import Stopped as Stopped
    from listing.backends.stopping import current_wish as current_wish
    from listing.backends.stopping import stop_when as stop_when

_MODULES = {
    "Backend": "listing.backends.base",
    "BackendError": "listing.backends.base",
    "ChoiceQuestion": "listing.backends.base",
    "LocalBackend": "listing.backends.local",
    "OpenAIBackend": "listing.backends.openai",
    "Stopped": "listing.backends.stopping",
    "current_wish": "listing.backends.stopping",
    "stop_when": "listing.backends.stopping",
}
__all__ = list(_MODULES)
__getattr__ = lazy_names(__name__, _MODULES)
