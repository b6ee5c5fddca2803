"""Vectors of photos and texts, always through ``sentence_transformers``; the index never computes any itself.

Image model: a folder with the tuned garment tower, or any image model of sentence-transformers by folder or hub id.
Text model: a folder or hub id, all-MiniLM-L6-v2 by default. Three settings are read from the environment:
``IPL_INDEX`` (folder, or the address of a ``chroma run`` server), ``IPL_IMAGE_ENCODER`` and ``IPL_TEXT_ENCODER``
(folder or hub id of a sentence-transformers model).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag_index.errors import IndexFailure
from rag_index.storage.manifest import EncoderInfo, EncodersInfo

if TYPE_CHECKING:
    from PIL import Image

TOWER_FILE = "tower.safetensors"
TOWER_DIMENSIONS = 1280


class EncoderMissing(IndexFailure):
    """A model that makes vectors cannot be loaded."""


@dataclass(frozen=True)
class Encoders:
    """The two models; each is loaded when it is first used.

    image, text: folders or hub ids.
    """

    image: str
    text: str
    device: str = "cpu"
    batch_size: int = 8  # of photos of 224 px; on processors 32 at once take 1.7 times as long, a cache being full

    @cached_property
    def info(self) -> EncodersInfo:
        """Names, digests of the weights, vector lengths; opens no model where a folder says enough."""
        return EncodersInfo(image=self._info(self.image, "image"), text=self._info(self.text, "text"))

    @cached_property
    def image_model(self) -> Any:
        """The loaded ``SentenceTransformer`` for photos."""
        return _load(self.image, self.device)

    @cached_property
    def text_model(self) -> Any:
        """The loaded ``SentenceTransformer`` for texts."""
        return _load(self.text, self.device)

    def image_vectors(self, photos: Sequence[Image.Image]) -> np.ndarray:
        """float32 [photos, dimensions], each of length 1."""
        return self._encode(self.image_model, list(photos), self.info.image.dimensions)

    def text_vectors(self, texts: Sequence[str]) -> np.ndarray:
        """float32 [texts, dimensions], each of length 1."""
        return self._encode(self.text_model, list(texts), self.info.text.dimensions)

    def _encode(self, model: Any, inputs: list[Any], dimensions: int) -> np.ndarray:
        if not inputs:
            return np.zeros((0, dimensions), np.float32)
        vectors = model.encode(inputs, batch_size=self.batch_size, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, np.float32)

    def _info(self, source: str, kind: str) -> EncoderInfo:
        folder = _folder(source)
        revision = _digest(folder)
        name = Path(source).name if Path(source).is_dir() else source
        dimensions = _dimensions(folder)
        if dimensions is None:
            dimensions = int((self.image_model if kind == "image" else self.text_model).get_embedding_dimension())
        return EncoderInfo(model=name, revision=revision, dimensions=dimensions)


def default_location(home: Path, environ: Mapping[str, str] = os.environ) -> str:
    """The index's folder or server. ``home`` is the folder for models and index (``IPL_HOME``)."""
    return environ.get("IPL_INDEX") or str(home / "index")


def default_encoders(home: Path, environ: Mapping[str, str] = os.environ) -> Encoders:
    """The tuned tower of the assembled model, and MiniLM beside it."""
    return Encoders(
        image=environ.get("IPL_IMAGE_ENCODER") or str(home / "models" / "ipl-mini"),
        text=environ.get("IPL_TEXT_ENCODER") or str(home / "models" / "minilm"),
    )


def _folder(source: str) -> Path:
    """The folder of a model; a hub id's files are in the hub's cache (and fetched there first if need be)."""
    if Path(source).is_dir():
        return Path(source)
    if source.startswith((".", "/", "~")):
        raise EncoderMissing(f"There is no model in {source}: run ./ipl index stats, which assembles the models.")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(source, allow_patterns=["*.json", "*.txt", "*.model", "*.safetensors"]))
    except Exception as error:
        message = f"The model {source} cannot be had from the hub: check its name and the network."
        raise EncoderMissing(message) from error


def _dimensions(folder: Path) -> int | None:
    """Vector length as the folder states it; None where only the loaded model knows."""
    if (folder / TOWER_FILE).is_file():
        return TOWER_DIMENSIONS
    pooling = folder / "1_Pooling" / "config.json"
    stages = folder / "modules.json"
    if not pooling.is_file() or not stages.is_file() or "Dense" in stages.read_text(encoding="utf-8"):
        return None
    config = json.loads(pooling.read_text(encoding="utf-8"))
    return config.get("embedding_dimension") or config.get("word_embedding_dimension")


def _digest(folder: Path) -> str:
    """16 hex digits of the sha256 over the weights (the tower's file alone where there is one)."""
    tower = folder / TOWER_FILE
    files = [tower] if tower.is_file() else sorted(folder.rglob("*.safetensors"))
    if not files:
        raise EncoderMissing(
            f"{folder} holds no weights as .safetensors: run ./ipl index stats, which assembles the models."
        )
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()[:16]


def _load(source: str, device: str) -> Any:
    from sentence_transformers import SentenceTransformer

    folder = _folder(source)
    if (folder / TOWER_FILE).is_file():
        from rag_index.tower import TowerModule

        return SentenceTransformer(modules=[TowerModule.from_file(folder / TOWER_FILE)], device=device)
    return SentenceTransformer(
        str(folder), device=device, trust_remote_code=False, model_kwargs={"use_safetensors": True}
    )
