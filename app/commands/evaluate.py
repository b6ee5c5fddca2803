"""``ipl evaluate``: what the drafts would state of photos with known answers, arm by arm."""

from __future__ import annotations

import argparse
from pathlib import Path

from app.commands import CommandError


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--data", type=Path, metavar="DIR", help="photos and annotations.jsonl (default: $IPL_DATA)")
    parser.add_argument("--model", type=Path, metavar="DIR", help="a model folder (default: the embedded model)")
    parser.add_argument("--cache", type=Path, metavar="FILE", help="where the model's answers are kept between runs")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the results as JSON")
    parser.add_argument("--calibrate", action="store_true", help="fit calibration.json from the same answers")


def run(args: argparse.Namespace) -> int:
    """Ask, measure, print one line an arm."""
    from finetune.embedded import WEIGHTS
    from finetune.evaluate import calibrate, evaluate
    from finetune.photosets import DataError, data_root
    from listing.backends.base import BackendError
    from listing.home import ipl_home

    home = ipl_home()
    data = args.data or data_root() / "clothing_cc0"
    model = args.model or home / "models" / "ipl-mini"
    cache = args.cache or home / "evaluation" / f"{_stamp(model)}.jsonl"
    try:
        evaluate(data, model, cache, args.out)
        if args.calibrate:
            calibrate(data, model, cache, WEIGHTS)
    except (BackendError, DataError) as error:
        raise CommandError(str(error)) from error
    return 0


def _stamp(model: Path) -> str:
    """A name for the cache that changes with the weights."""
    import json

    manifest = model / "ipl.json"
    if manifest.is_file():
        return str(json.loads(manifest.read_text(encoding="utf-8"))["fingerprint"])
    return model.name
