"""The folder of a shop: what was learned from its past listings, in versions of which one is in use.

``versions/0003/`` holds taxonomy, index, heads, calibration and report of one run of ``./ipl learn``; the file
``current`` names the version that drafts are made with, and ``cache/`` keeps what is slow to work out.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from listing.errors import IplError
from listing.taxonomy import Taxonomy, load_taxonomy
from listing.taxonomy_file import TaxonomyError

VARIABLE = "IPL_SHOP"
TAXONOMY, INDEX, BRANDS = "taxonomy.yaml", "index", "brands.txt"
FIGURES = "report.json"  # written last: a version that has it is whole
SPARE_VERSIONS = 3  # versions besides the one in use, for a rollback and for servers that have one open


class ShopError(IplError, ValueError):
    """The folder is no shop's, or has no version to go back to; the message says what to do."""

    exit_status = 2


@dataclass(frozen=True)
class Shop:
    """A shop's folder, whether something was learned into it or not."""

    folder: Path

    @property
    def cache(self) -> Path:
        """Folder of what another run need not work out again."""
        return self.folder / "cache"

    @property
    def current(self) -> Path:
        """The folder of the version in use. ShopError: nothing was learned into it."""
        file = self.folder / "current"
        version = self.folder / "versions" / file.read_text(encoding="utf-8").strip() if file.is_file() else None
        if version is None or not (version / TAXONOMY).is_file():
            raise ShopError(f"There is no shop in {self.folder}; make one with: ipl learn TABLE -o {self.folder}")
        return version

    def versions(self) -> list[Path]:
        """Folders of all whole versions, oldest first."""
        return [folder for folder in self._folders() if (folder / FIGURES).is_file()]

    def _folders(self) -> list[Path]:
        """Folders of all versions, also of those being made or left by a run that was killed; oldest first."""
        return sorted(path for path in (self.folder / "versions").glob("[0-9]*") if path.is_dir())

    @contextmanager
    def new_version(self) -> Iterator[Path]:
        """An empty folder for the next version, which is not in use yet; an error in the block removes it."""
        folders = self._folders()
        folder = self.folder / "versions" / f"{int(folders[-1].name) + 1 if folders else 1:04}"
        folder.mkdir(parents=True)
        try:
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            load_taxonomy.cache_clear()  # the next version is made in a folder of the same name
            raise

    @contextmanager
    def trial(self) -> Iterator[Path]:
        """An empty folder for what is looked at and never used; it stays until the next."""
        folder = self.cache / "trial"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        load_taxonomy.cache_clear()
        yield folder

    def use(self, version: Path) -> None:
        """Put a version into use; deleted are all but this one, the one before, and the newest whole ones."""
        in_use = {version.name}
        with suppress(ShopError):
            in_use.add(self.current.name)
        scratch = self.folder / "current.tmp"
        scratch.write_text(version.name + "\n", encoding="utf-8")
        scratch.replace(self.folder / "current")
        newest = [whole.name for whole in self.versions() if whole.name != version.name][-SPARE_VERSIONS:]
        for old in self._folders():
            if newest and old.name < newest[0] and old.name not in in_use:
                shutil.rmtree(old)

    def roll_back(self) -> Path:
        """Put the version before the current one into use. ShopError: there is none."""
        earlier = [version for version in self.versions() if version.name < self.current.name]
        if not earlier:
            raise ShopError(f"{self.folder} has no version before {self.current.name}, which stays in use.")
        self.use(earlier[-1])
        return earlier[-1]


def use_shop(folder: str | Path | None = None) -> Path | None:
    """Make this process, and those it starts, speak a shop's words; the folder of its version, None without a shop.

    folder: None takes ``IPL_SHOP``. Taxonomy and index are the shop's from here on. ShopError: see ``Shop.current``.
    """
    named = folder or os.environ.get(VARIABLE)
    if not named:
        return None
    shop = Path(named).expanduser().resolve()
    version = Shop(shop).current
    settings = {VARIABLE: shop, "IPL_TAXONOMY": version / TAXONOMY, "IPL_INDEX": version / INDEX}
    if any(os.environ.get(name) != str(value) for name, value in settings.items()):
        os.environ.update({name: str(value) for name, value in settings.items()})
        load_taxonomy.cache_clear()
    return version


@dataclass(frozen=True)
class Words:
    """The words of drafts: a taxonomy, and the folder of the shop's version that it is of, None without a shop."""

    taxonomy: Taxonomy
    shop: Path | None = None

    @classmethod
    def of(cls, version: Path | None) -> Words:
        """Those of a shop's version, None: of this process without one. ShopError: another program learned it."""
        if version is None:
            return cls(load_taxonomy(None))
        try:
            return cls(load_taxonomy(version / TAXONOMY), version)
        except TaxonomyError as error:
            raise ShopError(
                f"{version} cannot be read by this version of the program; learn the table again."
            ) from error

    @property
    def index(self) -> str | None:
        """Where the shop's past listings are; None: where they are without one."""
        return str(self.shop / INDEX) if self.shop else None
