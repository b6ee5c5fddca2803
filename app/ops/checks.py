"""Is something off? Each check holds a figure to its limit; headline, list of what to do and states come of these."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Literal

from app.ops.days import Days
from app.ops.figures import TARGET_HOURS, Figures, Measure, written
from app.ops.impressions import SPANS, USUAL, window
from app.services import Services
from listing.errors import PROGRAM
from recommend.cascade.scoring import SIMPLE

State = Literal["good", "look", "bad", "unknown"]
WORST: tuple[State, ...] = ("bad", "look", "unknown", "good")
WORDS: dict[State, tuple[str, str]] = {
    "good": ("●", "good"), "look": ("◐", "worth a look"), "bad": ("▲", "act"), "unknown": ("○", "not known yet"),
}  # fmt: skip
MAX_AGE_S = 20.0  # for so long the same figures are shown again
TRAIN = (
    f"{PROGRAM} recommend log --out log && {PROGRAM} recommend train --data log --out run && "
    f"{PROGRAM} recommend install --run run --role ranking"
)


@dataclass(frozen=True)
class Check:
    """A figure's limits, and what is said and to be done where they do not hold.

    Attributes:
        severity: of a failure: bad (act), look (worth a look), unknown (nothing can be said).
        section: of the page, where what it counts stands.
        enough: cases, that came or were expected; below them nothing is said.
        model: it is said of a ranking model, and of nothing while popularity ranks.
    """

    measure: str
    severity: State
    fails: str
    do: str = ""
    command: str = ""
    section: str = ""
    at_least: float = -inf
    at_most: float = inf
    enough: int = 0
    model: bool = False

    def state(self, measure: Measure) -> State:
        """Good where the whole interval lies within the limits; the severity where the whole of it lies outside."""
        low, high = measure.interval.low, measure.interval.high
        if max(measure.n, measure.expected) < self.enough:
            return "unknown"
        if (high is not None and high < self.at_least) or (low is not None and low > self.at_most):
            return self.severity
        within = low is not None and high is not None and self.at_least <= low and high <= self.at_most
        return "good" if within else "unknown"

    def limit(self, unit: str) -> str:
        """The limits in words."""
        ends = (("at least", self.at_least), ("at most", self.at_most))
        return ", ".join(f"{word} {written(end, unit)}" for word, end in ends if abs(end) < inf)


CHECKS = (
    Check("live_listings", "unknown", "Nothing is on sale yet.", at_least=1),
    Check("feed_problems", "bad", "{problems}", "Correct feed.yaml, or name another version.", at_most=0,
          command=f"{PROGRAM} recommend rollback ranking"),
    Check("models_missing", "look", "{missing}", "Train models on this store's own log and install them.", TRAIN,
          at_most=0, enough=1),
    Check("model_failures", "bad", "{failure}", "Install a healthy version.", at_most=0),
    Check("pcoc", "bad", "{ranking} promises too {much}: predicted over observed clicks is {words}.",
          "Train again on the latest days; until then bids are off by that factor.", TRAIN, at_least=0.8, at_most=1.25,
          enough=30, model=True),
    Check("auc", "bad", "{ranking} orders listings hardly better than chance: AUC {words}.",
          "Train on more days, or on the latest ones.", TRAIN, at_least=0.53, enough=30, model=True),
    Check("model_age", "look", "{ranking} is stale: it learned nothing of the last {words}.",
          "Train again on the latest days and install it.", TRAIN, at_most=14, enough=1, model=True),
    Check("seen_in_time", "bad", f"New listings wait too long: {{words}} were seen within {TARGET_HOURS:.0f} hours.",
          "Look at those that wait; if visitors are few, there is nothing else wrong.", section="new",
          at_least=0.9, enough=5),
    Check("starved", "look", f"New listings that nobody has seen for over {TARGET_HOURS:.0f} hours: {{words}}.",
          "Look at those that wait.", section="new", at_most=0),
    Check("slow_pages", "bad", "Pages are slow: {words} took over 150 ms.",
          "See what else runs on this machine, or serve fewer at a time (IPL_REQUESTS_WAITING).", at_most=0.05,
          enough=20),
    Check("requests_failed", "look", "Requests fail: {words}.", "Read the server's log; it names the cause of each.",
          f"{PROGRAM} doctor", at_most=0.02),
    Check("requests_refused", "look", "Too many wait, so that requests are turned away: {words}.",
          "Start another server, or let more wait (IPL_REQUESTS_WAITING).", at_most=0.02),
    Check("without_vector", "bad", "The index is missing: of the listings on sale {words} have no photo in it.",
          "Check that the server was started without IPL_RAG=0 and that the index opens.", f"{PROGRAM} doctor",
          at_most=0.1, enough=1),
    Check("index_behind", "bad", "The index is behind by {words}.",
          "Read the server's log; what is left is tried again every few seconds.", f"{PROGRAM} doctor", at_most=10),
    Check("reviews_waiting", "look", "Listings that wait for a person: {words}.", "Approve or refuse them.",
          section="reviews", at_most=0),
    Check("reports", "look", "Open reports by visitors: {words}.", "Read them; each opens its listing.",
          section="reviews", at_most=0),
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """A check, the figure that it judged, and what is said of it."""

    check: Check
    measure: Measure
    state: State
    says: str


class Report:
    """Findings, headline and state of a window."""

    def __init__(self, figures: Figures) -> None:
        self.figures, self.over, self.measures = figures, figures.over, figures.measures
        self.findings = tuple(map(self._finding, CHECKS))

    @cached_property
    def before(self) -> dict[str, Measure]:
        """Measures of the same stretch a day earlier, without those that only the present has."""
        return Figures(self.figures.services, self.over.yesterday()).measures

    @cached_property
    def to_do(self) -> list[Finding]:
        """What needs somebody, the worst first."""
        return sorted((f for f in self.findings if f.state in ("bad", "look")), key=lambda f: WORST.index(f.state))

    @property
    def state(self) -> State:
        """The worst of all."""
        return min((f.state for f in self.findings), key=WORST.index)

    @property
    def headline(self) -> str:
        """One sentence: the worst, or that all is well, or that too little is known."""
        unknown = [f for f in self.findings if f.state == "unknown"]
        if self.to_do:
            return self.to_do[0].says
        if unknown and unknown[0].check.severity == "unknown":
            return unknown[0].says
        few = f"Nothing is known to be wrong; {len(unknown)} of {len(self.findings)} checks have too little to say."
        return few if unknown else "All is well: every check is within its limit."

    def _finding(self, check: Check) -> Finding:
        measure, ranking = self.measures[check.measure], self.figures.ranking
        if check.model and ranking == SIMPLE:
            return Finding(check, measure, "unknown", f"{measure.title}: there is no ranking model.")
        state = check.state(measure)
        if state == "good" or (state == "unknown" and check.severity != "unknown"):
            return Finding(check, measure, state, f"{measure.title}: {measure.words}.")
        low = measure.interval.low
        says = check.fails.format(
            words=measure.words if measure.of else measure.brief, ranking=ranking, failure=self._failure(),
            much="much" if low is not None and low > 1 else "little", missing=self._missing(),
            problems=" ".join(self.figures.feed.models.problems.values()),
        )  # fmt: skip
        return Finding(check, measure, state, says)

    def _missing(self) -> str:
        if self.figures.ranking == SIMPLE:
            return f"No model serves: popularity ranks (AUC {self.measures['auc'].brief})."
        return "No pre-ranking model serves: popularity chooses what is ranked."

    def _failure(self) -> str:
        latest = next(iter(self.figures.failures), None)
        return (
            f"The {latest['role'].replace('_', '-')} model {latest['version']} failed: {latest['why']}."
            if latest
            else ""
        )


class Reports:
    """Reports by window. Whoever asks within some seconds gets the same one, so that they agree to the digit."""

    def __init__(self, services: Services) -> None:
        self._services, self._lock, self._change = services, threading.Lock(), 0
        self.days = Days(services)
        self._made: dict[str, tuple[float, int, Report]] = {}

    def get(self, name: str = USUAL) -> Report:
        """The report of a window, by its name."""
        name = name if name in SPANS else USUAL
        with self._lock:  # whoever comes second waits for the first one's
            at, change, report = self._made.get(name, (-inf, self._change, None))
            if report is None or change != self._change or time.monotonic() - at > MAX_AGE_S:
                change = self._change  # a change while it is made asks for another one
                report = Report(Figures(self._services, window(name)))
                self._made[name] = (time.monotonic(), change, report)
            return report

    def latest(self) -> Report | None:
        """The last report of the usual window, without making one."""
        made = self._made.get(USUAL)
        return made[2] if made is not None else None

    def forget(self) -> None:
        """Something was changed by hand."""
        self._change += 1
