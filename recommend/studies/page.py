"""A study's results as text: the table that ``report`` prints, and a page of one screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recommend.studies.study import Study

Found = Mapping[str, Any]


def page(study: Study, results: Found, picture: str = "") -> str:
    """Claim, regime, curve, table, verdict, limits and cost, as Markdown.

    Args:
        picture: where the curve lies, from the page; empty: none.
    """
    c = results["conclusion"]
    size = ", ".join(f"{value:,} {name}" for name, value in results["sizes"].items())
    seeds = f"{len(c['seeds'])} seeds ({min(c['seeds'])} to {max(c['seeds'])})"
    word = f"**{c['verdict'].capitalize()}**{' (exploratory)' if c['exploratory'] else ''}: {c['why']}."
    return "\n".join([
        f"# {study.title}",
        "",
        f"arXiv {study.paper}. *{study.claim}*",
        "",
        word,
        f"World {results['world_version']}, {size}, {seeds}; regime `{study.knob.name}` = {study.regime:g}; "
        f"{'tuned on seeds of their own' if results['tuned'] else 'nothing was tuned'}.",
        "",
        *([f"![gain over the phenomenon]({picture})", ""] if picture else []),
        *tables(study, results),
        "",
        f"Limits: {' '.join(study.limits)}",
        f"Cost: {sum(c['cpu_s'].values()):,.0f} CPU seconds a world and seed for all arms ({results['machine']}).",
        f"Made by `./ipl recommend study {study.name} --seeds {min(c['seeds'])}-{max(c['seeds'])} "
        f"--rows {results['sizes'][study.rows]}`.",
        "",
    ])  # fmt: skip


def tables(study: Study, results: Found) -> list[str]:
    """The doses, what stands beside them, and the arms at the regime."""
    c = results["conclusion"]
    lines = [f"| {study.knob.name} | phenomenon | headroom | gain, {c['unit']} | gate |", "|---|---|---|---|---|"]
    for p in c["curve"]:
        dose = f"{p['dose']:g}" + (" (off)" if p["dose"] == study.knob.off else "")
        value = "" if p["phenomenon"] is None else f"{p['phenomenon']:.3g}"
        gate = "open" if p["open"] else p["closed"]
        lines.append(f"| {dose} | {value} | {p['headroom']:.3g} | {_interval(p)} | {gate} |")
    off, control, slope = c["off"], c["control"], c["slope"]
    above = "nowhere shown to pay" if c["crossing"] is None else f"pays above {c['crossing']:.3g}"
    lines += ["", f"Crossing: {above}; slope a unit of the phenomenon: {_ends(slope) if slope else 'not measured'}."]
    lines.append(f"Off: {_ends(off['gain'])}, equivalent within {off['margin']:g}: {_said(off['p'])}. "
                 f"Control, {control['name']}: {_interval(control)}, no gain of {control['margin']:g}: "
                 f"{_said(control['p'])}.")  # fmt: skip
    lines.append(_competence(study, c["competence"]))
    lines += ["", "| claim at the regime | difference | mean [95 %] | holds (Holm) |", "|---|---|---|---|"]
    for s in c["secondary"]:
        lines.append(f"| {s['name']} | {s['arm']} over {s['baseline']}, {s['measure']} | {_interval(s)} "
                     f"| {'yes' if s['holds'] else 'no'} |")  # fmt: skip
    return [*lines, "", *_arms(c["arms"], c["cpu_s"])]


def _arms(arms: Found, cpu: Found) -> list[str]:
    names = list(dict.fromkeys(m for of in arms.values() for m in of))
    lines = ["| arm | " + " | ".join(names) + " | CPU s |", "|---" * (len(names) + 2) + "|"]
    for arm, of in arms.items():
        cells = [f"{of[m]:.4g}" if of.get(m) is not None else "" for m in names]
        lines.append(f"| {arm} | {' | '.join(cells)} | {cpu.get(arm, 0):.0f} |")
    return lines


def _competence(study: Study, share: float | None) -> str:
    from recommend.studies.verdict import COMPETENT

    if share is None:
        return "The regime has not run."
    enough = "" if share >= COMPETENT else f", below {COMPETENT}: the verdict is about weak models"
    return f"Competence: `{study.base}` comes {share:.2f} of the way to the oracle{enough}."


def _interval(p: Found) -> str:
    return _ends((p["gain"], p["low"], p["high"]))


def _ends(three: Sequence[float | None]) -> str:
    mean, low, high = ("?" if v is None else f"{v:+.3g}" for v in three)
    return f"{mean} [{low}, {high}]"


def _said(p: float) -> str:
    return f"{'yes' if p < 0.05 else 'not shown'} (p {p:.2g})"
