"""The clean events of a log that the project has a map for, as arrays: for studies that make rows of their own."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from recommend.imports.maps import log_files, read_map
from recommend.imports.tables import Work


def read_events(name: str, *files: Path) -> dict[str, np.ndarray]:
    """Every usable event in the order of time, those of one moment in the files' order; nothing is written.

    Args:
        name: of a map, or a YAML file.
        files: the log; none: the map's own, see ``log_files``.

    Returns:
        ``user_id``, ``item_id``, ``time_ms`` since the first day's midnight (a place in the order, without a clock),
        ``day``, ``behaviour`` (text), the labels (bool) and columns of the map, all (events,). Texts are codes in
        alphabetical order, -1 where there is none.

    Raises:
        ConfigError: there is no such map, or no file is named.
        DataError: the files cannot be used.
    """
    log_map, _ = read_map(name)
    paths = [Path(f).resolve() for f in log_files(log_map, files)]
    with TemporaryDirectory(prefix="ipl-events-") as folder:
        work = Work(Path(folder), tuple(paths), log_map, int(time.time() * 1000))
        try:
            work.read()
            work.clean()
            table = work.table(
                "SELECT * EXCLUDE (_n) RENAME (_behaviour AS behaviour) FROM events ORDER BY time_ms, _n"
            )
        finally:
            work.con.close()
    return {n: table[n].combine_chunks().to_numpy(zero_copy_only=False) for n in table.column_names}
