"""Tasks of ``ipl recommend`` on anybody's log: bring it in, measure it, compare models on it, use one."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli import CommandError, number
from listing.errors import PROGRAM

if TYPE_CHECKING:
    from recommend.phenomena.studies import Expected
    from recommend.phenomena.table import Finding


def register(
    task: Callable[..., Callable[..., argparse.Action]],
    data: argparse.ArgumentParser,
    trained: argparse.ArgumentParser,
    training: tuple[argparse.ArgumentParser, ...],
) -> None:
    """Add the tasks' options; ``training`` ends with the device and the precision."""
    bring = task("import")
    bring(
        "files",
        nargs="*",
        type=Path,
        metavar="LOG",
        help="CSV or Parquet (default: the map's, in IPL_DATA)",
    )
    bring("--map", required=True, metavar="MAP", help="what the columns mean: a YAML file, or a name such as taobao")
    bring("--like", type=Path, metavar="DIR", help="an earlier import, whose codes of texts stay (to score new rows)")
    bring("-o", "--out", type=Path, required=True, metavar="DIR", help="gets the tables, features.yaml, report.json")

    phenomena = task("phenomena")
    phenomena("--data", type=Path, metavar="DIR", help="a log (default: the feed's own, which /ops then shows)")
    phenomena("--json", action="store_true", help="all of it, for programs")

    compare = task("compare", data, *training)
    compare(
        "--models",
        default="dnn,din,dcn,bst",
        metavar="A,B",
        help="the first is the baseline (default: %(default)s)",
    )
    compare("--out", type=Path, required=True, metavar="DIR", help="gets one run a model and seed, and compare.json")
    compare(
        "--seeds", type=number(int, 1), default=3, metavar="N", help="trained so often; means over all (default: 3)"
    )
    compare("--test-days", type=number(int, 1), metavar="N", help="last days held back (default: a fifth of them)")

    score = task("score", trained, data, *training[-2:])
    score("--out", type=Path, required=True, metavar="FILE", help="gets ids and probabilities (Parquet)")
    score("--days", metavar="A-B", help="days of the log (default: those that the run holds back)")
    task("export", trained, data)("--out", type=Path, required=True, metavar="FILE", help="gets it, such as model.pt2")


def device_settings(args: argparse.Namespace) -> list[str]:
    """Settings of training that ``--device`` and ``--precision`` stand for."""
    return [f"{name}={value}" for name in ("device", "precision") if (value := getattr(args, name, None))]


def held_back(log: Path) -> int:
    """How many of a log's last days are held back where nobody says: of an import a fifth, of others four."""
    from recommend.data.schema import table_files
    from recommend.training.runs import declared_features

    days = len({f.parent for f in table_files(log, "impression")})
    return 4 if declared_features(log) is None else max(1, days // 5)


def import_(args: argparse.Namespace) -> None:
    """Import a log."""
    import sys

    from recommend.imports.maps import log_files, read_map
    from recommend.imports.run import import_log, sentences

    log_map, _ = read_map(args.map)
    report = import_log(
        log_files(log_map, args.files), log_map, args.out, lambda text: print(text, file=sys.stderr), like=args.like
    )
    print("\n".join(sentences(report)))
    print(f"in {args.out}; '{PROGRAM} recommend phenomena --data {args.out}' says which methods can pay")


def phenomena(args: argparse.Namespace) -> None:
    """Print which methods can pay."""
    import json
    from dataclasses import asdict

    from recommend.phenomena.table import as_json, findings, row
    from recommend.training.runs import log_of

    results = findings(log_of(args.data)) if args.data is not None else _live_phenomena()
    if args.json:
        studies = [(f, _expected(f)) for f in results]
        print(json.dumps([{**as_json(f), "study": asdict(e) if e else None} for f, e in studies], indent=1))
        return
    print(f"{'method':<10} {'number [95 % interval]':<28} {'range':<8} {'':<14} what it says")
    for finding in results:
        print(row(finding), flush=True)
        if study := _expected(finding):
            print(f"{'':<11}{study.sentence()}", flush=True)


def _expected(finding: Finding) -> Expected | None:
    """What the method gained in its study where the phenomenon was as strong; None where it is not in its range."""
    from recommend.phenomena.studies import expected

    if finding.estimate is None or finding.verdict == "absent":
        return None
    return expected(finding.phenomenon.name, finding.estimate.value)


def _live_phenomena() -> Iterable[Finding]:
    from app.feed.phenomena import measure
    from app.settings import load_settings
    from app.store.db import open_store

    settings = load_settings()
    store = open_store(settings.store_url)
    try:
        return measure(store, settings.home)
    finally:
        store.engine.dispose()


def compare_(args: argparse.Namespace) -> None:
    """Train, measure, and print the table."""
    import json
    import sys

    from recommend.config import sort_changes
    from recommend.training.compare import compare, rows
    from recommend.training.runs import log_of

    (of_model, of_train), log = sort_changes(args.set), log_of(args.data)
    result = compare(
        log,
        [name for name in args.models.split(",") if name],
        args.out,
        (of_model, [*of_train, *device_settings(args)]),
        range(args.seed, args.seed + args.seeds),
        args.test_days or held_back(log),
        lambda text: print(text, file=sys.stderr, flush=True),
    )
    (args.out / "compare.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"{result['label']} of days {result['days'][0]} to {result['days'][1]}, {result['rows']:,} rows")
    print("\n".join(rows(result)))


def score(args: argparse.Namespace) -> None:
    """Write the scores of a log's rows."""
    from recommend.training.score import score_log

    days = _days(args.days)
    rows = score_log(args.run, args.data, args.out, days, args.device or "cpu", args.precision or "fp32")
    print(f"{rows:,} rows in {args.out}")


def export_(args: argparse.Namespace) -> None:
    """Write a run as one program."""
    from recommend.training.export import export

    facts = export(args.run, args.data, args.out)
    names = ", ".join(i["name"] for i in facts["inputs"])
    print(f"{facts['model']} in {args.out}, with its inputs in {args.out}.json: {names}")


def _days(text: str | None) -> tuple[int, int] | None:
    """``A-B`` or ``A``."""
    if text is None:
        return None
    first, _, last = text.partition("-")
    if not first.isdigit() or not (last or first).isdigit() or int(last or first) < int(first):
        raise CommandError(f"'{text}' are no days; write 7 or 7-9.", 2)
    return int(first), int(last or first)
