"""``ipl tune CONFIG | data | merge``: tuning, the data for it, and merging what came out."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import finetune
from app.cli import CommandError, catalogue
from app.setup.repository import ROOT, repository
from listing.home import ipl_home, private_files

CONFIGS = ROOT / "finetune" / "configs"


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "what", metavar="CONFIG|data|merge", help="a YAML of finetune/configs, or 'data', or 'merge' (see below)"
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="photos and annotations.jsonl (default: in IPL_DATA)",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the result goes (CONFIG: finetune/weights)")
    tuning = parser.add_argument_group("CONFIG: tune as a YAML says")
    tuning.add_argument("--model", metavar="ID|DIR", help="what is tuned, instead of the config's model")
    tuning.add_argument("--resume", action="store_true", help="go on where an interrupted run ended")
    tuning.add_argument("--init-from", default="", metavar="DIR", help="start from this adapter")
    data = parser.add_argument_group(
        "data: write train.jsonl, validation.jsonl, a report and a page of samples to --out"
    )
    data.add_argument(
        "--listings", type=Path, metavar="TABLE", help=f"instead of --data, past listings: {catalogue.KINDS}"
    )
    catalogue.add_options(data)
    data.add_argument("--texts", action="store_true", help=argparse.SUPPRESS)
    data.add_argument("--seed", type=int, default=0, help="which questions and texts are drawn (default: 0)")
    merging = parser.add_argument_group("merge: put an adapter into its 16-bit base, as a model folder in --out")
    merging.add_argument("--base", metavar="MODEL", help="folder or hub id that was tuned, not quantised")
    merging.add_argument("--adapter", type=Path, metavar="DIR", help="the adapter that was written")


def check(args: argparse.Namespace) -> None:
    """Look at the options and at what they name."""
    if args.what == "merge":
        for option in ("base", "adapter", "out"):
            if getattr(args, option) is None:
                raise CommandError(f"merge needs --{option}; ./ipl tune --help says what it is.", 2)
        return
    if args.what == "data" and args.texts:
        raise CommandError("--texts is gone: to teach a model how you write, name your listings with --listings.", 2)
    if args.what == "data" and args.out is None:
        raise CommandError("name the folder for the samples with --out DIR.", 2)
    if args.what != "data":
        if not _config(args.what).is_file():
            raise CommandError(f"There is no config {args.what}; the shipped ones lie in finetune/configs.", 2)
        of_photos = finetune.is_of_photos(_config(args.what), args.model)
        if of_photos and not (args.data and (args.data / "train.jsonl").is_file()):
            finetune.check_photos(args.data)
    elif args.listings:
        catalogue.check_table(args.listings, args.map, args.photos)
    else:
        finetune.check_photos(args.data)


def run(args: argparse.Namespace) -> int:
    """Do it; a mistake in what was given is one sentence."""
    tasks: dict[str, Callable[[argparse.Namespace], None]] = {"data": _data, "merge": _merge}
    tasks.get(args.what, _tune)(args)
    return 0


def _tune(args: argparse.Namespace) -> None:
    if args.out is None and repository() is None:
        raise CommandError("name the folder for the weights with --out DIR; an installed package keeps its own.", 2)
    chat = {"model": args.model, "resume": args.resume, "init_from": args.init_from}
    finetune.run_config(_config(args.what), args.data, args.out or finetune.WEIGHTS, **chat)


def _config(name: str) -> Path:
    """The YAML at that path, or the shipped one of that name."""
    path = Path(name)
    shipped = CONFIGS / path.name
    is_shipped = path.parent in (Path(), Path("finetune/configs")) and shipped.is_file()
    return shipped if is_shipped and not path.exists() else path


def _data(args: argparse.Namespace) -> None:
    from listing.taxonomy import load_taxonomy

    taxonomy = load_taxonomy()
    if args.listings:
        rows, make_tasks = _listed(args), finetune.from_listings(taxonomy)
    else:
        rows = finetune.read_annotations(args.data or finetune.data_root() / "clothing_cc0")
        make_tasks = finetune.from_annotations(taxonomy, finetune.TaskPlan())
    data = finetune.write_data(rows, make_tasks, args.out, args.seed)
    for split, samples in data.samples.items():
        tasks = ", ".join(f"{task} {sum(values.values())}" for task, values in data.counts[split].items())
        print(f"{split}: {samples} samples; answers: {tasks}")
    print(f"Validation is whole {data.split}; {data.alike} training photos that look like photos of it are left out.")
    examples = min(finetune.SHOWN_SAMPLES, data.samples["train"])
    print(f"Counts by value: {args.out / 'report.json'}; {examples} samples with photos: {args.out / 'samples.html'}")


def _listed(args: argparse.Namespace) -> list[dict[str, Any]]:
    import rag_index
    from rag_index.imports.fetch import Fetcher

    opened, _ = catalogue.open_table(args, args.listings, rag_index.default_encoders(ipl_home()))
    with private_files():
        rows, report = finetune.listing_rows(opened, args.out, Fetcher(catalogue.imports_home() / "photos"))
    catalogue.go_on(args, report, catalogue.PHOTOS)
    return rows


def _merge(args: argparse.Namespace) -> None:
    from listing.calibration import Calibration
    from listing.pipeline_parts import command

    out = finetune.merge(args.base, args.adapter, args.out)
    print(f"model written to {out}")
    calibrated = Calibration.load(out).fitted
    has = "Its calibration is that of its base" if calibrated else "It has the prior of a model that nobody measured"
    print(f"{has}; {command(str(out))} fits its own.")
