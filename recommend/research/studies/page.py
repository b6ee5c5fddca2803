"""A study's results as text: the tables that ``report`` prints, and the part of a paper's page that they make."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from recommend.phenomena.studies import interval
from recommend.research.studies.study import Study
from recommend.research.studies.verdict import ALPHA, COMPETENT, words

Results = Mapping[str, Any]
BEGIN = "<!-- study: written by './ipl recommend report', up to the next mark -->"
END = "<!-- end of the study -->"
COUNTED = ("impressions", "clicks", "requests", "days", "click_days")  # sizes that are counts


def page(
    study: Study, results: Results | None, picture: str = "", old: str = "", further: Sequence[Results | None] = ()
) -> str:
    """A paper's page in Markdown: what stands between the marks of the old one is written anew.

    Args:
        results: None: the study has not run.
        picture: where the curve lies, from the page; empty: none.
        old: the page as it is; without marks it is given up for one of title, citation and results.
        further: results on other seeds, and those in the world that the paper describes.
    """
    if BEGIN not in old:
        old = f"# {study.title}\n\narXiv {study.paper}.\n\n{BEGIN}\n{END}\n"
    return between(old, part(study, results, picture, further))


def between(old: str, lines: Sequence[str]) -> str:
    """The text with other lines between its marks."""
    start, _, after = old.partition(BEGIN)
    return "\n".join([f"{start}{BEGIN}", *lines, f"{END}{after.partition(END)[2]}"])


def part(study: Study, results: Results | None, picture: str = "", further: Sequence[Results | None] = ()) -> list[str]:
    """Claim, results on all worlds, tables, limits and cost."""
    lines = [f"**Claim.** {study.claim}", ""]
    if results is None:
        lines.append(f"Not run yet on the seeds that judge; `./ipl recommend study {study.name}` does it.")
    else:
        lines += [*_head(study, results), "", *_picture(picture), *tables(study, results, further), "",
                  *_rest(study, results)]  # fmt: skip
    return lines


def _picture(file: str) -> list[str]:
    return [f"![gain over the phenomenon]({file})", ""] if file else []


def _head(study: Study, results: Results) -> list[str]:
    """What is measured, and where."""
    deviates = f" {study.deviation}" if study.deviation else ""
    return [
        f"**Measured.** `{study.primary.arm}` over `{study.primary.baseline}` in World {results['world_version']} of "
        f"{_worlds(results)}.{deviates} The paper's world: {study.why[:1].lower()}{study.why[1:]}"
    ]


def _worlds(results: Results, known: Results | None = None) -> str:
    """Sizes, where they differ from those of other results, and seeds."""
    seeds, sizes = results["conclusion"]["seeds"], results["sizes"]
    of = [f"{value:,} {name}" if name in COUNTED else f"`{name}` {value:g}" for name, value in sizes.items()
          if known is None or known["sizes"].get(name) != value]  # fmt: skip
    return ", ".join([*of, f"seeds {min(seeds)} to {max(seeds)}"])


def verdict(c: Results) -> str:
    """Whether the method gains and whether that is specific, and on which seeds, where they do not judge."""
    return words(c)["verdict"] + (", exploratory" if c["exploratory"] else "")


def at_regime(c: Results) -> Results | None:
    """The point of the curve at which the claim is judged; None: it has not run."""
    return next((p for p in c["curve"] if p["dose"] == c["regime"]), None)


def _rest(study: Study, results: Results) -> list[str]:
    """Limits, cost, and the command."""
    cpu, machine = results["conclusion"]["cpu_s"], results["machine"].partition(", Python")[0]
    ratio = cost(study, cpu)
    times = f"{ratio:.2f} times the CPU of `{study.primary.baseline}`; " if ratio else ""
    return [
        f"**Limits.** {' '.join(study.limits) or 'None is known.'}",
        "",
        f"**Cost.** {times}{sum(cpu.values()):,.0f} CPU seconds a world at the regime ({machine}), by "
        f"{_commands(study, results)}.",
    ]


def _commands(study: Study, results: Results) -> str:
    """The commands that run it; doses that have more seeds than others by a command of their own."""
    doses: dict[tuple[int, ...], list[float]] = {}
    for p in results["conclusion"]["curve"]:
        doses.setdefault(tuple(p["seeds"]), []).append(p["dose"])
    whole = set(study.arms) <= set(results["conclusion"]["arms"])
    command = f"./ipl recommend study {study.name}{'' if whole else ' --deciding'}"
    rows = f"--rows {results['sizes'][study.rows]}"
    few = min(doses, key=len)
    return ", ".join(
        f"`{command} --seeds {min(seeds)}-{max(seeds)} {rows}{''.join(f' --dose {d:g}' for d in at if seeds != few)}`"
        for seeds, at in sorted(doses.items(), key=lambda item: len(item[0]))
    )


def cost(study: Study, cpu: Results) -> float | None:
    """CPU of the method over that of its baseline, training and answers together; None where either took no time."""
    arm, baseline = (cpu.get(name) for name in (study.primary.arm, study.primary.baseline))
    return arm / baseline if arm and baseline else None


def tables(study: Study, results: Results, further: Sequence[Results | None] = ()) -> list[str]:
    """The doses, the control and the further results, and what stands beside them."""
    c = results["conclusion"]
    control = c["control"]
    lines = [f"| {study.knob.name} | phenomenon | headroom | gain [95 %], {c['unit']} | |", "|---|---|---|---|---|"]
    for p in c["curve"]:
        off = p["dose"] == study.knob.off
        shown = _shown(c, "off", "within {margin:g} of 0") if off else _judged(c, p)
        lines.append(_line(f"{p['dose']:g}{' (off)' if off else ''}", p, shown))
    below = _shown(c, "control", "below {margin:g}")
    lines.append(f"| control: {control['name']} | | | {interval(control)} | {below} |")
    for r in further:
        if r and (here := at_regime(r["conclusion"])):
            base = "" if r["base"] == results["base"] else ", neither matches nor counts"
            home = "" if r["sizes"] == results["sizes"] or not study.home else "the paper's world: "
            where = f"{home}{here['dose']:g}{base}, {_worlds(r, results)}"
            lines.append(_line(where, here, _judged(r["conclusion"], here)))
    lines += ["", _competence(study, c["competence"])]
    if c["crossing"] is not None:
        lines.append(f"The whole band lies above 0 from a phenomenon of {c['crossing']:.3g} on.")
    if beaten := c["ceiling"]["beaten"]:
        best = c["ceiling"]["arm"]
        lines.append(f"`{best}` is no ceiling: {len(beaten)} runs of trained arms beat it ({', '.join(beaten[:3])}).")
    return [*lines, *_secondary(c)]


def _line(where: str, p: Results, shown: str) -> str:
    value = "" if p["phenomenon"] is None else f"{p['phenomenon']:.3g}"
    return f"| {where} | {value} | {round(p['headroom'], 4):.3g} | {interval(p)} | {shown} |"


def _judged(c: Results, p: Results) -> str:
    """The verdict at the regime, and what closes the gate."""
    word = f"**{verdict(c)}**" if p["dose"] == c["regime"] else ""
    gate = "" if p["open"] else f"gate closed by {p['closed'].partition(',')[0]}"
    return ", ".join(filter(None, (word, gate)))


def _shown(c: Results, name: str, what: str) -> str:
    """Whether it is shown of ``off`` or the control; if not, how many worlds would show it."""
    p, what = c[name]["p"], what.format(**c[name])
    if p < ALPHA:
        return f"{what} (p {p:.2g})"
    worlds = c["needed"][name] if "needed" in c else "more"
    would = "a thousand worlds would not" if worlds is None else f"{worlds} worlds would"
    return f"not shown {what} (p {p:.2g}; {would} do)"


def _secondary(c: Results) -> list[str]:
    """The secondary claims at the regime, and of those whose arms ran there the gains with the phenomenon off."""
    claims = [*c["secondary"], *({**s, "name": f"{s['name']}, off"} for s in c["beside"])]
    lines = ["", "| claim | difference | mean [95 %] | holds (Holm) |", "|---|---|---|---|"] if claims else []
    most = max((s["seeds"] for s in claims), default=0)
    for s in claims:
        fewer = f" ({s['seeds']} seeds)" if s["seeds"] < most else ""
        holds = f"{'yes' if s['holds'] else 'no'} (p {s['p']:.2g})" if "p" in s else ""
        lines.append(f"| {s['name']} | {s['arm']} over {s['baseline']}, {s['measure']} | {interval(s)}{fewer} "
                     f"| {holds} |")  # fmt: skip
    return lines


def _competence(study: Study, share: float | None) -> str:
    if share is None or math.isnan(share):
        return "The regime has not run."
    enough = "" if share >= COMPETENT else f", below {COMPETENT}: the verdict is about weak models"
    return f"`{study.base}` comes {share:.2f} of the way to the oracle{enough}."
