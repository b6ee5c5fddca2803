"""A study's curve as SVG: the gain over the measured phenomenon, with its band."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recommend.config import ConfigError


def plot(results: Mapping[str, Any], file: Path) -> None:
    """Draw it; filled dots are doses at which the gate is open, the dashed line is the margin.

    Args:
        file: .svg or .png; its folder is made.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise ConfigError("the picture needs matplotlib: pip install matplotlib") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    found = results["conclusion"]
    points = sorted((p for p in found["curve"] if p["phenomenon"] is not None), key=lambda p: p["phenomenon"])
    x, y = [p["phenomenon"] for p in points], [p["gain"] for p in points]
    low, high = ([p["gain"] if p[end] is None else p[end] for p in points] for end in ("low", "high"))
    with matplotlib.rc_context({"svg.hashsalt": "studies", "font.size": 9}):  # equal results give equal files
        figure, axis = pyplot.subplots(figsize=(6.4, 3.4), layout="constrained")
        axis.fill_between(x, low, high, color="#1f5fa8", alpha=0.15, linewidth=0)
        axis.plot(x, y, color="#1f5fa8", linewidth=1.5)
        for p in points:
            face = "#1f5fa8" if p["open"] else "white"
            axis.plot(p["phenomenon"], p["gain"], "o", color="#1f5fa8", markerfacecolor=face, markersize=5)
        axis.axhline(0, color="#333333", linewidth=0.8)
        for side in (-1, 1):
            axis.axhline(side * found["off"]["margin"], color="#8a8a8a", linewidth=0.8, linestyle="--")
        axis.set_xlabel("measured phenomenon")
        axis.set_ylabel(f"gain, {found['unit']}")
        axis.set_title(f"{results['title']}: {found['verdict']}", fontsize=10)
        for edge in ("top", "right"):
            axis.spines[edge].set_visible(False)
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
        pyplot.close(figure)
