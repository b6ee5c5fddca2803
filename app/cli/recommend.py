"""``ipl recommend``: a simulated market, and the feed's models from training to what serves."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli import CommandError, number
from app.cli import recommend_logs as logs
from app.cli.recommend_logs import device_settings
from app.setup.repository import repository

if TYPE_CHECKING:
    from recommend.cascade.registry import Registry

STAGES = "pre-ranking, ranking, conversion, ads or posts"


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    tasks = parser.add_subparsers(dest="task", required=True, metavar="|".join(TASKS))
    data = _option("--data", type=Path, required=True, metavar="DIR", help="a world, or a folder with a log")
    trained = _option("--run", type=Path, required=True, metavar="DIR", help="what 'train --out' wrote")
    seed = _option("--seed", type=number(int, 0), default=0, metavar="S", help="of all that is drawn (default: 0)")
    knobs = _option("--set", action="append", default=[], metavar="KNOB=VALUE",
                    help="a knob of world, model or training, such as mlp=[128,64]; may be repeated")  # fmt: skip
    device = _option("--device", choices=("cpu", "cuda"), help="where the model computes (default: cpu)")
    precision = _option("--precision", choices=("fp32", "bf16"), help="of the forward pass (default: fp32)")

    def task(name: str, *options: argparse.ArgumentParser) -> Callable[..., argparse.Action]:
        parser = tasks.add_parser(name, help=TASKS[name][1], allow_abbrev=False, parents=options)
        return parser.add_argument

    world = task("world", seed, knobs)
    world("--out", type=Path, required=True, metavar="DIR", help="gets log/, oracle/ and manifest.json")
    world("--view", choices=("impressions", "clicks", "candidates"), default="impressions",
          help="what is simulated (default: impressions)")  # fmt: skip

    train = task("train", data, seed, knobs, device, precision)
    train("--out", type=Path, required=True, metavar="DIR", help="gets encoders, checkpoint and log")
    train("--model", default="dcn", metavar="NAME", help="such as dcn, din, trees, two_tower, copr, keep or ecad")
    train("--labels", default="", metavar="A,B", help="what is predicted (default: what the model is for)")
    train("--start", type=Path, metavar="RUN", help="go on from the weights of a run of the same model")
    train(
        "--test-days", type=number(int, 1), metavar="N", help="last days held back (default: 4, of an import a fifth)"
    )

    task("evaluate", trained, data, device, precision)(
        "--out", type=Path, metavar="FILE", help="write the measures as JSON"
    )

    logs.register(task, data, trained, (seed, knobs, device, precision))

    study = task("study")
    study("name", metavar="NAME", help="of docs/papers/README.md, such as msnet or ecad")
    study("--seeds", default="9500-9507", metavar="A-B", help="worlds, paired over the arms (default: %(default)s)")
    study("--dose", action="append", type=float, default=[], metavar="X", help="one of the knob's (default: all)")
    study("--rows", type=number(int, 1), default=0, metavar="N", help="of each world (default: the study's)")
    study("--out", type=Path, metavar="FILE", help="results, which a later call goes on with (default: the code's)")
    study("--deciding", action="store_true",
          help="only what the verdict needs: the regime and off (or each --dose)")  # fmt: skip
    study("--home", choices=("full", "plain"),
          help="in the world that the paper describes, at its regime, on the full base or on one without matches and "
               "counts")  # fmt: skip

    market = task("market", knobs)
    market(
        "--arm",
        action="append",
        required=True,
        metavar="A",
        help="random, newest, popularity, count, oracle, a model "
        "such as dcn, one with changes (dcn:conversion=esmm), or a YAML file; the first is what others are compared to",
    )
    market("--days", type=number(int, 2), default=30, metavar="N", help="played by each arm (default: 30)")
    market("--seeds", default="9700-9711", metavar="A-B", help="markets, paired over the arms (default: %(default)s)")
    market("--out", type=Path, required=True, metavar="FILE", help="the table (JSON), beside it a page and a picture")

    report = task("report")
    report("name", metavar="NAME", nargs="?", help="the study")
    report("--results", type=Path, metavar="FILE", help="read there instead of the code's results")
    report("--page", type=Path, metavar="FILE", help="write a page, or what stands between its marks, and a curve")
    report("--all", action="store_true", help="write all pages of docs/papers, as far as studies have run")

    task("log")("--out", type=Path, required=True, metavar="DIR", help="gets one folder a table")
    install = task("install", trained)
    install("--role", required=True, help=STAGES)
    install("--share", type=number(float, 0.001, 1), default=1.0, metavar="S", help="of the visitors (default: all)")
    promote = task("promote")
    promote("role", metavar="ROLE", help=STAGES)
    promote("version", metavar="VERSION", help="as /ops and 'install' name it, such as 0002")
    task("rollback")("role", metavar="ROLE", help=STAGES)
    task("knowledge", trained, data)


def _option(name: str, **more: Any) -> argparse.ArgumentParser:
    """An option that several tasks have."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument(name, **more)
    return parent


def run(args: argparse.Namespace) -> int:
    """Do it; errors of the recommender carry one sentence each."""
    from recommend.errors import RecommendError

    if args.task in LABORATORY and find_spec("recommend.research") is None:
        raise CommandError(f"'recommend {args.task}' is in the repository only, not in an installed package.", 2)
    try:
        TASKS[args.task][0](args)
    except RecommendError as error:
        raise CommandError(str(error), error.exit_status) from error
    except FileExistsError as error:
        raise CommandError(str(error), 2) from error
    return 0


def _world(args: argparse.Namespace) -> None:
    from recommend.research.doses import simulate
    from recommend.research.world.stored import store_histories

    knobs = dict(setting.partition("=")[::2] for setting in args.set)
    simulate(args.out, args.view, args.seed, knobs)
    manifest = store_histories(args.out)
    rows = ", ".join(f"{count:,} {table}" for table, count in manifest["rows"].items())
    print(f"world {manifest['world_version']}, seed {args.seed}, in {args.out}: {rows}")


def _train(args: argparse.Namespace) -> None:
    import sys

    from recommend.config import TrainConfig, sort_changes
    from recommend.data.oracle import no_oracle
    from recommend.models.registry import MODELS, model_config
    from recommend.training.distributed import group
    from recommend.training.knowledge import started
    from recommend.training.runs import labels_of, log_of, plan, train_run

    of_model, of_train = sort_changes(args.set)
    if args.model not in MODELS:
        raise CommandError(f"there is no model '{args.model}'; valid: {', '.join(MODELS)}.", 2)
    model = model_config(args.model, of_model)
    train = TrainConfig(seed=args.seed, checkpoint_every=200).changed([*of_train, *device_settings(args)])
    log = log_of(args.data)
    labels = tuple(args.labels.split(",")) if args.labels else labels_of(log, args.model)
    with group() as mine, no_oracle():
        run = plan(log, model, train, labels, args.test_days or logs.held_back(log), _store())
        if args.start is not None:
            run = started(run, args.start)
        done = train_run(
            log,
            run,
            args.out,
            mine,
            sys.stderr.isatty(),
            args.start,
        )
    if not mine.first:
        return
    print(
        f"{args.model}: {done.rows:,} rows in {done.steps:,} steps, {done.seconds:.0f} s, {done.optimizer}; "
        f"mean loss {done.loss:.4f}; in {args.out}"
    )


def _evaluate(args: argparse.Namespace) -> None:
    import json

    from recommend.training.evaluation import evaluate_run, line
    from recommend.training.runs import log_of

    result = evaluate_run(args.run, log_of(args.data), args.device or "cpu", args.precision or "fp32")
    print(f"days {result['days'][0]} to {result['days'][1]}, {result['rows']:,} rows")
    for name, values in result["measures"].items():
        print(f"  {name}: {line(values)}")
    if result["loses"]:
        print(f"this model loses to {', '.join(result['loses'])} (AUC): not worth its cost as it is")
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _study(args: argparse.Namespace) -> None:
    import sys
    from functools import partial

    from recommend.phenomena.studies import publish
    from recommend.research.studies.engine import RESULTS, run_study
    from recommend.research.studies.page import tables
    from recommend.research.studies.study import find_study

    study = find_study(args.name)
    seeds, say = _seeds(args.seeds), partial(print, file=sys.stderr, flush=True)
    if args.home is not None:
        study = study.at_home(args.home == "plain")
        out, doses, args.deciding = args.out or RESULTS / f"home/{study.name}.{args.home}.json", [study.regime], True
    else:
        out = args.out or RESULTS / f"{study.name}.json"
        doses = args.dose or ([study.knob.off, study.regime] if args.deciding else [])
    results = run_study(study, seeds, out, doses, args.rows, say, deciding=args.deciding)
    if args.out is None and args.home is None:
        publish(study.name, results["conclusion"])
    print("\n".join(tables(study, results)))
    print(f"{results['conclusion']['verdict']}; written to {out}")


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    if not first.isdigit() or not (last or first).isdigit() or int(last or first) < int(first):
        raise CommandError(f"'{text}' are no seeds; write 9500-9507.", 2)
    return range(int(first), int(last or first) + 1)


def _market(args: argparse.Namespace) -> None:
    import sys

    from recommend.research.market.report import lines, write_report
    from recommend.research.market.table import play_market
    from recommend.research.market.town import Rules

    bar, end = sys.stderr.isatty(), "\r" if sys.stderr.isatty() else "\n"

    def say(what: str, done: int, days: int) -> None:
        if bar or done == days:
            print(
                f"[{'#' * (20 * done // days):20}] {what}, day {done} of {days} ", end=end, file=sys.stderr, flush=True
            )

    rules = Rules.of([*args.set, f"days={args.days}"])
    table = play_market(args.arm, rules, _seeds(args.seeds), args.out, say)
    page, _ = reversed(write_report(table, args.out))
    print("\n".join(lines(table)))
    print(f"written to {args.out}; for people: {page}")


def _report(args: argparse.Namespace) -> None:
    from recommend.research.studies.engine import RESULTS, read_results
    from recommend.research.studies.overview import stored, write_all, write_page
    from recommend.research.studies.page import page
    from recommend.research.studies.study import find_study

    if args.all == (args.name is not None):
        raise CommandError("name either a study or --all.", 2)
    if args.all:
        root = repository()
        if root is None:
            raise CommandError("--all writes the pages of docs/papers, which an installed package does not have.", 2)
        write_all(root / "docs" / "papers")
        return
    study = find_study(args.name)
    if args.page is not None:
        write_page(study, stored(study.name, args.results), args.page)
    else:
        print(page(study, read_results(args.results or RESULTS / f"{study.name}.json")))


def _log(args: argparse.Namespace) -> None:
    from app.feed.log import write_log
    from app.settings import load_settings
    from app.store.db import open_store

    store = open_store(load_settings().store_url)
    try:
        written = write_log(store, args.out)
    finally:
        store.engine.dispose()
    rows = ", ".join(f"{count} {name}" for name, count in written.rows.items() if count)
    print(f"{args.out}: {written.days} days; {rows or 'nothing has been seen yet'}")


def _models() -> Path:
    """Where the feed's models lie."""
    from app.settings import load_settings

    return load_settings().home / "feed" / "models"


def _store() -> Path:
    """Where what extractors know is published."""
    from recommend.cascade.scoring import KNOWLEDGE

    return _models() / KNOWLEDGE


def _knowledge(args: argparse.Namespace) -> None:
    from recommend.training.knowledge import publish
    from recommend.training.runs import log_of

    version = publish(args.run, log_of(args.data), _store())
    rows = ", ".join(f"{count:,} of {kind}" for kind, count in version.rows.items())
    print(f"knowledge version {version.number}: {rows}; servers use it from their next request on")


def _registry(args: argparse.Namespace) -> tuple[Registry, str]:
    """The feed's models, and the role that was named."""
    from recommend.cascade.health import healthy
    from recommend.cascade.registry import Registry

    registry, role = Registry(_models(), healthy), args.role.replace("-", "_")
    registry.versions(role)  # an unknown role is what is said first
    return registry, role


def _install(args: argparse.Namespace) -> None:
    from recommend.training.runs import read_run

    registry, role = _registry(args)
    source = read_run(args.run).knowledge_source
    facts = {"knowledge": {"source": source}} if source else None
    version = registry.install(args.run, role, args.share, facts)
    who = "all visitors" if args.share == 1 else f"{100 * args.share:g} % of the visitors"
    print(f"{args.role}: {registry.name(role, version)} serves {who} within seconds")


def _promote(args: argparse.Namespace) -> None:
    registry, role = _registry(args)
    registry.serve(role, args.version)
    print(f"{args.role}: {registry.name(role, args.version)} serves all visitors within seconds")


def _rollback(args: argparse.Namespace) -> None:
    registry, role = _registry(args)
    print(f"{args.role}: {registry.name(role, registry.rollback(role))} serves all visitors again within seconds")


LABORATORY = ("world", "study", "market", "report")  # what ``recommend.research`` is needed for
TASKS: dict[str, tuple[Callable[[argparse.Namespace], None], str]] = {
    "world": (_world, "simulate a marketplace and write its log"),
    "import": (logs.import_, "bring a log of your own: CSV or Parquet, and a map of its columns"),
    "phenomena": (logs.phenomena, "which of the papers' methods can pay on a log, before anything is trained"),
    "train": (_train, "train a model on a log; goes on with an interrupted run"),
    "evaluate": (_evaluate, "measure a trained model on the days held back"),
    "compare": (logs.compare_, "train models on the same rows and compare them, with paired intervals"),
    "score": (logs.score, "write a trained model's probabilities for a log's rows"),
    "export": (logs.export_, "write a trained model as one program (torch.export)"),
    "study": (_study, "what a paper's method gains, by dose of its phenomenon; goes on with what is done"),
    "market": (_market, "let rankings sell the same things to the same people, and compare what each brings"),
    "report": (_report, "table, page and curve of a study's results"),
    "log": (_log, "write the store's own feed as a log to train on"),
    "install": (_install, "check a trained model, copy it, and let it serve all visitors or a share of them"),
    "promote": (_promote, "let an installed version serve all visitors of a stage"),
    "rollback": (_rollback, "end a trial, or go back to the version that served before"),
    "knowledge": (_knowledge, "publish what a trained keep_extractor knows, while servers go on"),
}
