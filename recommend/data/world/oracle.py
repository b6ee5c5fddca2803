"""Goes with World 1.1."""

from pathlib import Path

from recommend.world.oracle import FOLDER, SUFFIX, OracleSealed, no_oracle, write_truth
from recommend.world.oracle import open_oracle as _open_oracle

__all__ = ["FOLDER", "SUFFIX", "OracleSealed", "no_oracle", "open_oracle", "write_truth"]


def open_oracle(root: Path, name: str = "impression"):
    return _open_oracle(root, name)
