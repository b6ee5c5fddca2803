"""Drafts for a script: one call, model and index stay loaded for the next."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from listing.home import ipl_home
from listing.observe.past_listings import PastListings
from listing.pipeline import Pipeline, build_pipeline
from listing.pipeline_parts import towers_here
from listing.schema import Draft
from listing.shops.shop import use_shop


def draft(
    photos: Sequence[str | Path],
    *,
    note: str = "",
    model: str | None = None,
    rag: bool = True,
    shop: str | Path | None = None,
) -> Draft:
    """The draft of one item's photos: the short way for a script; ``Pipeline.run`` gives the events on the way.

    Model and index stay loaded for the next call.

    Args:
        photos: files, the first one is the cover. note: the seller's words. model: None takes what ``IPL_MODEL`` names,
            else the embedded one. model, rag: see ``build_pipeline``. shop: the folder of a shop that ``./ipl learn``
            made; None takes what ``IPL_SHOP`` names. A process speaks one shop's words at a time.

    Raises:
        PhotoError, BackendError: one sentence that says what to do.
    """
    return _loaded(model, rag, shop).draft(photos, note=note)


async def adraft(
    photos: Sequence[str | Path],
    *,
    note: str = "",
    model: str | None = None,
    rag: bool = True,
    shop: str | Path | None = None,
) -> Draft:
    """``draft`` without blocking the event loop: a server's model works on eight at once, others write one at a time.

    More or fewer at once: ``build_pipeline(..., concurrency=N)`` and its ``adraft``. See ``draft``.
    """
    pipeline = await asyncio.to_thread(_loaded, model, rag, shop)
    return await pipeline.adraft(photos, note=note)


_loading = threading.Lock()


def _loaded(model: str | None, rag: bool, shop: str | Path | None = None) -> Pipeline:
    with _loading:
        return _pipeline(model or os.environ.get("IPL_MODEL") or None, rag, ipl_home(), use_shop(shop))


@lru_cache(maxsize=4)
def _pipeline(model: str | None, rag: bool, home: Path, shop: Path | None) -> Pipeline:
    return build_pipeline(model, rag, home, _past(home, shop) if rag and towers_here(model, home) else None)


@lru_cache(maxsize=1)
def _past(home: Path, shop: Path | None) -> PastListings:
    return PastListings.open(home)  # one for all models: an embedded index has one owner
