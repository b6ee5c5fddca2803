"""Where the index and its models are unless somebody says otherwise. Three settings, read from the environment:

``IPL_INDEX`` (folder, or the address of a ``chroma run`` server), ``IPL_IMAGE_ENCODER`` and ``IPL_TEXT_ENCODER``
(folder or hub id of a sentence-transformers model).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from rag_index.encoders import Encoders


def default_location(home: Path, environ: Mapping[str, str] = os.environ) -> str:
    """The index's folder or server. ``home`` is the folder for models and index (``IPL_HOME``)."""
    return environ.get("IPL_INDEX") or str(home / "index")


def default_encoders(home: Path, environ: Mapping[str, str] = os.environ, device: str = "cpu") -> Encoders:
    """The tuned tower of the assembled model, and MiniLM beside it."""
    return Encoders(
        image=environ.get("IPL_IMAGE_ENCODER") or str(home / "models" / "ipl-mini"),
        text=environ.get("IPL_TEXT_ENCODER") or str(home / "models" / "minilm"),
        device=device,
    )
