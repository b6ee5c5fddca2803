"""Models on the same rows of one log, with paired intervals: which one to take."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import stats

from recommend.config import ConfigError, TrainConfig, nearest
from recommend.data.oracle import no_oracle
from recommend.data.parquet import DataError
from recommend.data.schema import columns_of, table_files
from recommend.metrics.calibration import logloss
from recommend.metrics.jackknife import FEW, LEVEL, jackknife
from recommend.metrics.ranks import auc, gauc
from recommend.models.registry import model_class, model_config
from recommend.models.run_config import RunConfig
from recommend.training.baselines import COUNT, POPULAR, TREES, baselines
from recommend.training.evaluation import truth_of
from recommend.training.runs import (
    asked,
    continued,
    features_of,
    labels_of,
    load_run,
    plan,
    train_run,
)
from recommend.training.scoring import predictions

MEASURES: dict[str, Callable[..., float]] = {
    "auc": lambda y, p, user: auc(y, p),
    "gauc": gauc,
    "logloss": lambda y, p, user: logloss(y, p),
}
Estimated = dict[str, float | None]  # fields of an ``Estimate``; None: too few rows tell it
ORACLE = "oracle"  # the truth of a simulated world, beside the models
GROUPS = 40  # of users, each of which is left out in turn


def compare(
    log: Path,
    models: Sequence[str],
    out: Path,
    settings: tuple[Sequence[str], Sequence[str]] = ((), ()),
    seeds: Sequence[int] = (0,),
    test_days: int = 1,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Train every model and measure all of them on the days held back; what is trained already is not trained again.

    Args:
        out: gets one run a model and seed.
        settings: of all models (``knob=value``), and of their training.
        seeds: a model's measures are means over them; the intervals are about the test rows, of which users are left
            out in turn, and differences are paired by these.

    Returns:
        ``{label, days, rows, models: {name: {measure: estimate, "auc over FIRST": estimate, ...}}, baselines: {name:
        {measure: estimate}}, holm: {name: {"auc over FIRST": p, ...}}}``; ``holm`` holds p-values of the differences,
        for all models together; a model's measures hold its "auc over BASELINE" as well. What the rows do not tell is
        None.

    Raises:
        ConfigError: an unknown model, or less than two.
        DataError: a model cannot be trained on this log.

    All of this is found before anything is trained, but for rows that do not suffice (such as no ad among them).
    """
    arms = planned(log, models, out, settings, seeds, test_days)
    scores: dict[str, list[NDArray[Any]]] = {}
    table: dict[str, NDArray[Any]] = {}
    for folder, run in arms:
        say(f"{run.model.name}, seed {run.train.seed}")
        with no_oracle():
            train_run(log, run, folder)
            p, table = _asked(log, folder)
        scores.setdefault(run.model.name, []).append(p)
    run = arms[0][1]
    groups = table["user"] % GROUPS
    say("baselines")
    folder = max(arms, key=lambda arm: len(features_of(arm[1]).features))[0]
    below = {name: [p] for name, p in baselines(load_run(folder, log), log).items()}
    truth = truth_of(log, run.test_days, table["impression_id"]) if run.labels[0] == "click" else None
    above = {} if truth is None else {ORACLE: [truth]}
    all_of = _measured(table["label"].astype(bool), scores | below | above, table["user"], groups, list(below))
    estimates = {name: all_of[name] for name in scores}
    return {
        "label": run.labels[0],
        "days": list(run.test_days),
        "rows": len(groups),
        "seeds": list(seeds),
        "models": estimates,
        "baselines": {name: all_of[name] for name in (*below, *above)},
        "holm": _holm(estimates),
    }


def planned(
    log: Path,
    models: Sequence[str],
    out: Path,
    settings: tuple[Sequence[str], Sequence[str]],
    seeds: Sequence[int],
    test_days: int,
) -> list[tuple[Path, RunConfig]]:
    """The runs of a comparison by folder; arguments and errors as of ``compare``. Nothing is trained yet."""
    _check_names(models, settings[0])
    arms, there = [], columns_of(log)
    for name in models:
        model = model_config(
            name, [s for s in settings[0] if s.partition("=")[0] in model_class(name).Config.model_fields]
        )
        for seed in seeds:
            run = plan(log, model, TrainConfig(seed=seed).changed(settings[1]), labels_of(log, name), test_days)
            folder = out / f"{name}-{seed}"
            continued(folder, run)
            arms.append((folder, run))
        spec = model_class(name)
        read = [c for f in features_of(run).features if not f.joined_by for c in f.sources] if not spec.joins() else []
        if absent := [c for c in (*read, *run.labels, *run.extra, spec.only) if c and c not in there]:
            raise DataError(f"{name} reads '{absent[0]}', which the log does not have; leave {name} out.")
    goals = {name: (labels_of(log, name)[0], model_class(name).only) for name in models}
    other = next((n for n in models if goals[n] != goals[models[0]]), None)
    if other is not None:
        both = [
            (n, goals[n][0], f"rows with '{goals[n][1]}'" if goals[n][1] else "all rows") for n in (models[0], other)
        ]
        targets = " and ".join(f"{name} predicts '{label}' of {of}" for name, label, of in both)
        raise ConfigError(f"{targets}; compare them apart.")
    for name, (table, column) in ((n, need.split(".")) for n in models for need in model_class(n).needs):
        if not table_files(log, table) or column not in columns_of(log, table):
            raise DataError(f"{name} reads '{column}' of '{table}', which the log does not have; leave {name} out.")
    _groups(log, arms[0][1])
    return arms


def _check_names(models: Sequence[str], settings: Sequence[str]) -> None:
    """Raises:
    ConfigError: a model or a setting that there is not, or too few models.
    """
    kinds = [model_class(name) for name in models]
    if len(set(models)) != len(models) or len(models) < 2:
        raise ConfigError("name two models or more, each once.")
    knobs = [n for kind in kinds for n in kind.Config.model_fields]
    if strange := next((n for s in settings if (n := s.partition("=")[0]) not in knobs), None):
        raise ConfigError(f"none of the models has a knob '{strange}'; {nearest(strange, sorted(set(knobs)))}")


def _groups(log: Path, run: RunConfig) -> None:
    """Raises:
    ConfigError: the rows held back give no intervals.
    """
    files = table_files(log, "impression", *run.test_days)
    if not files:
        raise DataError(f"{log} has no rows of the days {run.test_days[0]}..{run.test_days[1]}.")
    column = features_of(run).group
    if len({v for f in files for v in pq.read_table(f, columns=[column])[column].unique().to_pylist()}) < 2:
        raise ConfigError("the rows held back are of one user, so that there are no intervals; hold back more days.")


def _asked(log: Path, folder: Path) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
    """Predictions of a run's first label on the test days; the label, users as ranks, days."""
    model, encode, split = load_run(folder, log)
    f = model.features
    keep = [f.labels[0], f.group, "day", *(["impression_id"] if "impression_id" in columns_of(log) else [])]
    columns = predictions(model, asked(model, log, split.test, [*f.columns, *keep]), encode, keep)
    if not columns:
        raise DataError(f"{log} has no rows of the days {split.test[0]}..{split.test[1]}.")
    user = np.unique(columns[f.group], return_inverse=True)[1]
    number = columns.get("impression_id", np.arange(len(user)))
    return columns[f"p_{f.labels[0]}"], {
        "label": columns[f.labels[0]], "user": user, "day": columns["day"], "impression_id": number
    }  # fmt: skip


def _measured(
    y: NDArray[Any],
    scores: dict[str, list[NDArray[Any]]],
    user: NDArray[Any],
    groups: NDArray[Any],
    below: Sequence[str],
) -> dict[str, dict[str, Estimated]]:
    """Every measure of all that scores, and its difference from the first one's; AUC over what is ``below``."""
    masks = [np.ones(len(y), dtype=bool), *(groups != g for g in np.unique(groups))]

    def values(name: str, measure: Callable[..., float]) -> NDArray[Any]:
        """(1 + groups,) of all rows, and without each group."""
        return np.array([np.mean([measure(y[m], p[m], user[m]) for p in scores[name]]) for m in masks])

    def estimate(v: NDArray[Any]) -> Estimated:
        return {n: x if math.isfinite(x) else None for n, x in asdict(jackknife(v[0], v[1:])).items()}

    first = next(iter(scores))
    base = {n: values(first, measure) for n, measure in MEASURES.items()}
    auc_below = {name: values(name, MEASURES["auc"]) for name in below}
    estimates: dict[str, dict[str, Estimated]] = {}
    for name in scores:
        measured = {n: values(name, measure) for n, measure in MEASURES.items()} if name != first else base
        estimates[name] = {n: estimate(v) for n, v in measured.items()}
        if name != first:
            estimates[name] |= {f"{n} over {first}": estimate(measured[n] - base[n]) for n in MEASURES}
        estimates[name] |= {f"auc over {n}": estimate(measured["auc"] - v) for n, v in auc_below.items() if n != name}
        if name == COUNT:  # is no probability
            estimates[name]["logloss"] = dict.fromkeys(estimates[name]["logloss"])
    return estimates


def _holm(estimates: dict[str, dict[str, Estimated]]) -> dict[str, dict[str, float]]:
    """p-values of the differences of each measure, by Holm for as many models as are compared with the first."""
    adjusted: dict[str, dict[str, float]] = {}
    names = list(estimates)[1:]
    for measure in [n for n in estimates[names[0]] if n.endswith(f" over {next(iter(estimates))}")]:
        p = {name: _p(estimates[name][measure]) for name in names}
        highest = 0.0
        for rank, name in enumerate(sorted(names, key=p.__getitem__)):
            highest = max(highest, min(1.0, p[name] * (len(names) - rank)))
            adjusted.setdefault(name, {})[measure] = highest
    return adjusted


def _p(e: Estimated) -> float:
    """The p-value of no difference, by the t-distribution of its interval; 1 where there is no interval."""
    value, low, high, groups = e["value"], e["low"], e["high"], e["groups"]
    if value is None or low is None or high is None or groups is None:
        return 1.0
    half, free = (high - low) / 2, groups - 1
    if not half > 0:
        return 0.0 if value else 1.0
    return float(2 * stats.t.sf(abs(value) / half * stats.t.ppf((1 + LEVEL) / 2, free), free))


def rows(results: dict[str, Any]) -> list[str]:
    """The table, as Markdown."""
    first = next(iter(results["models"]))
    lines = [
        f"| model | {' | '.join(MEASURES)} | auc over {first} | gauc over {first} |",
        "|---" * (len(MEASURES) + 3) + "|",
    ]
    both = results["models"] | {f"*{name}*": measures for name, measures in results["baselines"].items()}
    for name, measures in both.items():
        cells = [_cell(measures[n]) for n in MEASURES]
        over = [measures.get(f"{n} over {first}") for n in ("auc", "gauc")]
        cells += ["" if e is None else _cell(e, "+") for e in over]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    groups, seeds = results["models"][first]["auc"]["groups"], len(results["seeds"])
    many = f"the mean of {seeds} seeds" if seeds > 1 else "one seed"
    lines.append(
        f"Intervals: 95 %, of the test rows (users left out in turn) for {many}; how much other seeds or "
        "other training days would change is not in them."
    )
    sure = [n for n, p in results["holm"].items() if p[f"auc over {first}"] < 1 - LEVEL]
    differing = ", ".join(f"{n} (p {results['holm'][n][f'auc over {first}']:.1g})" for n in sure)
    lines.append(f"Of all models together AUC differs from that of {first} (Holm, 5 %): {differing or 'none'}.")
    lines += _beaten(results)
    if any(e[n] is None for measures in results["models"].values() for e in measures.values() for n in e):
        lines.append("'-': without one of the groups (of users) the rows are all of one label; hold back more days.")
    if groups < FEW:
        lines.append(f"The intervals rest on {groups} groups (of users) only: take them for rough ones.")
    return lines


def _beaten(results: dict[str, Any]) -> list[str]:
    """Lines on each model that is not above a baseline, and on the models' way to the oracle."""
    lines = []
    for name, measures in results["models"].items():
        for other in (COUNT, POPULAR, TREES):
            over = measures.get(f"auc over {other}")
            if over is None or over["high"] is None or over["low"] > 0:
                continue
            verb = "loses to" if over["high"] < 0 else "is not told from"
            lines.append(f"**{name} {verb} {other}**: AUC {_cell(over, '+')}.")
    if ORACLE in results["baselines"]:
        low, high = (results["baselines"][n]["auc"]["value"] for n in (POPULAR, ORACLE))
        auc_of = {
            n: results[of][n]["auc"]["value"] for of in ("models", "baselines") for n in results[of] if n != ORACLE
        }
        way = ", ".join(f"{n} {(value - low) / (high - low):.2f}" for n, value in auc_of.items() if n != POPULAR)
        lines.append(f"Share of the way from {POPULAR} (0) to the oracle (1), by AUC: {way}.")
    return lines


def _cell(e: Estimated, sign: str = "") -> str:
    value, low, high = ("-" if e[n] is None else f"{e[n]:{sign}.4f}" for n in ("value", "low", "high"))
    return f"{value} [{low}, {high}]" if (e["low"], e["high"]) != (None, None) else value
