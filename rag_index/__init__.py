"""Past listings in Chroma: build an index, search it by photo and text, and what neighbours may contribute to a draft.

Rooms, each of which imports only those before it: ``errors``, ``records``; ``storage`` (where an index lies and how);
``encoders``; ``imports`` (tables of past listings); ``index`` and ``search``; ``rules``, ``retrieval``, ``neighbours``
and ``prices``; ``sample`` (the shipped listings).

The names below are what other packages use; each is imported when it is first asked for.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rag_index.errors import (
    BadRecord,
    IndexBusy,
    IndexDamaged,
    IndexFailure,
    IndexMismatch,
    IndexMissing,
    IndexUnreachable,
    IplError,
)
from rag_index.lazy import lazy_names

# No library reports home, whoever imports this first: onnxruntime, Chroma, Ray, Gradio, the hub.
NO_TELEMETRY = {
    "ANONYMIZED_TELEMETRY": "False",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
for _name, _value in NO_TELEMETRY.items():
    os.environ.setdefault(_name, _value)

if TYPE_CHECKING:
    from rag_index.encoders import Encoders, default_encoders, default_location
    from rag_index.imports.importer import ReadPhoto, Tools
    from rag_index.index import ListingIndex, build
    from rag_index.neighbours import vote
    from rag_index.prices import PriceBasis, comparable_prices, price_range
    from rag_index.records import IndexRecord, Neighbour
    from rag_index.retrieval import retrieve
    from rag_index.rules import Query, Rules
    from rag_index.sample.load import SAMPLE_FOLDER, sample_encoders, sample_records
    from rag_index.sample.make import sample_facts
    from rag_index.search import Filter
    from rag_index.storage.location import ServerPlace, check_answers
    from rag_index.storage.manifest import EncoderInfo, EncodersInfo
    from rag_index.storage.worker_copies import own_copy, still_copy

__all__ = [
    "SAMPLE_FOLDER", "BadRecord", "EncoderInfo", "Encoders", "EncodersInfo", "Filter", "IndexBusy",
    "IndexDamaged", "IndexFailure", "IndexMismatch", "IndexMissing", "IndexRecord", "IndexUnreachable", "IplError",
    "ListingIndex", "Neighbour", "PriceBasis", "Query", "ReadPhoto", "Rules", "ServerPlace", "Tools", "build",
    "check_answers", "comparable_prices", "default_encoders", "default_location", "own_copy", "price_range", "retrieve",
    "sample_encoders", "sample_facts", "sample_records", "still_copy", "vote",
]  # fmt: skip

__getattr__ = lazy_names(
    __name__,
    {
        "encoders": "Encoders default_encoders default_location",
        "imports.importer": "ReadPhoto Tools",
        "index": "ListingIndex build",
        "neighbours": "vote",
        "prices": "PriceBasis comparable_prices price_range",
        "records": "IndexRecord Neighbour",
        "retrieval": "retrieve",
        "rules": "Query Rules",
        "sample.load": "SAMPLE_FOLDER sample_encoders sample_records",
        "sample.make": "sample_facts",
        "search": "Filter",
        "storage.location": "ServerPlace check_answers",
        "storage.manifest": "EncoderInfo EncodersInfo",
        "storage.worker_copies": "own_copy still_copy",
    },
)
