"""From photos of one item to an honest draft of its listing.

    from listing import draft

    print(draft(["hoodie.jpg"], note="Worn twice.").title)

The rooms, from the lowest to the highest; none knows one that stands below it in this list:

    base modules  schema, taxonomy, lexicon, request, errors, home, prompts
    shops         a shop's version folder, its words for values and titles, and its table of past listings
    intake        files to clean photos, perceptual hash, quality
    backends      the multimodal LLM: local weights, or any OpenAI-compatible server
    safety        contact data, prohibited goods, instructions hidden in data
    observe       one file a source: towers, model, pixels, print, past listings and the seller say, and judge nothing
    decide        from observations to category, facts and details: pure functions with the calibration's weights
    say           title and description rendered or written and checked, the spans of their claims, and what to ask
    pipeline      the story (``pipeline.py``), with the short way for scripts, and its parts (``pipeline_parts.py``)
    batch         many items of a folder or a file: one process, workers, Ray
    measure       how far a model is heard, measured on annotated photos

The names below are the public surface; each is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag_index.lazy import lazy_names

if TYPE_CHECKING:
    from listing.errors import IplError
    from listing.home import ipl_home
    from listing.pipeline import Pipeline, adraft, build_pipeline, draft
    from listing.request import DraftRequest
    from listing.schema import Draft, Listing

__all__ = ["Draft", "DraftRequest", "IplError", "Listing", "Pipeline", "adraft", "build_pipeline", "draft", "ipl_home"]

__getattr__ = lazy_names(
    __name__,
    {
        "errors": "IplError",
        "home": "ipl_home",
        "pipeline": "Pipeline adraft build_pipeline draft",
        "request": "DraftRequest",
        "schema": "Draft Listing",
    },
)
