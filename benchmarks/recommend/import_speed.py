"""Time and memory of an import of many rows: a generated log of impressions with texts.

``python -m benchmarks.recommend.import_speed [--rows 50000000] [--folder DIR]`` writes Parquet files of
texts (user, item, category, device, ISO 8601 time; 5 % clicks, 30 days, Zipf-like items, a twenty-fifth as many users
as rows, one of whom has a fiftieth of all rows), imports them in a process of its own and prints seconds, rows a second
and the peak of resident memory. Seed 0.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from benchmarks.common import arguments

PARTS = 10
MAP = """
user: who
item: sku
time: {column: at}
labels: {click: clicked}
target: {category: kind, price: price}
context: {device: device}
min_count: 2
longest: 20
"""
MINE = "import sys; from app.cli.main import main; sys.exit(main(sys.argv[1:]))"


def generate(folder: Path, rows: int) -> list[Path]:
    """The log's files, in the order of time."""
    con, files = duckdb.connect(), []
    users, items, part = rows // 25, max(rows // 50, 100), rows // PARTS
    for number in range(PARTS):
        # Hashes of the row's number stand for draws, so that every part and every run gives the same rows.
        path = folder / f"part-{number}.parquet"
        con.execute(
            "COPY (WITH r AS (SELECT i, hash(i) / 18446744073709551616.0 AS a, "
            "hash(i + 7e10) / 18446744073709551616.0 AS b, "
            f" hash(i - 7e10) % 1000 AS c FROM range({number * part}, {(number + 1) * part}) t(i)), "
            f"s AS (SELECT *, CAST(floor({items} * b * b * b) AS BIGINT) AS item FROM r) "
            f"SELECT 'user-' || CASE WHEN i % 50 = 0 THEN 0 ELSE CAST(floor({users} * a) AS BIGINT) END AS who, "
            "'sku-' || item AS sku, 'category ' || item % 300 AS kind, CAST(item % 997 AS DOUBLE) AS price, "
            "CASE WHEN c % 3 = 0 THEN 'phone' WHEN c % 3 = 1 THEN 'tablet' END AS device, "
            f"strftime(TIMESTAMP '2024-01-01' + to_milliseconds(CAST(i * {30 * 86_400_000 / rows} AS BIGINT)), "
            f"'%Y-%m-%dT%H:%M:%S.%g') AS at, c < 50 AS clicked FROM s) TO '{path}'"
        )
        files.append(path)
    return files


def main() -> None:
    """Generate, import, print."""
    parser = arguments(__doc__, rows=50_000_000)
    parser.add_argument("--folder", type=Path, help="where the log and its import lie (default: a temporary one)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        files = generate(folder, args.rows)
        (folder / "map.yaml").write_text(MAP, encoding="utf-8")
        began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [*map(str, files), "--map", str(folder / "map.yaml"), "-o", str(folder / "out")]
        subprocess.run([sys.executable, "-P", "-c", MINE, "recommend", "import", *command], check=True)
        seconds, used = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        result = {
            "rows": args.rows,
            "input_gb": round(sum(f.stat().st_size for f in files) / 1e9, 2),
            "output_gb": round(sum(f.stat().st_size for f in (folder / "out").rglob("*") if f.is_file()) / 1e9, 2),
            "seconds": round(seconds, 1),
            "cpu_seconds": round(used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime, 1),
            "rows_a_second": round(args.rows / seconds),
            "peak_gb": round(used.ru_maxrss / 1e6, 2),
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
