"""A market's table for people: lines for a terminal, a picture of what was sold day by day, a page with both."""

from __future__ import annotations

import io
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from recommend.research.market.measures import MEASURES

Table = Mapping[str, Any]
LESS_IS_BETTER = ("days_to_sale", "gini", "regret", "refunds", "cpu_ms")
FEWEST_SEEDS = 5  # two that agree by chance leave an interval without width


def lines(table: Table) -> list[str]:
    """The arms' means as a table in Markdown, and what each arm gives over the first one."""
    arms = table["arms"]
    base, seeds = next(iter(arms)), len(table["seeds"])
    enough = seeds >= FEWEST_SEEDS
    out = [f"| | {' | '.join(arms)} |", f"|---|{'---|' * len(arms)}"]
    for measure, text in MEASURES.items():
        cells = [_number(of[measure]) for of in arms.values()]
        for n, arm in enumerate(arms):
            found = table["differences"].get(f"{arm} over {base}", {}).get(measure)
            cells[n] += " *" if found and enough and _told(found) else ""
        out.append(f"| {text} | {' | '.join(cells)} |")
    said = f"*: the 95 % interval of the paired difference from {base} leaves 0 out"
    few = f"{FEWEST_SEEDS} and more say whether a difference is more than chance"
    out.append(f"means of {seeds} seed{'s' * (seeds > 1)}; {said if enough else few}")
    for pair, of in table["aa"].items():
        inside = sum(not _told(found) for found in of.values())
        out.append(f"{pair}: 0 lies in {inside} of {len(of)} intervals")
    out += [f"{arm}: {fault}" for arm, faults in table["faults"].items() for fault in faults]
    return out


def picture(table: Table) -> str:
    """SVG: pieces sold until each day, the mean of the seeds with its standard error."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4), layout="constrained")
    FigureCanvasSVG(figure)
    axis = figure.subplots()
    for arm, daily in table["daily"].items():
        sold = np.array(daily, float)
        mean, error = (
            sold.mean(0),
            sold.std(0, ddof=1) / np.sqrt(len(sold)) if len(sold) > 1 else np.zeros(sold.shape[1]),
        )
        day = np.arange(1, len(mean) + 1)
        (line,) = axis.plot(day, mean, linewidth=1.5, label=arm)
        axis.fill_between(day, mean - error, mean + error, color=line.get_color(), alpha=0.15, linewidth=0)
    axis.set_xlabel("day")
    axis.set_ylabel("pieces sold so far")
    axis.legend(fontsize=8, frameon=False)
    axis.spines[["top", "right"]].set_visible(False)
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue()


def write_report(table: Table, out: Path) -> tuple[Path, Path]:
    """Write the picture (``.svg``) and the page (``.html``) beside the table; their paths."""
    drawn, files = picture(table), (out.with_suffix(".svg"), out.with_suffix(".html"))
    files[0].write_text(drawn, encoding="utf-8")
    arms, enough = table["arms"], len(table["seeds"]) >= FEWEST_SEEDS
    rows = [["", *arms]] + [[text, *(_number(of[m]) for of in arms.values())] for m, text in MEASURES.items()]
    body = [_html(rows), drawn[drawn.index("<svg") :]]
    for pair, of in table["differences"].items():
        found = [[MEASURES[m], _number(f["mean"]), f"{_number(f['low'])} to {_number(f['high'])}",
                  _better(m, f) if enough else "too few seeds"] for m, f in of.items()]  # fmt: skip
        head = [["", "difference", "95 % interval", ""]]
        body.append(f"<details><summary>{escape(pair)}</summary>{_html(head + found)}</details>")
    facts = ", ".join(f"{name}={value:g}" for name, value in table["rules"].items())
    body.append(f"<p>{escape('; '.join(lines(table)[len(MEASURES) + 2 :]))}</p><p>{escape(facts)}</p>")
    style = (
        "body{font:15px sans-serif;margin:2em}td,th{padding:.2em .7em;text-align:right}td:first-child{text-align:left}"
    )
    page = f"<!doctype html><meta charset=utf-8><title>A market</title><style>{style}</style>{''.join(body)}"
    files[1].write_text(page + "\n", encoding="utf-8")
    return files


def _html(rows: list[list[str]]) -> str:
    cells = [["<th>" + escape(c) for c in rows[0]], *(["<td>" + escape(c) for c in row] for row in rows[1:])]
    return f"<table>{''.join('<tr>' + ''.join(row) for row in cells)}</table>"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _told(found: Mapping[str, Any]) -> bool:
    """The interval leaves 0 out."""
    low, high = found["low"], found["high"]
    return low is not None and high is not None and bool(low > 0 or high < 0)


def _better(measure: str, found: Mapping[str, Any]) -> str:
    if not _told(found):
        return "no difference shown"
    return "better" if (found["mean"] > 0) != (measure in LESS_IS_BETTER) else "worse"
