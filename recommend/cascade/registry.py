"""Models on the disk: one folder a role, one a version in it; what failed, and which version served before.

``ROOT/ROLE/VERSION/`` holds a training run and ``manifest.json`` with the checksum of its weights; ``feed.yaml`` beside
ROOT names what serves (``routes``). What happened (installed, activated, on trial, failed, rolled back) is appended to
``ROOT/events.jsonl``.
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

from recommend.cascade.routes import FILE, ROLES, Entry, Routes, read_routes, write_routes
from recommend.config import ConfigError, nearest
from recommend.data.parquet import DataError
from recommend.data.ragged import Batch
from recommend.features.encoders import Encoders
from recommend.models.base import Ranker
from recommend.training import checkpoint
from recommend.training.runs import ENCODERS, RUN, read_run, trained

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
        return f"{self.manifest['model']} {self.version}"


class Registry:
    """Versions of models by role, and the file that names those that serve.

    Args:
        root: made when it is not there.
        check: health check that a model has to pass before it serves.
    """

    def __init__(self, root: Path, check: Check, clock: Callable[[], float] = time.time) -> None:
        self.root, self.file, self._check = Path(root), Path(root).parent / FILE, check
        self._clock = clock
        self.root.mkdir(parents=True, exist_ok=True)
        self._take_over()

    def versions(self, role: str) -> list[str]:
        """Installed versions, oldest first."""
        folder = self._folder(role)
        manifests = [p for p in folder.glob("*") if (p / MANIFEST).is_file()] if folder.is_dir() else []
        return [p.name for p in sorted(manifests, key=lambda p: (self._manifest(p).get("installed", 0), p.name))]

    def routes(self) -> Routes:
        """What is named to serve.

        Raises:
            ConfigError: the file cannot be used, or is gone although something served before.
        """
        if not self.file.exists() and not any(map(self.history, ROLES)):
            return Routes()
        return read_routes(self.file)

    def stamp(self) -> tuple[int, int] | None:
        """Changes whenever the file does."""
        try:
            facts = self.file.stat()
        except OSError:
            return None
        return facts.st_ino, facts.st_mtime_ns

    def install(self, run: Path, role: str, share: float = 1.0, facts: dict[str, Any] | None = None) -> str:
        """Copy a finished training run in, check it, and name it in the file; returns its version.

        Args:
            share: of the visitors; below 1 the one that serves keeps the others.
            facts: further entries of the manifest.

        Raises:
            ConfigError: no such role, or nothing serves that could keep the others. DataError: the folder holds no
                finished run, or the model does not pass the health check.
        """
        folder, run = self._folder(role), Path(run)
        config = read_run(run)
        self._entries(role, Entry(model=config.model.name, version="", share=share))
        weights = run / checkpoint.NAME
        if not weights.is_file():
            raise DataError(f"{run} holds no checkpoint yet; let './ipl recommend train' end first.")
        # A number that was given once is not given again, though its version may have been deleted.
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
            "installed": self._clock(),
            "train_days": list(config.train_days),
            "sha256": _sha256(draft / checkpoint.NAME),
            **(facts or {}),
        }
        (draft / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        draft.rename(folder / version)
        self.note("installed", role, version, "")
        try:
            self.serve(role, version, share)
        except DataError:
            shutil.rmtree(folder / version)
            raise
        return version

    def serve(self, role: str, version: str, share: float = 1.0) -> None:
        """Name a version for all visitors, or for a share of them, if it is healthy.

        Raises:
            ConfigError: it is not installed, or nothing else serves. DataError: it is not healthy.
        """
        self._healthy(role, version)
        entry = Entry(model=self.manifest(role, version)["model"], version=version, share=share)
        self._write(role, self._entries(role, entry))
        self.note("activated" if share == 1 else "on trial", role, version, "" if share == 1 else f"share {share:g}")

    def rollback(self, role: str) -> str:
        """End a trial, or go back to the version that served all visitors before; returns what serves them now.

        Raises:
            ConfigError: nothing did. DataError: it is not healthy.
        """
        self._folder(role)
        entries, history = self._named().of(role), self.history(role)
        current = entries[0].version if entries else ""
        before = [current] if len(entries) > 1 else [v for v in history if v != current][-1:]
        if not before:
            raise ConfigError(f"nothing served {role.replace('_', '-')} before, to which it could go back.")
        self._healthy(role, before[0])
        self._write(role, (Entry(model=self.manifest(role, before[0])["model"], version=before[0]),))
        self.note("rolled back", role, before[0], f"from {entries[-1].version}" if entries else "")
        return before[0]

    def history(self, role: str) -> list[str]:
        """Installed versions that were to serve all visitors, in turn, without those that were taken back."""
        turns: list[str] = []
        for event in reversed(self.events(EVERY)):
            version = event["version"]
            if event["role"] == role and event["what"] == "activated" and turns[-1:] != [version]:
                turns.append(version)
            elif event["role"] == role and event["what"] == "rolled back" and version in turns:
                del turns[turns.index(version) + 1 :]
        return [v for v in turns if (self._folder(role) / v / MANIFEST).is_file()]

    def manifest(self, role: str, version: str) -> dict[str, Any]:
        """The manifest of a version; empty when it is not there."""
        return self._manifest(self.folder(role, version))

    def name(self, role: str, version: str) -> str:
        """Model and version, as people see it."""
        return f"{self.manifest(role, version).get('model')} {version}"

    def folder(self, role: str, version: str) -> Path:
        """Where a version lies."""
        return self._folder(role) / version

    def events(self, most: int = 200) -> list[dict[str, Any]]:
        """The registry's events, newest first."""
        try:
            lines = (self.root / EVENTS).read_text(encoding="utf-8").splitlines()
        except OSError:
            return []
        return [json.loads(line) for line in reversed(lines[-most:]) if line.strip()]

    def note(self, what: str, role: str, version: str, why: str) -> None:
        """Append an event."""
        row = {"at": self._clock(), "what": what, "role": role, "version": version, "why": why}
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

    def _healthy(self, role: str, version: str) -> None:
        """Raises an error where a version is not installed or not healthy."""
        if version not in self.versions(role):
            raise ConfigError(f"there is no version '{version}' for {role}; {nearest(version, self.versions(role))}")
        loaded, problem = self.check(role, version)
        if loaded is None:
            self.note("failed", role, version, problem)
            raise DataError(f"{self.name(role, version)} does not serve as {role.replace('_', '-')}: {problem}.")

    def _entries(self, role: str, entry: Entry) -> tuple[Entry, ...]:
        """The role's entries with this one: alone, or beside the first of those that serve."""
        if entry.share == 1:
            return (entry,)
        serves = self._named().of(role)
        if not serves or serves[0].version == entry.version:
            raise ConfigError(f"nothing else serves {role.replace('_', '-')}, that could answer the other visitors.")
        return (serves[0].model_copy(update={"share": round(1 - entry.share, 9)}), entry)

    def _write(self, role: str, entries: tuple[Entry, ...]) -> None:
        write_routes(self.file, self._named().model_copy(update={role: entries}))

    def _named(self) -> Routes:
        """What the file names; where it is gone, what served last."""
        if self.file.exists():
            return self.routes()
        last = {role: versions[-1] for role in ROLES if (versions := self.history(role))}
        return Routes(**{r: (Entry(model=self.manifest(r, v)["model"], version=v),) for r, v in last.items()})

    def _take_over(self) -> None:
        """Turn ``ROLE/current`` of a former home into the file, once; copies for promotions serve no more."""
        former = {role: self.root / role / "current" for role in ROLES}
        if not self.file.exists() and any(path.is_file() for path in former.values()):
            names = {r: path.read_text(encoding="utf-8").strip() for r, path in former.items() if path.is_file()}
            models = {r: self.manifest(r, version).get("model") or "" for r, version in names.items()}
            entries = {r: (Entry(model=models[r], version=v),) for r, v in names.items() if models[r]}
            write_routes(self.file, Routes(**entries))
            for path in former.values():
                path.unlink(missing_ok=True)
            shutil.rmtree(self.root / "promotion", ignore_errors=True)

    def _folder(self, role: str) -> Path:
        if role not in ROLES:
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
