"""The parts of a pipeline: the table of sources, the model with its calibration, past listings; and the real ones.

``SOURCES`` says what observes, in this order, and where each is on. A new source is a file in ``observe`` and a row
here. It is heard by its weight in the calibration, under the name that ``EVIDENCE_NAMES`` and ``Views.pooled`` give it
(``listing/decide/views.py``).
"""

from __future__ import annotations

import hashlib
import logging
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from listing.backends.base import Backend, BackendError, FormBackend
from listing.calibration import FILE, Calibration, QuestionCalibration, beside
from listing.errors import EVERYTHING, PROGRAM
from listing.observe.colours import ColourNetwork, Colours
from listing.observe.heads import FILE as HEADS
from listing.observe.heads import Heads, PhotoFeatures, ShopHeads
from listing.observe.imagenet import ImageNetHead
from listing.observe.language_model import LanguageModel
from listing.observe.past_listings import PastListings, PastListingVotes
from listing.observe.photo_roles import PhotoRoles
from listing.observe.print import Print
from listing.observe.printed.ocr import Reader
from listing.observe.seller import Seller
from listing.observe.source import Source
from listing.observe.towers import EvidenceTower, EvidenceTowerHeads, types_of
from listing.request import Photo
from listing.rules import RULES, Rules, kept_rules
from listing.shops.shop import Words, use_shop
from listing.taxonomy import Taxonomy

if TYPE_CHECKING:
    from rag_index import Encoders

EMBEDDED = "ipl-mini"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PipelineParts:
    """The parts of the pipeline.

    sources: what observes, in this order. rules: what decides. search: past listings, for prices and tone; None works
    without. writes: whether the texts are the model's own; those of the embedded one are rendered from its facts.
    alone: the rules by which a draft is decided where a server's model cannot be asked; None: then there is no draft.
    learned: the folder of what was learned of a shop.
    """

    backend: Backend
    sources: Sequence[Source]
    rules: Rules
    reader: Reader = field(default_factory=Reader)
    search: PastListings | None = None
    writes: bool = True
    alone: Rules | None = None
    learned: Path | None = None

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
    version: str = "",
    *,
    words: Words,
    backend: Backend | None = None,
) -> PipelineParts:
    """Load everything that a draft needs; see ``listing.pipeline.build_pipeline``. ``backend``: the model, opened."""
    folder = home / "models" / EMBEDDED
    taxonomy, shop = words.taxonomy, words.shop
    backend = backend or open_backend(model, folder, concurrency)
    if "mllm" in without and isinstance(backend, FormBackend):
        raise BackendError("A model that writes the texts cannot be left out. Do without --model.")
    if not (local := towers_here(model, home)):
        _warn_of_no_towers()
    if not taxonomy.tuned() and not isinstance(backend, FormBackend):
        raise BackendError(
            "The taxonomy of IPL_TAXONOMY has no category that this model was tuned on: name a larger model."
        )
    learned = shop if local else None
    search = (past or PastListings.open(home, taxonomy, words.index)) if rag and local else None
    available = Installed(backend, folder if local else None, search, learned)
    sources = build_sources(available, without)
    rules = kept_rules(home / RULES, version) or rules_for(model, home, words, backend)
    return PipelineParts(backend, sources, rules, search=search, writes=not is_embedded(backend), learned=learned)


def rules_for(model: str | None, home: Path, words: Words, backend: Backend | None = None) -> Rules:
    """The rules of a model's drafts as they are now; loads no network, asks a server for its model's name.

    BackendError: the server does not answer (see ``identity``).
    """
    folder = home / "models" / EMBEDDED
    local = towers_here(model, home)
    alone = is_embedded(backend) if backend else model is None or Path(model).name == EMBEDDED
    file = calibration_file(model or folder, home, backend)
    calibration = calibration_of(file, home, alone=alone, shop=words.shop if local else None)
    return Rules(words.taxonomy, calibration, types_of(folder) if local else {})


def rules_of_now(home: Path, taxonomy: Taxonomy) -> Rules:
    """The rules of the embedded model and of a taxonomy; loads no network."""
    folder = home / "models" / EMBEDDED
    return Rules(taxonomy, Calibration.load(folder), types_of(folder))


def _warn_of_no_towers() -> None:
    installed = find_spec("torch") is not None
    log.warning(
        "%s: past listings, the evidence towers and masks are left out; for them, %s.",
        "The embedded model is not set up" if installed else "Installed for models behind a server alone",
        f"run {PROGRAM} index stats, which sets it up" if installed else EVERYTHING,
    )


def calibration_of(
    file: Path,
    home: Path,
    *,
    alone: bool = False,
    shop: Path | None = None,
    replaced: Mapping[str, QuestionCalibration] | None = None,
) -> Calibration:
    """A model's calibration in its file, with the questions that were calibrated on a shop's past listings.

    Beside the embedded model's sources, by the prior where nobody measured it; ``alone`` (the embedded model's own),
    and a model folder's file, which tuning leaves in it, stand as they are. ``replaced``: questions in place of the
    file's.
    """
    calibration, embedded = Calibration.load(file), home / "models" / EMBEDDED
    if replaced is not None:
        calibration = calibration.model_copy(update={"questions": dict(replaced)})
    if not alone and not (calibration.fitted and file.name == FILE):
        own = calibration if calibration.fitted else None
        calibration = beside(Calibration.load(embedded) if (embedded / FILE).is_file() else Calibration(), own)
    if shop:
        questions = {**calibration.questions, **Calibration.load(shop).questions}
        calibration = calibration.model_copy(update={"questions": questions})
    return calibration


def is_embedded(backend: Backend) -> bool:
    """True if the backend is the embedded model."""
    return backend.name.partition("@")[0] == EMBEDDED


def rationed(
    url: str, rag: bool, home: Path, past: PastListings | None, concurrency: int, daily: int, seconds: float
) -> PipelineParts:
    """The parts of a page's drafts: what a server's model cannot be asked in time is done without it.

    daily: most requests a day; 0: no limit. BackendError: the server is there and cannot be used.
    """
    from listing.backends.rationed import Rationed

    backend = Rationed(url, home / "calibrations" / "requests", daily, seconds, concurrency)
    parts = build_parts(url, rag, home, past, words=Words.of(use_shop()), backend=backend)
    calibration = calibration_of(home / "models" / EMBEDDED / FILE, home, alone=True, shop=parts.learned)
    return replace(parts, alone=Rules(parts.taxonomy, calibration, parts.rules.types))


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

    concurrency: drafts at the same time; None takes the backend's own number.
    """
    if model and is_server(model):
        from listing.backends.openai import OpenAIBackend

        return OpenAIBackend(model, concurrency=at_once(model, concurrency))
    if find_spec("torch") is None:
        raise BackendError(
            f"A model in this process needs packages that are missing: {EVERYTHING}; or name a server's."
        )
    from listing.backends.embedded import open_local

    if model is None:
        require_embedded(embedded)
    return open_local(model or embedded, concurrency or 1)


def is_server(model: str) -> bool:
    """True if a model is named by a server's address."""
    return model.startswith(("http://", "https://"))


def identity(model: str, backend: Backend | None = None) -> str:
    """A hub id as it is; of a server, the address and the model that it serves (asked for without a ``backend``).

    Raises:
        BackendError: the server does not answer.
    """
    if not is_server(model):
        return model
    if backend is None:
        from listing.backends.openai import OpenAIBackend

        backend = OpenAIBackend(model)
    return f"{backend.describe()['device']}#{backend.name}"


def file_stem(name: str) -> str:
    """A file name without an ending that can be read and is no other name's."""
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")[:100]
    return f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def calibration_file(model: str | Path, home: Path, backend: Backend | None = None) -> Path:
    """The file of a folder, hub id or server's address, whether it is there or not.

    Raises:
        BackendError: see ``identity``.
    """
    if Path(model).is_dir():
        return Path(model) / FILE
    return home / "calibrations" / f"{file_stem(identity(str(model), backend))}.json"


def command(model: str | None) -> str:
    """The command that calibrates a model; None is the embedded one."""
    return f"{PROGRAM} calibrate" + (f" --model {shlex.quote(model)}" if model else "")


@dataclass
class Installed:
    """The parts to observe with. ``folder``: the embedded model's, None where it is not set up; ``shop``: what was
    learned of one."""

    backend: Backend
    folder: Path | None = None
    search: PastListings | None = None
    shop: Path | None = None

    @cached_property
    def evidence_tower(self) -> EvidenceTower | None:
        """The evidence tower, loaded once."""
        return EvidenceTower.load(self.folder) if self.folder else None

    @cached_property
    def imagenet(self) -> ImageNetHead | None:
        """The untuned network, loaded once."""
        return ImageNetHead.load(self.folder) if self.folder else None

    @property
    def heads(self) -> ShopHeads | None:
        """The heads that a shop's listings taught, where there is one with the networks that it rests on."""
        if self.shop is None or self.imagenet is None or not (self.shop / HEADS).is_file():
            return None
        features = PhotoFeatures(self.imagenet.classifier)
        return ShopHeads(Heads.load(self.shop / HEADS), features, self.search.vectors if self.search else self._vectors)

    def _vectors(self, photos: Sequence[Photo]) -> Sequence[Sequence[float]]:
        """Those of the index, of which no past listing is asked."""
        vectors: list[list[float]] = self._encoders.image_vectors([photo.image for photo in photos]).tolist()
        return vectors

    @cached_property
    def _encoders(self) -> Encoders:
        from rag_index import default_encoders

        return default_encoders(self.folder.parents[1])  # type: ignore[union-attr]  # heads are of a folder's networks


SOURCES: Mapping[str, Callable[[Installed], Source | None]] = {
    "seller": lambda i: Seller(),
    "evidence_tower": lambda i: EvidenceTowerHeads(i.evidence_tower) if i.evidence_tower else None,
    "imagenet": lambda i: i.imagenet,
    "heads": lambda i: i.heads,
    "roles": lambda i: PhotoRoles(i.search),
    "neighbours": lambda i: PastListingVotes(i.search) if i.search else None,
    "mllm": lambda i: LanguageModel(i.backend),
    "pixels": lambda i: Colours(ColourNetwork.load(i.folder) if i.folder else None),
    "ocr": lambda i: Print(),
}


def build_sources(installed: Installed, without: Sequence[str] = ()) -> tuple[Source, ...]:
    """The sources that are on, in the table's order; ``without`` names those to leave out."""
    sources = (build(installed) for name, build in SOURCES.items() if name not in without)
    return tuple(source for source in sources if source is not None)
