"""``ipl batch``: the drafts of many items."""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli import CommandError, number
from app.cli.drafts.draft import add_model_options, add_without_mllm, check_drafting

if TYPE_CHECKING:
    from listing.batch.workers import PipelineFactory
    from listing.request import DraftPipeline

CONTAINER = Path("/sys/fs/cgroup")  # its limits, where there are any
WORKER_BYTES = 2 << 30  # the embedded model at work, 1.4 to 1.8 GB, and room for a large photo


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "input",
        type=Path,
        metavar="INPUT",
        help="a folder (one photo = one item, a subfolder = one item with several photos) or a JSONL with "
        "{id, photos: [path], note?, category?, seller_id?} in each line",
    )
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        required=True,
        metavar="OUT.jsonl",
        help="gets {id, photos, draft} or {id, photos, error: {code, message}} for each item, in input order",
    )
    parser.add_argument(
        "--workers",
        type=number(int, 1),
        metavar="N",
        help="processes, each with a model of its own on one thread; the output is the same (default: of the embedded "
        "model one for each core, as far as memory goes; else, and with a graphics card, 1)",
    )
    parser.add_argument(
        "--concurrency",
        type=number(int, 1),
        default=1,
        metavar="N",
        help="drafts at the same time in this process, of a model behind a server (its log says how many it works on), "
        "or of a folder or hub id, which decodes so many together (default: 1)",
    )
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="whose processes: of this machine, or N actors of a Ray cluster (RAY_ADDRESS names it; without it, one is "
        "started here); the output is the same (default: local)",
    )
    parser.add_argument("--resume", action="store_true", help="go on after the last whole line of OUT.jsonl")
    parser.add_argument(
        "--max-error-rate",
        type=number(float, 0, 1),
        default=0.1,
        metavar="R",
        help="exit status 1 when a larger share of the items failed (default: 0.1)",
    )
    add_model_options(parser)
    add_without_mllm(parser)


def fitting_workers(source: Path) -> int:
    """How many processes with the embedded model this machine and these items have work for, at least 1.

    A graphics card does one model's work. Raises what ``read_rows`` does.
    """
    import psutil
    from joblib import cpu_count

    from listing.backends.local import pick_device
    from listing.batch.run import read_rows

    if pick_device()[0] != "cpu":
        return 1
    free = psutil.virtual_memory().available
    with contextlib.suppress(OSError, ValueError):  # no container, or one without a limit ("max")
        limit = int((CONTAINER / "memory.max").read_text())
        free = min(free, limit - int((CONTAINER / "memory.current").read_text()))
    most = max(1, min(cpu_count(), free // WORKER_BYTES))
    return max(1, sum(1 for _ in itertools.islice(read_rows(source), most)))


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Sums over several threads differ in their last digits: the output would depend on the machine's cores."""
    if find_spec("torch") is None:  # a model behind a server alone
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def build(model: str | None, home: Path, index: str | None, version: str, without: Sequence[str] = ()) -> DraftPipeline:
    """The pipeline of a process of its own, with its own copy of the still ``index`` (None: without past listings)."""
    from listing.pipeline import build_pipeline

    if find_spec("torch") is not None:
        import torch

        torch.set_num_threads(1)
    logging.getLogger("bitsandbytes").setLevel(
        logging.ERROR
    )  # as in app.cli.main, which this process did not go through
    if index is None:
        return build_pipeline(model, False, home, without=without, version=version)
    from listing.observe.past_listings import PastListings
    from listing.taxonomy import load_taxonomy
    from rag_index import own_copy

    past = PastListings.open(home, load_taxonomy(), own_copy(index))
    return build_pipeline(model, True, home, past, without=without, version=version)


def keeping(
    model: str | None, rag: bool, home: Path, version: str, concurrency: int, without: Sequence[str]
) -> DraftPipeline:
    """The pipeline of this process, whose rules are kept, so that a resumed run decides by them."""
    from listing.pipeline import build_pipeline
    from listing.rules import RULES

    pipeline = build_pipeline(model, rag, home, concurrency=concurrency, without=without, version=version)
    pipeline.parts.rules.keep(home / RULES)
    return pipeline


def begun_by(out: Path) -> str:
    """The version of the rules by which the first draft of an output was decided; "" where there is none."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError), out.open(encoding="utf-8") as file:
        for line in file:
            if "draft" in (row := json.loads(line)):
                return str(row["draft"]["rules"])
    return ""


@contextlib.contextmanager
def factory(args: argparse.Namespace) -> Iterator[PipelineFactory]:
    """What makes the pipelines of a run. One process opens the index itself; several cannot open one folder."""
    from listing.home import ipl_home
    from listing.pipeline_parts import rules_for, towers_here
    from listing.rules import RULES, kept_rules
    from listing.shops.shop import Words, use_shop

    home, version = ipl_home(), begun_by(args.out) if args.resume else ""
    if args.workers == 1 and args.engine == "local":
        with one_thread():
            yield functools.partial(keeping, args.model, args.rag, home, version, args.concurrency, args.without)
        return
    if kept_rules(home / RULES, version) is None:  # one version for all processes, whenever they begin
        rules = rules_for(args.model, home, Words.of(use_shop()))
        rules.keep(home / RULES)
        version = rules.version
    if not (args.rag and towers_here(args.model, home)):
        yield functools.partial(build, args.model, home, None, version, args.without)
    else:
        from rag_index import default_location, still_copy

        with still_copy(default_location(home), home) as index:
            yield functools.partial(build, args.model, home, index, version, args.without)


def check(args: argparse.Namespace) -> None:
    """Look at the options, the shop, the index and the items; the first that cannot be used is said."""
    from listing.backends.local import is_embedded
    from listing.batch.run import first_unusable

    if args.concurrency > 1 and (args.model is None or is_embedded(args.model)):
        raise CommandError("--concurrency is for another model (--model URL, folder or hub id); else use --workers.", 2)
    if args.concurrency > 1 and ((args.workers or 1) > 1 or args.engine != "local"):
        raise CommandError("--concurrency works in one process; leave out --workers and --engine.", 2)
    check_drafting(args)
    if sentence := first_unusable(args.input):
        print(f"ipl: {sentence}", file=sys.stderr, flush=True)


def run(args: argparse.Namespace) -> int:
    """Write the JSONL; the progress goes to stderr."""
    from listing.batch.run import run_batch

    if args.workers is None:
        embedded_here = args.model is None and args.engine == "local"
        args.workers = fitting_workers(args.input) if embedded_here else 1
    started = time.monotonic()
    reasons: Counter[str] = Counter()

    def progress(done: int, row: Mapping[str, Any]) -> None:
        error = row.get("error")
        reasons.update([error["message"]] if error else [])
        text = f"{error['code']}: {error['message']}" if error else row["draft"]["title"]
        print(f"{done:6d}  {time.monotonic() - started:7.1f} s  {row['id']}  {text}", file=sys.stderr, flush=True)

    with factory(args) as make:
        summary = run_batch(
            args.input,
            args.out,
            make,
            workers=max(args.workers, args.concurrency),
            engine="threads" if args.concurrency > 1 else args.engine,
            resume=args.resume,
            progress=progress,
        )
    print(
        f"{summary.rows} items in {args.out}, {summary.failed} of them could not be drafted"
        + (f"; {summary.resumed} were there already" if summary.resumed else ""),
        file=sys.stderr,
    )
    if summary.error_rate > args.max_error_rate:
        often = "".join(f" {count} times: {reason}" for reason, count in reasons.most_common(1) if count > 1)
        raise CommandError(
            f"{summary.error_rate:.0%} of the items failed, more than --max-error-rate {args.max_error_rate:g} allows."
            f"{often}"
        )
    return 0
