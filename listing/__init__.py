"""From photos of one thing to an honest draft of its listing.

    from listing import DraftRequest, build_pipeline, ipl_home
    from listing.intake import intake

    pipeline = build_pipeline(None, rag=True, home=ipl_home())
    for event in pipeline.run(DraftRequest(photos=intake([Path("hoodie.jpg")]))): ...

The rooms, from the lowest to the highest; none knows one that stands below it in this list:

    base modules  schema, taxonomy, lexicon, request, events, errors, home, prompts, lazy
    intake        files to clean photos, perceptual hash, items of a folder, quality
    backends      the multimodal LLM: local weights, or any OpenAI-compatible server
    safety        contact data, prohibited goods, instructions hidden in data
    evidence      what speaks for a fact: print, pixels, category, brand, past listings
    facts         questions to the model, the sources' ensemble, what is stated and what only suggested
    text          title and description: what may be said, rendered or written and checked, and the spans of its claims
    batch         many items: one process, workers, Ray
    pipeline      the whole walk (``pipeline.py``) and its parts (``pipeline_parts.py``)

The names below are the public surface; each is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from listing.lazy import lazy_names

if TYPE_CHECKING:
    from listing.backends.base import Backend as Backend
    from listing.backends.base import BackendError as BackendError
    from listing.errors import IplError as IplError
    from listing.events import Event as Event
    from listing.evidence.past_listings import PastListings as PastListings
    from listing.home import ipl_home as ipl_home
    from listing.intake.photos import PhotoError as PhotoError
    from listing.pipeline import Pipeline as Pipeline
    from listing.pipeline import build_pipeline as build_pipeline
    from listing.pipeline_parts import Parts as Parts
    from listing.pipeline_parts import build_parts as build_parts
    from listing.pipeline_parts import open_backend as open_backend
    from listing.request import DraftPipeline as DraftPipeline
    from listing.request import DraftRequest as DraftRequest
    from listing.request import Photo as Photo
    from listing.schema import AttributeValue as AttributeValue
    from listing.schema import Category as Category
    from listing.schema import Draft as Draft
    from listing.schema import Listing as Listing
    from listing.taxonomy import Taxonomy as Taxonomy
    from listing.taxonomy import TaxonomyError as TaxonomyError
    from listing.taxonomy import load_taxonomy as load_taxonomy

_MODULES = {
    "AttributeValue": "listing.schema",
    "Backend": "listing.backends.base",
    "BackendError": "listing.backends.base",
    "Category": "listing.schema",
    "Draft": "listing.schema",
    "DraftPipeline": "listing.request",
    "DraftRequest": "listing.request",
    "Event": "listing.events",
    "IplError": "listing.errors",
    "Listing": "listing.schema",
    "Parts": "listing.pipeline_parts",
    "PastListings": "listing.evidence.past_listings",
    "Photo": "listing.request",
    "PhotoError": "listing.intake.photos",
    "Pipeline": "listing.pipeline",
    "Taxonomy": "listing.taxonomy",
    "TaxonomyError": "listing.taxonomy",
    "build_parts": "listing.pipeline_parts",
    "build_pipeline": "listing.pipeline",
    "ipl_home": "listing.home",
    "load_taxonomy": "listing.taxonomy",
    "open_backend": "listing.pipeline_parts",
}
__all__ = list(_MODULES)
__getattr__ = lazy_names(__name__, _MODULES)
