"""Curves of studies: the gain over the measured phenomenon, with its band; one as SVG, or all in small."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from recommend.config import ConfigError
from recommend.phenomena.studies import measured_points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Results = Mapping[str, Any]
COLUMNS = 3
BLUE, BLACK, GREY = "#1f5fa8", "#333333", "#8a8a8a"


def plot(results: Results, file: Path) -> None:
    """A study's curve, as .svg or .png; the folder is made."""
    conclusion = results["conclusion"]
    figure = _figure(6.4, 3.4)
    axis = figure.subplots()
    draw(axis, conclusion)
    axis.set_xlabel("measured phenomenon")
    axis.set_ylabel(fill(f"gain, {conclusion['unit']}", 40), fontsize=9)
    axis.set_title(f"{results['title']}: {conclusion['verdict']}", fontsize=10)
    _save(figure, file)


def draw(axis: Axes, conclusion: Results) -> None:
    """The curve of a conclusion.

    Filled dots are doses at which the gate is open, the largest is the paper's regime; dashed lines are the margin.
    """
    points = measured_points(conclusion)
    x, y = [p["phenomenon"] for p in points], [p["gain"] for p in points]
    low, high = ([p["gain"] if p[end] is None else p[end] for p in points] for end in ("low", "high"))
    axis.fill_between(x, low, high, color=BLUE, alpha=0.2, linewidth=0)
    axis.plot(x, y, color=BLUE, linewidth=1.5)
    for p in points:
        size, face = 8 if p["dose"] == conclusion["regime"] else 5, BLUE if p["open"] else "white"
        axis.plot(p["phenomenon"], p["gain"], "o", color=BLUE, markerfacecolor=face, markersize=size)
    axis.axhline(0, color=BLACK, linewidth=0.8)
    for side in (-1, 1):
        axis.axhline(side * conclusion["off"]["margin"], color=GREY, linewidth=0.8, linestyle="--")
    for edge in ("top", "right"):
        axis.spines[edge].set_visible(False)


def plot_all(studies: Mapping[str, Results | None], file: Path) -> None:
    """Small multiples, a panel a method by its name; one without results is empty and says so."""
    rows = -(-len(studies) // COLUMNS)
    figure = _figure(7.6, 2.1 * rows)
    axes = figure.subplots(rows, COLUMNS, squeeze=False).flatten()
    for axis in axes:
        axis.set_visible(False)
    for axis, (method, results) in zip(axes, studies.items(), strict=False):
        axis.set_visible(True)
        conclusion = results["conclusion"] if results is not None else {"verdict": "not run"}
        axis.set_title(f"{method}\n{conclusion['verdict']}", fontsize=9.5, loc="left")
        axis.tick_params(labelsize=8)
        if results is not None:
            draw(axis, conclusion)
            axis.set_ylabel(fill(conclusion["unit"].partition(",")[0], 20), fontsize=7.5)
            axis.locator_params(nbins=5)
            continue
        axis.set(xticks=[], yticks=[])
        axis.text(0.5, 0.5, "not run", ha="center", va="center", transform=axis.transAxes, color=GREY)
        for spine in axis.spines.values():
            spine.set_color(GREY)
    figure.supxlabel("measured phenomenon", fontsize=9)
    figure.supylabel("gain of the method over its baseline", fontsize=9)
    _save(figure, file)


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure as New
    except ImportError as error:
        raise ConfigError("the picture needs matplotlib: pip install matplotlib") from error
    return New(figsize=(width, height), layout="constrained")


def _save(figure: Figure, file: Path) -> None:
    """In the same bytes for the same results."""
    import matplotlib

    file.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context({"svg.hashsalt": "studies"}):
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
