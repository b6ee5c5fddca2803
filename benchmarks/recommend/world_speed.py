"""CPU seconds, memory and bytes of writing a view of World 2: ``python -m benchmarks.recommend.world_speed``."""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

from benchmarks.common import arguments
from recommend.research.world import write_world


def main() -> None:
    args = arguments(__doc__, rows=10_000_000, view="impressions").parse_args()
    began, cpu = time.monotonic(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "w"
        knobs = {args.view: args.rows}
        manifest = write_world(root, view=args.view, seed=100, knobs=knobs)
        size = {
            part: sum(f.stat().st_size for f in (root / part).rglob("*") if f.is_file()) for part in ("log", "oracle")
        }
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"{manifest['rows']['impression']:,} rows: {time.process_time() - cpu:.0f} s of CPU, "
            f"{time.monotonic() - began:.0f} s; {peak:.2f} GiB at most; log {size['log'] / 1e6:.0f} MB, "
            f"truth {size['oracle'] / 1e6:.0f} MB"
        )


if __name__ == "__main__":
    main()
