"""Figures, tables and answers of the operator's page as HTML."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING, Any

from app.ops.answers import Answer
from app.ops.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STATES = {"good": ("●", "good"), "look": ("◐", "worth a look"), "bad": ("▲", "act"), "unknown": ("○", "not known yet")}
FEED_COLUMNS = 13  # of the feed's table that fit; the rest is in the export


def picture(figure: Figure) -> str:
    """The figure as an SVG image; its title, which states what is seen, is also its description."""
    file = io.StringIO()
    figure.savefig(file, format="svg")
    title = html.escape(figure.axes[0].get_title(loc="left") or "Nothing to show yet", quote=True)
    data = base64.b64encode(file.getvalue().encode()).decode()
    return f"<figure class='ops picture'><img alt='{title}' src='data:image/svg+xml;base64,{data}'></figure>"


def frame(table: Table) -> Any:
    """What fills a Gradio table."""
    import gradio as gr

    return gr.update(
        value={"headers": list(table.headers), "data": [list(row) for row in table.rows]}, label=table.note
    )


def cards(answers: list[Answer]) -> str:
    """The three questions with their answers."""
    parts = []
    for a in answers:
        sign, word = STATES[a.state]
        parts.append(
            f"<article class='card {a.state}'><h2>{html.escape(a.question)}</h2>"
            f"<p class='says'><span aria-hidden='true'>{sign}</span> <span class='sr'>{word}: </span>"
            f"{html.escape(a.says)}</p><p class='detail'>{html.escape(a.detail)}</p></article>"
        )
    return f"<div class='ops cards'>{''.join(parts)}</div>"


def slate_table(table: Table) -> str:
    """The slate as a table whose rows open to what explains them."""
    if not table.rows:
        return "<div class='ops'><p>Nothing is on sale.</p></div>"
    head = "".join(f"<th scope='col'>{html.escape(h)}</th>" for h in table.headers[:FEED_COLUMNS])
    body = []
    for row in table.rows:
        kind = "fell" if row[0] is None else ("ad" if row[2] == "ad" else "")
        cells = "".join(f"<td>{_cell(v)}</td>" for v in row[:FEED_COLUMNS])
        more = " · ".join(
            f"{h}: {_cell(v)}" for h, v in zip(table.headers[FEED_COLUMNS:], row[FEED_COLUMNS:], strict=True)
        )
        body.append(
            f"<tr class='{kind}'>{cells}</tr><tr class='more {kind}'><td></td><td colspan='12'>{more}</td></tr>"
        )
    note = html.escape(table.note)
    return (
        f"<div class='ops scroll'><table><caption>{note}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _cell(value: object) -> str:
    return "–" if value is None else html.escape(str(value))
