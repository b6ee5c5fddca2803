"""The parts of a pipeline, and the real parts from the home folder."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from listing.backends.base import Backend, BackendError, FormBackend
from listing.backends.calibration_files import calibration_file, command, is_server
from listing.calibration import Calibration
from listing.decide.decision import Rules
from listing.errors import EVERYTHING
from listing.observe.neighbours import NeighbourSearch
from listing.observe.past_listings import PastListings
from listing.observe.printed.ocr import Reader
from listing.observe.source import Source
from listing.observe.sources import Installed, build_sources
from listing.shops.shop import use_shop
from listing.shops.titles import TitlePattern
from listing.taxonomy import Taxonomy, load_taxonomy

EMBEDDED = "ipl-mini"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PipelineParts:
    """The parts of the pipeline.

    sources: what observes, in this order. rules: what decides. search: past listings, for prices and tone; None works
    without. writes: whether the texts are the model's own; those of the embedded one are rendered from its facts.
    titles: how a shop builds its own.
    """

    backend: Backend
    sources: Sequence[Source]
    rules: Rules
    reader: Reader = field(default_factory=Reader)
    search: NeighbourSearch | None = None
    writes: bool = True
    titles: TitlePattern | None = None

    @property
    def taxonomy(self) -> Taxonomy:
        """The tree of categories and the attributes."""
        return self.rules.taxonomy

    @property
    def calibration(self) -> Calibration:
        """How far each source is heard."""
        return self.rules.calibration


def build_parts(
    model: str | None,
    rag: bool,
    home: Path,
    past: PastListings | None = None,
    concurrency: int | None = None,
    without: Sequence[str] = (),
) -> PipelineParts:
    """Load everything that a draft needs; see ``listing.pipeline.build_pipeline``."""
    folder = home / "models" / EMBEDDED
    shop = use_shop()
    taxonomy = load_taxonomy()
    backend = open_backend(model, folder, concurrency)
    if "mllm" in without and isinstance(backend, FormBackend):
        raise BackendError("A model behind a server cannot be left out: it writes the texts. Do without --model.")
    if not (local := towers_here(model, home)):
        _warn_of_no_towers()
    if not taxonomy.tuned() and not isinstance(backend, FormBackend):
        raise BackendError(
            "The taxonomy of IPL_TAXONOMY has no category that this model was tuned on: name a model behind a server."
        )
    learned = shop if local else None
    calibration = _calibration(model, calibration_file(model or folder, home, backend), backend.name, learned)
    if learned:
        without = (*without, "tower")  # the shop's calibration knows the evidence tower alone
    search = (past or PastListings.open(home)) if rag and local else None
    available = Installed(backend, folder if local else None, search, learned)
    sources = build_sources(available, without)
    rules = Rules(taxonomy, calibration, available.types)
    writes = backend.name.partition("@")[0] != EMBEDDED
    titles = TitlePattern.load(shop) if shop else None
    return PipelineParts(backend=backend, sources=sources, rules=rules, search=search, writes=writes, titles=titles)


def _warn_of_no_towers() -> None:
    installed = find_spec("torch") is not None
    log.warning(
        "%s: past listings, the evidence towers and masks are left out; for them, %s.",
        "The embedded model is not set up" if installed else "Installed for models behind a server alone",
        "run ./ipl index stats, which sets it up" if installed else EVERYTHING,
    )


def _calibration(model: str | None, file: Path, name: str, shop: Path | None) -> Calibration:
    """A model's calibration, with the questions that were calibrated on a shop's past listings."""
    calibration = Calibration.load(file)
    if shop:
        questions = {**calibration.questions, **Calibration.load(shop).questions}
        calibration = calibration.model_copy(update={"questions": questions})
    if not calibration.fitted:
        log.warning(
            "The model %s is not calibrated, so that nothing it sees is stated, only suggested: run %s.",
            name,
            command(model),
        )
    return calibration


def towers_here(model: str | None, home: Path) -> bool:
    """True if towers, masks and past listings take part in the drafts of a model: beside a server's only if set up."""
    ready = not is_server(model or "") or (home / "models" / EMBEDDED / "config.json").is_file()
    return ready and find_spec("torch") is not None


def at_once(model: str | None, concurrency: int | None = None) -> int:
    """How many drafts the backend that ``open_backend`` would open works on at the same time; loads nothing."""
    if not (model and is_server(model)):
        return 1
    from listing.backends.openai import CONCURRENCY

    return concurrency or CONCURRENCY


def require_embedded(folder: Path) -> None:
    """BackendError where the embedded model is not in its folder."""
    if not (folder / "config.json").is_file():
        raise BackendError(f"The embedded model is missing in {folder}: run ./ipl doctor to see what set-up lacks.")


def open_backend(model: str | None, embedded: Path, concurrency: int | None = None) -> Backend:
    """The embedded model, a folder or hub id, or an OpenAI-compatible server by URL.

    concurrency: drafts at the same time of a server's model; None takes the backend's own number.
    """
    if model and is_server(model):
        from listing.backends.openai import OpenAIBackend

        return OpenAIBackend(model, concurrency=at_once(model, concurrency))
    if find_spec("torch") is None:
        raise BackendError(
            f"A model in this process needs packages that are missing: {EVERYTHING}; or name a server's."
        )
    from listing.backends.local import LocalBackend

    if model is None:
        require_embedded(embedded)
    return LocalBackend(model or embedded)
