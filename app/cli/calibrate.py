"""``ipl calibrate``: measure how far a model is heard on each question, on photos with known answers."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from app.cli import CommandError
from listing.home import ipl_home, private_files

EMBEDDED = "ipl-mini"


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--model",
        metavar="ID|URL",
        default=os.environ.get("IPL_MODEL"),
        type=lambda given: given or None,
        help="a hub id, a folder or the URL of a server (default: what IPL_MODEL names, else the "
        "embedded one, on the photos of --data)",
    )
    parser.add_argument(
        "--photos",
        type=Path,
        metavar="TABLE",
        help="a CSV with the columns photo, category and attributes (default: 160 photos of clothes that ship)",
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="of the embedded model: photos and annotations.jsonl (in IPL_DATA)"
    )


def check(args: argparse.Namespace) -> None:
    """Look at the options and at the photos that they name."""
    if args.model in (None, EMBEDDED):
        import finetune

        if args.photos:
            raise CommandError("--photos measures another model: name it with --model.", 2)
        finetune.check_photos(args.data)
    elif args.data:
        raise CommandError("--data measures the embedded model; another one is measured on --photos.", 2)
    elif args.photos:
        from listing.measure.photos import read_table
        from listing.taxonomy import load_taxonomy

        read_table(args.photos, load_taxonomy())


def run(args: argparse.Namespace) -> int:
    """Measure, and write the calibration; interrupted, the same command goes on."""
    file = _embedded(args.data) if args.model in (None, EMBEDDED) else _another(args)
    print(f"calibration written to {file}")
    return 0


def _another(args: argparse.Namespace) -> Path:
    from listing.measure.photos import SHIPPED, calibrate
    from listing.pipeline import build_pipeline

    home = ipl_home()
    pipeline = build_pipeline(args.model, False, home)
    with private_files():
        return calibrate(pipeline, args.model, home, args.photos or SHIPPED)


def _embedded(data: Path | None) -> Path:
    """All sources' weights; the model takes what is shipped with its weights at the next start."""
    import finetune
    from app.cli.evaluate import embedded, observed
    from listing.calibration import FILE

    file = finetune.WEIGHTS / FILE
    evaluation = observed(data, embedded(), None, finetune.EvaluationPlan())
    try:
        finetune.write_calibration(evaluation, file)
    except OSError as error:
        reason = error.strerror or error
        raise CommandError(f"the calibration cannot be written to {file} ({reason}); make room or rights.") from error
    return file
