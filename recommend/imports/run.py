"""An import as a whole: files and a map in; a folder with tables, ``features.yaml`` and ``report.json`` out."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from recommend.config import ConfigError
from recommend.data.codes import CODES
from recommend.data.parquet import DataError
from recommend.errors import RecommendError, first_line
from recommend.features.feature_map import Feature, FeatureMap, Role, count
from recommend.imports.maps import LogMap
from recommend.imports.rows import Rows
from recommend.imports.sql import quoted
from recommend.imports.tables import Work

VERSION = 3  # of what an import writes; part of what makes two imports the same
FEATURES, REPORT = "features.yaml", "report.json"

# What DuckDB says of a disk or a memory that is full, a failed commit among it; all else is about the log.
STOPPED = (duckdb.OutOfMemoryException, duckdb.TransactionException, duckdb.FatalException)
FULL = ("No space left", "too large", "quota", "write", "sync")  # of its errors of files, those of a disk that is full


class ImportFailed(RecommendError):
    """The work failed half-way; what is done is kept beside the result."""

    exit_status = 1


def import_log(
    files: Sequence[Path],
    log_map: LogMap,
    out: Path,
    say: Callable[[str], None] = lambda text: None,
    now_ms: int | None = None,
    like: Path | None = None,
) -> dict[str, Any]:
    """Import a log; the same call goes on with one that was cut off.

    Args:
        out: must not hold anything yet; it appears when all is done.
        like: an earlier import, whose codes of texts stay what they are, so that its runs score this one.
        now_ms: milliseconds since 1970 behind which a moment is in the future; None: the clock.

    Returns:
        The report.

    Raises:
        ConfigError: ``out`` is in use.
        DataError: files or map cannot be used.
        ImportFailed: the disk is full, or the like.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} is there already; name another folder.")
    for file in files:
        _readable(Path(file))
    beside = out.with_name(f".{out.name}.import")
    if like is not None and not (Path(like) / REPORT).is_file():
        raise ConfigError(f"{like} is no import; name the folder that an import has written.")
    codes = (Path(like) / CODES).resolve() if like is not None else None
    work = Work(beside, tuple(Path(f).resolve() for f in files), log_map, now_ms or int(time.time() * 1000), codes)
    _begin(beside, _fingerprint([*files, *work.items_files, *(sorted(codes.glob("*")) if codes else [])], log_map))
    try:
        try:
            report = _steps(work, beside / "out", say)
        finally:
            work.con.close()
        if out.exists():
            out.rmdir()
        (beside / "out").rename(out)
        shutil.rmtree(beside)
    except (duckdb.Error, DataError, pa.ArrowException, OSError) as error:
        if _stopped(error):
            raise ImportFailed(
                f"the import stopped ({first_line(error)}); if the disk is full, make room and give the same command "
                f"again: it goes on from {beside}, or delete that folder."
            ) from error
        shutil.rmtree(beside)
        if isinstance(error, DataError):
            raise
        if mixed := next((Path(file) for file in files if "sniffing" in str(error) and _mixed(Path(file))), None):
            message = f"lines of {mixed.name} end in two ways, CRLF and LF; save it with one of them (dos2unix does)."
            raise DataError(message) from error
        raise DataError(f"the log does not fit its map: {first_line(error)}") from error
    return report


def _mixed(file: Path) -> bool:
    """True where lines end in CRLF, and others in LF alone."""
    with file.open("rb") as lines:
        ends = {line.endswith(b"\r\n") for line in lines if line.endswith(b"\n")}  # the last may have none
    return len(ends) == 2


def _steps(work: Work, out: Path, say: Callable[[str], None]) -> dict[str, Any]:
    began = time.monotonic()
    say("reading")
    work.read()
    say("cleaning")
    work.clean()
    work.show()
    _usable(work)
    rows = Rows(work, out)
    say(f"writing {len(rows.days)} days")
    rows.write()
    rows.write_events()
    _codes(work, out)
    features = feature_map(rows)
    head = "# What models read of this log: strike out, add, or change a line, and train anew.\n"
    values = features.model_dump(mode="json", exclude_defaults=True) | {"labels": [rows.map.label], "group": "user_id"}
    (out / FEATURES).write_text(head + yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    report = {**_report(work, rows), "seconds": round(time.monotonic() - began, 1)}
    (out / REPORT).write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return report


def sentences(report: dict[str, Any]) -> list[str]:
    """A report for people."""
    dropped = "; ".join(f"{n:,} {why}" for why, n in report["dropped"].items())
    span = f", {report['span'][0]} to {report['span'][1]}" if report["span"] else ""
    rates = ", ".join(f"{name} {rate:.2%}" for name, rate in report["rates"].items())
    lines = [
        f"{report['rows_read']:,} rows read, dropped: {dropped or 'none'}",
        f"{report['events']:,} events of {report['users']:,} users on {report['items']:,} items, "
        f"{report['days']} days{span}",
        f"{report['rows']:,} rows to train and test on ({report['drawn']:,} negatives drawn): {rates}",
    ]
    empty = ", ".join(f"{name} {n:,}" for name, n in report["empty"].items())
    unmoved = ", ".join(f"{name} {n:,}" for name, n in report["unreadable_moments"].items())
    alone = report["alone"]
    return [
        *lines,
        *([f"empty values (ids read as -1, numbers, stock and promotions as 0): {empty}"] if empty else []),
        *([f"events of days with one item, from which no negative can be drawn: {alone:,}"] if alone else []),
        *([f"labels whose moment cannot be read count from their row on: {unmoved}"] if unmoved else []),
    ]


def feature_map(rows: Rows) -> FeatureMap:
    """The features that models read of an imported log, until somebody changes the file."""
    kinds, m = rows.work.kinds("shown"), rows.map

    def feature(name: str, role: Role) -> Feature:
        return Feature(column=name, role=role, kind="number" if kinds[name] == "FLOAT" else "id")

    features = [feature(n, "context") for n in ("user_id", *(["hour"] if rows.clock else []), *m.context)]
    features += [feature(n, "target") for n in rows.of_target]
    features += [
        Feature(column=column, role="history", match=name, max_length=m.longest)
        for name, column in rows.histories.items()
    ]
    features += [
        Feature(column=f"{name} in history", role="target", kind="match", inputs=(column,))
        for name, column in rows.histories.items()
    ]
    if rows.clock:  # in steps one person's past is another one's future
        target_ids = [n for n in rows.of_target if kinds[n] != "FLOAT" and n != "single"]
        features += [count(n) for n in ("user_id", *target_ids)] + [count("user_id", n) for n in target_ids[1:]]
    return FeatureMap(features=tuple(features), labels=(m.label,), min_count=m.min_count)


def _usable(work: Work) -> None:
    """One sentence for a log on which nothing can be learned."""
    m = work.map
    for name in list(m.labels)[:1]:
        ones = work.value(f"SELECT count(*) FROM shown WHERE {quoted(name)}")
        if ones in (0, work.value("SELECT count(*) FROM shown")):
            raise DataError(
                f"'{name}' is {'false' if ones == 0 else 'true'} in every row; nothing can be learned from it."
            )
    rows, alone = work.value("SELECT count(*) FROM shown"), work.alone()
    if alone > rows:
        raise DataError(
            f"{alone:,} of {rows + alone:,} events lie on days with one item, among which no negative can be "
            "drawn; join days by 'day' of the map, or leave out the sparse ones."
        )
    if not rows:
        raise DataError(f"no row is one of {', '.join(m.positive)}; look at 'behaviour' and 'positive' of the map.")
    if work.value("SELECT count(DISTINCT item_id) FROM shown") < 2:
        raise DataError("there is one item only; nothing can be learned from it.")


def _codes(work: Work, out: Path) -> None:
    """Texts by their codes, so that more of the log can be read the same way, and results be understood."""
    for name in ("user_id", "item_id", *work.map.columns):
        if work.has(f"code_{name}"):
            (out / CODES).mkdir(exist_ok=True)
            pq.write_table(
                work.table(f"SELECT code, value FROM {quoted(f'code_{name}')} ORDER BY code"),
                out / CODES / f"{name}.parquet",
            )


def _report(work: Work, rows: Rows) -> dict[str, Any]:
    declared_labels, label = work.map.labels, work.map.label
    facts = work.table("SELECT count(*) n, count(DISTINCT user_id) users, count(DISTINCT item_id) items FROM events")
    events, users, items = (int(column[0].as_py()) for column in facts.columns)
    dropped = work.dropped()
    empty, unmoved = (
        {str(n): int(c) for n, c in work.con.execute(f"SELECT name, n FROM {of} WHERE n > 0").fetchall()}
        for of in ("empty", "unmoved")
    )
    total = sum(rows.days.values())
    names = [*declared_labels] or [label, *work.follow]
    rates = {n: work.value(f"SELECT count(*) FROM shown WHERE {quoted(n)}") / total for n in names}
    behaviours = work.con.execute(
        "SELECT _behaviour, count(*) FROM events GROUP BY _behaviour ORDER BY 2 DESC"
    ).fetchall()
    return {
        "about": work.map.about,
        "files": [f.name for f in work.files],
        "rows_read": events + sum(dropped.values()),
        "dropped": dropped,
        "events": events,
        "behaviours": {} if declared_labels else {str(k): int(n) for k, n in behaviours},
        "empty": empty,
        "unreadable_moments": unmoved,
        "alone": work.alone(),
        "users": users,
        "items": items,
        "days": len(rows.days),
        "span": _span(work),
        "rows": total,
        "drawn": 0 if declared_labels else total - total // rows.times,
        "rates": rates,
    }


def _span(work: Work) -> list[str]:
    """First and last moment in the log's zone; empty without a clock."""
    if work.map.time.unit == "step":
        return []
    low, high = (work.value(f"SELECT {end} FROM clock") for end in ("low", "high"))
    zone = timedelta(hours=work.map.time.zone_h)
    return [(datetime.fromtimestamp(t / 1000, UTC) + zone).strftime("%Y-%m-%d %H:%M") for t in (low, high)]


def _begin(beside: Path, fingerprint: str) -> None:
    """The folder of the work; what another import left there goes."""
    mark = beside / "import.txt"
    if beside.exists() and (not mark.exists() or mark.read_text(encoding="utf-8") != fingerprint):
        shutil.rmtree(beside)
    (beside / "out").mkdir(parents=True, exist_ok=True)
    mark.write_text(fingerprint, encoding="utf-8")


def _fingerprint(files: Sequence[Path], log_map: LogMap) -> str:
    """Same map, same files."""
    facts = [(str(Path(f).resolve()), Path(f).stat().st_size, Path(f).stat().st_mtime_ns) for f in files]
    return hashlib.sha256(json.dumps([VERSION, facts, log_map.model_dump(mode="json")]).encode()).hexdigest()


def _readable(file: Path) -> None:
    """One sentence for a file that is not there, or a Parquet file without its end."""
    if not file.is_file():
        raise DataError(f"there is no file {file}.")
    try:
        if file.suffix in (".parquet", ".pq"):
            pq.read_metadata(file)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{file} is damaged or no Parquet file ({first_line(error)}); copy it again.") from error


def _stopped(error: Exception) -> bool:
    """True where the machine failed, and not the log: then finished steps stay."""
    if isinstance(error, duckdb.IOException):
        return any(sign in str(error) for sign in FULL)
    return isinstance(error, STOPPED) or (isinstance(error, OSError) and error.errno is not None)
