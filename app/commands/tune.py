"""``ipl tune``: instruction tuning on annotated photos, stage by stage."""

from __future__ import annotations

import argparse
from pathlib import Path

from app.commands import CommandError

STAGES = ("tower", "projector", "mllm")


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("config", type=Path, metavar="CONFIG", help="a YAML of finetune/configs")
    parser.add_argument(
        "--stage", action="append", choices=STAGES, help="run this stage alone (may be repeated; default: all)"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="photos and annotations.jsonl (default: $IPL_DATA)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the weights go (default: finetune/weights)")
    parser.add_argument("--resume", action="store_true", help="go on where an interrupted mllm stage ended")
    parser.add_argument("--init-from", default="", metavar="DIR", help="start the mllm stage from this adapter")


def run(args: argparse.Namespace) -> int:
    """Run the stages; a mistake in the config or the data is one sentence."""
    from finetune.embedded import WEIGHTS, AssemblyError
    from finetune.photosets import DataError
    from finetune.tune import TuneError
    from finetune.tune import run as tune

    try:
        tune(
            args.config,
            args.stage,
            args.data,
            args.out or WEIGHTS,
            resume=args.resume,
            init_from=args.init_from,
        )
    except (TuneError, DataError, AssemblyError) as error:
        raise CommandError(str(error)) from error
    return 0
