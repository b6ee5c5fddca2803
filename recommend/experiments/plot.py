"""Table and picture of a recipe's results, made from the results file alone."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommend.config import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EFFECT, CONTROL, EXPECTED = "#1f5fa8", "#8a8a8a", "#c2571a"


def read_results(file: Path) -> dict[str, Any]:
    """A results file.

    Raises:
        ConfigError: it is not there or is none.
    """
    try:
        results: dict[str, Any] = json.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"there are no results in {file}: run the experiment first.") from error
    if not {"claims", "controls", "arms", "seeds"} <= set(results):
        raise ConfigError(f"{file} does not hold the results of a recipe.")
    return results


def markdown(results: dict[str, Any], measures: Sequence[str] = ()) -> str:
    """Means over the seeds by arm, then claims and controls with their intervals, as Markdown.

    Args:
        measures: the columns wanted; all when empty.

    Raises:
        ConfigError: no arm has one of the measures.
    """
    arms: dict[str, dict[str, list[float | None]]] = results["arms"]
    known = list(dict.fromkeys(name for of_arm in arms.values() for name in of_arm))
    for name in measures:
        if name not in known:
            raise ConfigError(f"no arm has the measure '{name}'; there are {', '.join(known)}.")
    columns = list(measures) or known
    lines = ["| arm | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {arm} | " + " | ".join(_mean(of.get(name)) for name in columns) + " |" for arm, of in arms.items()]
    lines += ["", "| claim | difference | mean [95 % interval] | expected | |", "|---|---|---|---|---|"]
    for kind in ("claims", "controls"):
        for c in results[kind]:
            mark = ("holds" if c["holds"] else "does not hold") if kind == "claims" else _control(c)
            what = f"{c['arm']} - {c['baseline']}, {c['metric']}"
            wanted = f"{c['expected']:+.4f}" if c["expected"] else ("gone" if kind == "controls" else "> 0")
            name = f"*control:* {c['name']}" if kind == "controls" else c["name"]
            lines.append(
                f"| {name} | {what} | {_signed(c['mean'])} [{_signed(c['low'])}, {_signed(c['high'])}] "
                f"| {wanted} | {mark} |"
            )
    seeds, scale = results["seeds"], results["scale"]
    note = f"Verdict: **{results['verdict']}** (world {results['world_version']}, scale {scale}, {len(seeds)} seeds)."
    return "\n".join([*lines, "", note])


def plot(results: dict[str, Any], file: Path) -> None:
    """Claims and controls with their intervals, one panel for each measure; a diamond marks what was expected.

    Args:
        file: .png or .svg; its folder is made.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise ConfigError("the picture needs matplotlib: pip install matplotlib") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [(c, kind) for kind in ("claims", "controls") for c in results[kind]]
    metrics = list(dict.fromkeys(c["metric"] for c, _ in rows))
    panels = [[(c, kind) for c, kind in rows if c["metric"] == metric] for metric in metrics]
    heights = [len(panel) + 0.8 for panel in panels]
    figure, axes = pyplot.subplots(
        len(panels), 1, figsize=(8.4, 0.42 * sum(heights) + 0.8), dpi=110, layout="constrained",
        height_ratios=heights, squeeze=False,
    )  # fmt: skip
    for metric, panel, (axis,) in zip(metrics, panels, axes, strict=True):
        _panel(axis, metric, panel)
    paper, verdict = results["paper"], results["verdict"]
    figure.suptitle(
        f"{results['recipe']} (arXiv {paper}): {verdict}; scale {results['scale']}, {len(results['seeds'])} seeds",
        fontsize=10,
    )
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)
    pyplot.close(figure)


def _panel(axis: Axes, metric: str, panel: list[tuple[dict[str, Any], str]]) -> None:
    for place, (c, kind) in enumerate(panel):
        colour = EFFECT if kind == "claims" else CONTROL
        mean, low, high = (math.nan if c[key] is None else c[key] for key in ("mean", "low", "high"))
        reach = [[mean - low], [high - mean]]
        axis.errorbar(mean, place, xerr=reach, fmt="o", color=colour, capsize=3, markersize=5, linewidth=1.6)
        if c["expected"]:
            axis.plot(c["expected"], place, "D", color=EXPECTED, markersize=5, fillstyle="none")
    axis.axvline(0, color="#333333", linewidth=0.8)
    names = [("control: " if kind == "controls" else "") + c["name"] for c, kind in panel]
    axis.set_yticks(range(len(panel)), names, fontsize=8)
    axis.set_ylim(len(panel) - 0.4, -0.6)
    axis.set_xlabel(f"difference in {metric} (above 0 is better)", fontsize=8)
    axis.tick_params(axis="x", labelsize=8)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)


def _mean(values: list[float | None] | None) -> str:
    kept = [v for v in values or [] if v is not None]
    return f"{sum(kept) / len(kept):.4f}" if kept else ""


def _signed(value: float | None) -> str:
    return "?" if value is None or not math.isfinite(value) else f"{value:+.4f}"


def _control(control: dict[str, Any]) -> str:
    return "gone" if control["holds"] else "**not gone**"
