"""``ipl evaluate``: what the drafts would state of photos with known answers, arm by arm."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import finetune
from app.cli import CommandError
from listing.home import ipl_home

EMBEDDED = "ipl-mini"


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="photos and annotations.jsonl (default: in IPL_DATA)",
    )
    parser.add_argument("--arms", metavar="NAME,...", help="which arms (default: all; --arms help lists them)")
    parser.add_argument("--rag", default="on,off", metavar="on,off", help="with past listings, without, or both")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="only N photos")
    parser.add_argument("--texts", type=int, default=100, metavar="N", help="photos whose texts are judged (0: none)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the results as JSON")
    parser.add_argument("--model", metavar="ID|URL", help="folder, hub id or URL (default: the embedded model)")
    parser.add_argument("--base", type=Path, metavar="DIR", help="the untuned model (default: it is assembled)")
    parser.add_argument("--catalogue", type=Path, metavar="DIR", help="catalogue texts, the voice that is not ours")
    parser.add_argument("--cache", type=Path, metavar="FILE", help="where the model's answers are kept between runs")
    parser.add_argument("--calibrate", action="store_true", help="fit the calibration; by itself only the quick arms")
    further = parser.add_argument_group("hallucination by hand")
    further.add_argument(
        "--drafts", type=Path, metavar="FILE", help="write the arms' drafts to be labelled (default: base and tuned)"
    )
    further.add_argument("--labels", type=Path, metavar="FILE", help="score a labelled file of drafts; nothing else")


def run(args: argparse.Namespace) -> int:
    """Ask, measure, print one line an arm."""
    task: Callable[[argparse.Namespace], None] = _evaluate
    if args.arms == "help":
        task = _list_arms
    elif args.labels:
        task = _score_labels
    task(args)
    return 0


def _evaluate(args: argparse.Namespace) -> None:
    home = ipl_home()
    model, cache = _model(args), _cache(args)
    plan = _plan(args)
    data = args.data or finetune.data_root() / "clothing_cc0"
    material = finetune.gather_material(
        data, model, lambda: args.base or finetune.untuned_model(home), cache, home, plan
    )
    if args.drafts:
        finetune.write_sheet(material, args.drafts, args.texts, plan.arms)
        print(f"drafts to be labelled: {args.drafts}")
        return
    finetune.run_evaluation(material, plan, args.out)
    if args.calibrate:
        _calibrate(material, args)


def _calibrate(material: Any, args: argparse.Namespace) -> None:
    """To the model that was asked: the embedded one takes what is shipped with its weights at the next start."""
    from listing.facts.calibrations import calibration_file
    from listing.facts.ensemble import CALIBRATION

    asked = _model(args)
    file = finetune.WEIGHTS / CALIBRATION if asked == _embedded() else calibration_file(asked, ipl_home())
    try:
        finetune.write_calibration(material, file)
    except OSError as error:
        reason = error.strerror or error
        raise CommandError(f"the calibration cannot be written to {file} ({reason}); make room or rights.") from error
    print(f"calibration written to {file}")


def _plan(args: argparse.Namespace) -> finetune.EvaluationPlan:
    names = [name.strip() for name in args.arms.split(",")] if args.arms else list(finetune.ARMS)
    if args.calibrate and not args.arms:
        names, args.rag, args.texts = list(finetune.QUICK_ARMS), "off", 0
    if args.drafts and not args.arms:
        names = ["base", "tuned"]
    for name in names:
        if name not in finetune.ARMS:
            raise CommandError(f"there is no arm {name!r}; ./ipl evaluate --arms help lists them.", 2)
    ways = [way.strip() for way in args.rag.split(",")]
    if not ways or any(way not in ("on", "off") for way in ways):
        raise CommandError("--rag takes on, off or on,off.", 2)
    if args.limit < 0 or args.texts < 0:
        raise CommandError("--limit and --texts take numbers from 0 on.", 2)
    rag = tuple(way for way in (False, True) if ("on" if way else "off") in ways)
    catalogue = args.catalogue or finetune.data_root() / "fashion_catalog"
    return finetune.EvaluationPlan(arms=tuple(names), rag=rag, limit=args.limit, texts=args.texts, catalogue=catalogue)


def _list_arms(args: argparse.Namespace) -> None:
    for name, arm in finetune.ARMS.items():
        print(f"{name:26} {arm.about}{' (with and without past listings)' if arm.rag else ''}")


def _score_labels(args: argparse.Namespace) -> None:
    for line in finetune.label_report(finetune.read_labels(args.labels), args.out):
        print(line)


def _embedded() -> Path:
    return ipl_home() / "models" / EMBEDDED


def _model(args: argparse.Namespace) -> Path | str:
    """The folder, or the hub id or address as it was given."""
    folder = _embedded() if args.model in (None, EMBEDDED) else Path(args.model)
    if not folder.is_dir():
        return _embedded() if folder == _embedded() else str(args.model)
    return _embedded() if folder.resolve() == _embedded().resolve() else folder


def _cache(args: argparse.Namespace) -> Path:
    return Path(args.cache or ipl_home() / "evaluation" / f"{finetune.weights_stamp(_model(args))}.jsonl")
