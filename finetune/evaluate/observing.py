"""Observations of annotated photos by every source, stored by photo: an evaluation then only decides."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from listing.backends.local import is_embedded
from listing.decide.decision import Decision
from listing.intake.photos import intake
from listing.measure.row_cache import RowCache
from listing.observe.language_model import LanguageModel
from listing.observe.past_listings import PastListings
from listing.observe.source import Context
from listing.pipeline_parts import PipelineParts, build_parts, file_stem, identity
from listing.request import DraftRequest
from listing.schema import Observation
from listing.shops.shop import Words, use_shop

Row = dict[str, Any]


@dataclass(frozen=True)
class ObservedPhoto:
    """One photo's observations, the seconds that each source took, and its nearest past listing, if there is one."""

    observations: Sequence[Observation]
    seconds: Mapping[str, float] = field(default_factory=dict)
    nearest: Mapping[str, Any] | None = None


def evaluation_parts(model: str | None, home: Path, store: Path) -> PipelineParts:
    """A pipeline's parts beside the sample's past listings alone: what users added to their index changes no figure.

    The sample leaves out every validation sender, and the leakage rules are on all the same.
    """
    from rag_index import IndexMismatch, IndexMissing, ListingIndex, build, default_encoders, sample_records

    encoders = default_encoders(home)
    place, info = store / "index", encoders.info
    try:
        index = ListingIndex.open(place, info)
    except (IndexMissing, IndexMismatch):
        build(sample_records(info), place, info)
        index = ListingIndex.open(place, info)
    words = Words.of(use_shop())
    return build_parts(model, True, home, PastListings(index, encoders, words.taxonomy), words=words)


class Observer:
    """Observations of annotated photos by all sources; the language model is asked every question.

    Args:
        parts: loads the sources; called when a photo has to be observed that was not before.
        file: where observations are stored; its name should change with the weights (``weights_stamp``).
    """

    def __init__(self, parts: Callable[[], PipelineParts], file: Path) -> None:
        self._load = parts
        self._parts: PipelineParts | None = None
        self._cache = RowCache(file, lambda row: str(row["image"]))

    @property
    def parts(self) -> PipelineParts:
        """The sources and rules, loaded."""
        self._parts = self._parts or self._load()
        return self._parts

    def observe(self, rows: Sequence[Row], report: Callable[[str], None] = print) -> list[ObservedPhoto]:
        """Observations of each photo, in order; what the file holds is not observed again."""
        todo = [row for row in rows if Path(row["image"]).name not in self._cache]
        for number, row in enumerate(todo, 1):
            self._cache.put(self._observed(row))
            if number % 50 == 0 or number == len(todo):
                report(f"observed {number} of {len(todo)} photos")
        return [_loaded(self._cache[Path(row["image"]).name]) for row in rows]

    def _observed(self, row: Row) -> Row:
        rules, seconds = self.parts.rules, {}
        request = DraftRequest(photos=intake([row["image"]]), seller_id=f"sample-{row['sender_id']}")
        observations: list[Observation] = []
        context = Context(
            request,
            rules.taxonomy,
            rules.calibration,
            partial(Decision, observations, 1, rules),
            self.parts.reader,
            observations,
        )
        for source in self.parts.sources:
            began = time.process_time()
            asked = LanguageModel(source.backend, everything=True) if isinstance(source, LanguageModel) else source
            context.ask(asked)
            seconds[source.name] = round(time.process_time() - began, 4)
        return {
            "image": Path(row["image"]).name,
            "observations": [o.model_dump(exclude_defaults=True) for o in observations],
            "seconds": seconds,
            "nearest": self._nearest(observations),
        }

    def _nearest(self, observations: Sequence[Observation]) -> dict[str, Any] | None:
        ids = next((o.listing_ids for o in observations if o.source == "neighbours" and o.question == "category"), [])
        search = self.parts.search
        if not ids or not isinstance(search, PastListings):
            return None
        record = search.index.get(ids[0])
        return record.model_dump(include={"category", "attributes"}) if record else None


def _loaded(row: Row) -> ObservedPhoto:
    observations = [Observation.model_validate(o) for o in row["observations"]]
    return ObservedPhoto(observations, row["seconds"], row["nearest"])


def weights_stamp(source: str | Path) -> str:
    """A name for files that changes with the weights: the manifest's fingerprint, a folder's name and digest.

    Else the hub's id, or address and model of a server (BackendError where it does not answer).
    """
    import json

    manifest = Path(source) / "ipl.json"
    if manifest.is_file():
        return str(json.loads(manifest.read_text(encoding="utf-8"))["fingerprint"])
    folder = Path(source)
    if not folder.is_dir():
        return f"{file_stem(identity(str(source)))}-forms"
    stats = [(file.name, file.stat()) for file in sorted(folder.glob("*.safetensors"))]
    weights = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
    digest = hashlib.sha256(repr((str(folder.resolve()), weights)).encode()).hexdigest()[:12]
    return f"{folder.resolve().name}-{digest}" + ("" if is_embedded(folder) else "-forms")
