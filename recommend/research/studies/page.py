"""A study's results as text: the tables that ``report`` prints, and the part of a paper's page that they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recommend.phenomena.studies import interval, with_ends
from recommend.research.studies.study import Study
from recommend.research.studies.verdict import ALPHA, COMPETENT, words

Results = Mapping[str, Any]
BEGIN = "<!-- study: written by './ipl recommend report', up to the next mark -->"
END = "<!-- end of the study -->"
WEAK_BASE = "a weak base (tables of 8 numbers, neither matches nor counts, rates tuned for each arm)"


def page(
    study: Study, results: Results | None, picture: str = "", old: str = "", further: Sequence[Results | None] = ()
) -> str:
    """A paper's page in Markdown: what stands between the marks of the old one is written anew.

    Args:
        results: None: the study has not run.
        picture: where the curve lies, from the page; empty: none.
        old: the page as it is; without marks it is given up for one of title, citation and results.
        further: results on other seeds, and those of a weak base.
    """
    if BEGIN not in old:
        old = f"# {study.title}\n\narXiv {study.paper}.\n\n{BEGIN}\n{END}\n"
    return between(old, part(study, results, picture, further))


def between(old: str, lines: Sequence[str]) -> str:
    """The text with other lines between its marks."""
    start, _, after = old.partition(BEGIN)
    return "\n".join([f"{start}{BEGIN}", *lines, f"{END}{after.partition(END)[2]}"])


def part(study: Study, results: Results | None, picture: str = "", further: Sequence[Results | None] = ()) -> list[str]:
    """Claim, words, regime, further results, tables, limits and cost."""
    lines = [f"**Claim.** {study.claim}", ""]
    if results is None:
        lines.append(f"Not run yet on the seeds that judge; `./ipl recommend study {study.name}` does it.")
    else:
        others = [_further(study, r) for r in further if r]
        lines += [*_head(study, results), *others, "", *_picture(picture), *tables(study, results), "",
                  *_rest(study, results)]  # fmt: skip
    return lines


def _picture(file: str) -> list[str]:
    return [f"![gain over the phenomenon]({file})", ""] if file else []


def _head(study: Study, results: Results) -> list[str]:
    """The two words with their figures, and where they hold."""
    c, seeds = results["conclusion"], results["conclusion"]["seeds"]
    deviates = f" {study.deviation}" if study.deviation else ""
    tried = ", exploratory" if c["exploratory"] else ""
    return [
        f"**Gains: {gains(c)}.** {gain_of(c, study.regime)} by `{study.primary.arm}` over `{study.primary.baseline}` "
        f"at `{study.knob.name}` = {study.regime:g}.{deviates}",
        f"**Specific: {specificity(c)}.** {specific(c)}.",
        f"Both stand on {results['base']}; World {results['world_version']} of {_size(results)}, {len(seeds)} seeds "
        f"({min(seeds)} to {max(seeds)}{tried}).",
    ]


def gains(c: Results) -> str:
    """The first word."""
    return {True: "yes", None: "not judged yet"}.get(
        c["gains"], "no, it loses" if c["verdict"] == "loses" else "not shown"
    )


def specificity(c: Results) -> str:
    """The second word."""
    if not c["gains"]:
        return "no gain that could be"
    return "yes" if c["specific"] else "not shown"


def gain_of(c: Results, regime: float) -> str:
    """The gain at the regime with its ends and unit."""
    here = next((p for p in c["curve"] if p["dose"] == regime), None)
    return f"{interval(here)} {c['unit']}" if here else "the regime has not run"


def specific(c: Results) -> str:
    """What the second word rests on: the gains at off and of the control, and how many worlds would show the rest."""
    off, control = c["off"], c["control"]
    text = f"Off: {with_ends(off['gain'])}; control: {interval(control)}; margin {off['margin']:g}"
    lacking = [(n, part) for n, part in (("off", off), ("control", control)) if not part["p"] < ALPHA]
    for name, _ in lacking if "needed" in c else ():
        worlds = c["needed"][name]
        text += f"; {name} asks for {worlds} worlds" if worlds else f"; for {name} a thousand worlds would not do"
    return text


def _size(results: Results) -> str:
    return ", ".join(f"{value:,} {name}" for name, value in results["sizes"].items())


def _further(study: Study, results: Results) -> str:
    """One sentence: on which base, worlds and seeds, the gain, and both words."""
    c = results["conclusion"]
    seeds = f"{min(c['seeds'])} to {max(c['seeds'])}"
    of = f"On {results.get('base', WEAK_BASE)}, {_size(results)}, seeds {seeds}"
    return f"{of}: {gain_of(c, study.regime)}, **{words(c)['verdict']}**."


def _rest(study: Study, results: Results) -> list[str]:
    """Limits, cost, and the command."""
    c = results["conclusion"]
    ratio = cost(study, c["cpu_s"])
    times = f"`{study.primary.arm}` takes {ratio:.2f} times the CPU of `{study.primary.baseline}`; " if ratio else ""
    lines = [
        f"**Limits.** {' '.join(study.limits) or 'None is known.'}",
        f"**Cost.** {times}all arms of a world that ran at the regime {sum(c['cpu_s'].values()):,.0f} CPU seconds "
        f"({results['machine']}).",
        f"**Command.** {_commands(study, results)}.",
    ]
    return [piece for line in lines for piece in (line, "")][:-1]


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


def tables(study: Study, results: Results) -> list[str]:
    """The doses, what stands beside them, and the arms at the regime."""
    c = results["conclusion"]
    lines = [f"| {study.knob.name} | phenomenon | headroom | gain, {c['unit']} | gate |", "|---|---|---|---|---|"]
    for p in c["curve"]:
        dose = f"{p['dose']:g}" + (" (off)" if p["dose"] == study.knob.off else "")
        value = "" if p["phenomenon"] is None else f"{p['phenomenon']:.3g}"
        gate = "open" if p["open"] else p["closed"]
        lines.append(f"| {dose} | {value} | {p['headroom']:.3g} | {interval(p)} | {gate} |")
    off, control, slope = c["off"], c["control"], c["slope"]
    above = "nowhere up to the strongest dose" if c["crossing"] is None else f"from {c['crossing']:.3g} on"
    steep = with_ends(slope) if slope else "not measured"
    lines += ["", f"The whole band lies above 0: {above}; slope a unit of the phenomenon: {steep}."]
    lines.append(f"Off: {with_ends(off['gain'])}, equivalent within {off['margin']:g}: {_yes_or_no(off['p'])}. "
                 f"Control, {control['name']}: {interval(control)}, no gain of {control['margin']:g}: "
                 f"{_yes_or_no(control['p'])}.")  # fmt: skip
    if c["beside"]:
        secondary = "; ".join(
            f"{s['name']} ({s['arm']} over {s['baseline']}, {s['measure']}) {interval(s)}" for s in c["beside"]
        )
        lines.append(f"Off, of the secondary claims: {secondary}.")
    lines.append(_competence(study, c["competence"]))
    best, beaten = c["ceiling"]["arm"], c["ceiling"]["beaten"]
    no_ceiling = f"`{best}` is none, since {len(beaten)} runs of trained arms beat it ({', '.join(beaten[:3])})"
    lines.append(f"Ceiling: {no_ceiling if beaten else f'no trained arm beats `{best}` at any dose'}.")
    lines += ["", "| claim at the regime | difference | mean [95 %] | holds (Holm) |", "|---|---|---|---|"]
    most = max((s["seeds"] for s in c["secondary"]), default=0)
    for s in c["secondary"]:
        fewer = f" ({s['seeds']} seeds)" if s["seeds"] < most else ""
        lines.append(f"| {s['name']} | {s['arm']} over {s['baseline']}, {s['measure']} | {interval(s)}{fewer} "
                     f"| {'yes' if s['holds'] else 'no'} (p {s['p']:.2g}) |")  # fmt: skip
    return [*lines, "", *_arms(study, c["arms"], c["cpu_s"])]


def _arms(study: Study, arms: Results, cpu: Results) -> list[str]:
    arms = {arm: arms[arm] for arm in dict.fromkeys((*study.arms, *arms)) if arm in arms}
    names = list(dict.fromkeys(m for of in arms.values() for m in of))
    lines = ["| arm | " + " | ".join(names) + " | CPU s |", "|---" * (len(names) + 2) + "|"]
    for arm, of in arms.items():
        cells = [f"{of[m]:.4g}" if of.get(m) is not None else "" for m in names]
        lines.append(f"| {arm} | {' | '.join(cells)} | {cpu.get(arm, 0):.0f} |")
    return lines


def _competence(study: Study, share: float | None) -> str:
    if share is None:
        return "The regime has not run."
    enough = "" if share >= COMPETENT else f", below {COMPETENT}: the verdict is about weak models"
    return f"Competence: `{study.base}` comes {share:.2f} of the way to the oracle{enough}."


def _yes_or_no(p: float) -> str:
    return f"{'yes' if p < 0.05 else 'not shown'} (p {p:.2g})"
