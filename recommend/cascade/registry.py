"""Models on the disk: one folder a role, one a version in it; which one serves, what to fall back to, what failed.

``ROOT/ROLE/VERSION/`` holds a training run and ``manifest.json`` with the checksum of its weights;
``ROOT/ROLE/current`` names the version that serves and is replaced in one step. What happened (installed, activated,
failed, rolled back, discarded) is appended to ``ROOT/events.jsonl``, which the dashboard shows.

Beside the roles there is ``PROMOTION``: copies of the conversion model, each for the days in its manifest alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recommend.config import ConfigError, nearest
from recommend.data.parquet import DataError
from recommend.data.ragged import Batch
from recommend.features.encoders import Encoders
from recommend.models.base import Ranker
from recommend.training import checkpoint
from recommend.training.runs import ENCODERS, RUN, read_run, trained

ROLES = ("pre_ranking", "ranking", "conversion", "ads", "posts")
PROMOTION = "promotion"
EVERY = 100_000  # events, when all of them are asked for
MANIFEST, CURRENT, EVENTS = "manifest.json", "current", "events.jsonl"
Check = Callable[["Loaded"], str]  # what is wrong with a model; empty when nothing is


@dataclass(frozen=True)
class Loaded:
    """A model that can serve.

    Attributes:
        program: gives the same as encoders and model, faster; None: it has none.
    """

    role: str
    version: str
    model: Ranker
    encoders: Encoders
    manifest: dict[str, Any]
    program: Callable[[Batch], Mapping[str, Tensor]] | None = None

    @torch.inference_mode()
    def __call__(self, raw: Batch) -> Mapping[str, Tensor]:
        """(n,) probabilities by task, of the raw columns of one visitor's request."""
        return self.program(raw) if self.program is not None else self.model.predict(self.encoders(raw))

    @property
    def name(self) -> str:
        """Model and version, as people see it."""
        base = self.manifest.get("base")
        return f"{self.manifest['model']} {self.version}" + (f" of {base['model']} {base['version']}" if base else "")


class Registry:
    """Versions of models by role.

    Args:
        root: made when it is not there.
        check: health check that a model has to pass before it serves.
        idle: models (by name) that are not to serve now, and why; the newest older version of another model stands in.
    """

    def __init__(self, root: Path, check: Check, idle: Callable[[], Mapping[str, str]] = dict) -> None:
        self.root, self._check, self.idle = Path(root), check, idle
        self.root.mkdir(parents=True, exist_ok=True)

    def versions(self, role: str) -> list[str]:
        """Installed versions, oldest first."""
        folder = self._folder(role)
        manifests = [p for p in folder.glob("*") if (p / MANIFEST).is_file()] if folder.is_dir() else []
        return [p.name for p in sorted(manifests, key=lambda p: (self._manifest(p).get("installed", 0), p.name))]

    def current(self, role: str) -> str:
        """The version that is meant to serve; empty when there is none."""
        try:
            return (self._folder(role) / CURRENT).read_text(encoding="utf-8").strip()
        except OSError:
            return ""

    def install(
        self,
        run: Path,
        role: str,
        measures: dict[str, Any] | None = None,
        activate: bool = True,
        facts: dict[str, Any] | None = None,
    ) -> str:
        """Copy a finished training run in; returns its version.

        Args:
            facts: further entries of the manifest, such as a copy's days.

        Raises:
            ConfigError: no such role. DataError: the folder holds no finished run.
        """
        folder, run = self._folder(role), Path(run)
        config = read_run(run)
        weights = run / checkpoint.NAME
        if not weights.is_file():
            raise DataError(f"{run} holds no checkpoint yet; let './ipl recommend train' end first.")
        # A number that was given once is not given again, though its version may have been discarded.
        assigned = [e["version"] for e in self.events(EVERY) if (e["what"], e["role"]) == ("installed", role)]
        number = 1 + max((int(v) for v in (*self.versions(role), *assigned) if v.isdigit()), default=0)
        version = f"{number:04d}"
        draft = folder / f".{version}.{os.getpid()}.part"
        draft.mkdir(parents=True)
        for name in (RUN, checkpoint.NAME):
            shutil.copy2(run / name, draft / name)
        shutil.copytree(run / ENCODERS, draft / ENCODERS)
        manifest = {
            "role": role,
            "model": config.model.name,
            "installed": time.time(),
            "train_days": list(config.train_days),
            "sha256": _sha256(draft / checkpoint.NAME),
            "measures": measures or {},
            **(facts or {}),
        }
        (draft / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        draft.rename(folder / version)
        self.note("installed", role, version, "")
        if activate:
            self.activate(role, version)
        return version

    def activate(self, role: str, version: str) -> None:
        """Let a version serve from the next look at the registry on.

        Raises:
            ConfigError: it is not installed.
        """
        if version not in self.versions(role):
            raise ConfigError(f"there is no version '{version}' for {role}; {nearest(version, self.versions(role))}")
        draft = self._folder(role) / f".{CURRENT}.{os.getpid()}"
        draft.write_text(version + "\n", encoding="utf-8")
        draft.replace(self._folder(role) / CURRENT)
        self.note("activated", role, version, "")

    def to_serve(self, role: str) -> str:
        """The version to serve now: the current one, or what stands in while its model is idle; empty: none."""
        current = self.current(role)
        if not current or self.manifest(role, current).get("model") not in self.idle():
            return current
        return next(iter(self._in_turn(role)), "")

    def load(self, role: str) -> Loaded | None:
        """The wanted version if it is healthy; else the newest older one that is. A role whose current version failed
        is rolled back to it; one whose current model is idle keeps its current version.

        None when no version of the role can serve. A version that failed is not tried again before it is activated.
        """
        current, turns = self.current(role), self._in_turn(role)
        for version in turns:
            loaded, problem = self.check(role, version)
            if loaded is not None:
                if version != turns[0] == current:
                    self.activate(role, version)
                    self.note("rolled back", role, version, f"from {current}")
                return loaded
            self.note("failed", role, version, problem)
        return None

    def _in_turn(self, role: str) -> list[str]:
        """The current version and the older ones, newest first, without those whose model is idle."""
        current, versions = self.current(role), self.versions(role)
        if not current or not versions:
            return []
        older = versions[: versions.index(current)] if current in versions else versions
        idle = self.idle()
        return [v for v in (current, *reversed(older)) if self.manifest(role, v).get("model") not in idle]

    def manifest(self, role: str, version: str) -> dict[str, Any]:
        """The manifest of a version; empty when it is not there."""
        return self._manifest(self.folder(role, version))

    def folder(self, role: str, version: str) -> Path:
        """Where a version lies."""
        return self._folder(role) / version

    def discard(self, role: str, version: str, why: str) -> None:
        """Delete a version; it serves nobody any more."""
        folder = self._folder(role)
        if self.current(role) == version:
            (folder / CURRENT).unlink(missing_ok=True)
        if (folder / version).is_dir():
            shutil.rmtree(folder / version, ignore_errors=True)  # another server may be doing the same
            self.note("discarded", role, version, why)

    def events(self, most: int = 200) -> list[dict[str, Any]]:
        """The registry's events, newest first."""
        try:
            lines = (self.root / EVENTS).read_text(encoding="utf-8").splitlines()
        except OSError:
            return []
        return [json.loads(line) for line in reversed(lines[-most:]) if line.strip()]

    def note(self, what: str, role: str, version: str, why: str) -> None:
        """Append an event."""
        row = {"at": time.time(), "what": what, "role": role, "version": version, "why": why}
        with (self.root / EVENTS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def check(self, role: str, version: str) -> tuple[Loaded | None, str]:
        """A version if it is healthy, and its fault if it is not."""
        folder = self._folder(role) / version
        try:
            manifest = self._manifest(folder)
            if _sha256(folder / checkpoint.NAME) != manifest.get("sha256"):
                return None, "the weights are not those that were installed"
            model, encoders = trained(folder, read_run(folder))
            loaded = Loaded(role, version, model.eval(), encoders, manifest)
            problem = self._check(loaded)
        except (DataError, ConfigError, OSError, ValueError, KeyError, RuntimeError) as error:
            return None, str(error)
        return (None, problem) if problem else (loaded, "")

    def _folder(self, role: str) -> Path:
        if role not in (*ROLES, PROMOTION):
            raise ConfigError(f"there is no role '{role}'; {nearest(role, ROLES)}")
        return self.root / role

    @staticmethod
    def _manifest(folder: Path) -> dict[str, Any]:
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return manifest if isinstance(manifest, dict) else {}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
