"""What the figures mean: rules judge measures; headline, to-do list and alerts are all made of the findings."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from math import inf
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.ops.drift import Drift, measure_drift
from app.ops.impressions import SPANS, USUAL, window
from app.ops.numbers import KEYS, TARGET_HOURS, Figures, Measure, written
from app.services import Services
from app.settings import SettingsError
from recommend.cascade.scoring import SIMPLE

Severity = Literal["bad", "look", "unknown"]
State = Literal["good", "look", "bad", "unknown"]
CARDS = ("feed", "new", "models")  # what the headline speaks of
WORST: tuple[State, ...] = ("bad", "look", "unknown", "good")
WORDS: dict[State, tuple[str, str]] = {
    "good": ("●", "good"), "look": ("◐", "worth a look"), "bad": ("▲", "act"), "unknown": ("○", "not known yet"),
}  # fmt: skip
RULES = Path(__file__).with_name("rules.yaml")
PLACES = frozenset(("words", "ranking", "promises", "target", "lacking", "failure", "promotion"))  # in a rule's texts
BRIEF = ("slow_pages", "seen_in_time", "auc")  # what a headline says when all is well
MAX_AGE_S, DRIFT_AGE_S = 20.0, 900.0  # for so long the same figures are shown again
Value = TypeVar("Value")


class Link(BaseModel):
    """A part of /ops and the words of its button."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    to: str = Field(pattern="^[a-z]+$")
    text: str


class Rule(BaseModel):
    """See ``rules.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    measure: str
    card: Literal["feed", "new", "models", ""] = ""
    at_least: float | None = None
    at_most: float | None = None
    enough: int = 0
    model: bool = False
    severity: Severity
    fails: str
    holds: str
    do: str = ""
    command: str = ""
    link: Link | None = None

    @model_validator(mode="after")
    def _usable(self) -> Rule:
        if self.at_least is None and self.at_most is None:
            raise ValueError(f"the rule of {self.measure} needs at_least or at_most")
        if self.measure not in KEYS:
            raise ValueError(f"there is no measure {self.measure}; there are {', '.join(sorted(KEYS))}")
        for text in (self.fails, self.holds):
            try:
                text.format_map(dict.fromkeys(KEYS | PLACES, ""))
            except (KeyError, ValueError, AttributeError, IndexError) as error:
                raise ValueError(f"the rule of {self.measure} says “{text}”, where {error} cannot be filled") from error
        return self

    def holds_for(self, measure: Measure) -> bool | None:
        """Whether the whole interval lies within the limits; False: the whole lies outside, None: neither is known."""
        low, high = measure.interval.low, measure.interval.high
        at_least = -inf if self.at_least is None else self.at_least
        at_most = inf if self.at_most is None else self.at_most
        if max(measure.n, measure.expected) < self.enough:
            return None
        if (high is not None and high < at_least) or (low is not None and low > at_most):
            return False
        return True if low is not None and high is not None and at_least <= low and high <= at_most else None

    def limit(self, unit: str) -> str:
        """The limits in words."""
        ends = (("at least", self.at_least), ("at most", self.at_most))
        return ", ".join(f"{word} {written(end, unit)}" for word, end in ends if end is not None)


@dataclass(frozen=True)
class Finding:
    """A rule, the measure that it judged, and what is said."""

    rule: Rule
    measure: Measure
    state: State
    says: str

    @property
    def open(self) -> bool:
        """Something to do something about."""
        return self.state in ("bad", "look")


class Report:
    """Everything that is said of a window."""

    def __init__(self, figures: Figures, rules: Sequence[Rule]) -> None:
        self.figures, self.over, self.measures = figures, figures.over, figures.measures
        self.findings = tuple(self._finding(rule) for rule in rules)

    @cached_property
    def before(self) -> dict[str, Measure]:
        """Measures of the same stretch a day earlier, without those that only the present has."""
        return Figures(self.figures.services, self.over.yesterday()).measures

    @cached_property
    def to_do(self) -> list[Finding]:
        """What needs somebody, the worst first."""
        return sorted((f for f in self.findings if f.open), key=lambda f: WORST.index(f.state))

    @cached_property
    def states(self) -> dict[str, State]:
        """The worst state of the rules of each card."""
        return {card: min((f.state for f in self.findings if f.rule.card == card), key=WORST.index) for card in CARDS}

    @property
    def state(self) -> State:
        """The worst of all cards."""
        return min(self.states.values(), key=WORST.index)

    @cached_property
    def headline(self) -> str:
        """One sentence: the worst that was found, or that all is well, or that too little is known."""
        watched = [f for f in self.findings if f.rule.card]
        unknown = [f for f in watched if f.state == "unknown"]
        # The worst; else what a rule calls unknown, as that nothing is on sale.
        worst = [f for f in self.to_do if f.rule.card] or [f for f in unknown if f.rule.severity == "unknown"]
        if worst:
            return worst[0].says
        if unknown:
            return f"Nothing is known to be wrong; {len(unknown)} of {len(watched)} checks have too little to say."
        brief = [f.says.rstrip(".") for key in BRIEF for f in self.findings if f.measure.key == key]
        return f"All is well: {'; '.join(brief)}." if brief else "All is well."

    def _finding(self, rule: Rule) -> Finding:
        measure = self.measures[rule.measure]
        if rule.model and self.figures.ranking == SIMPLE:
            says = f"{measure.name.capitalize()}: {measure.words}; there is no ranking model of which it could be said."
            return Finding(rule, measure, "unknown", says)
        holds = rule.holds_for(measure)
        if holds is None:
            says = f"Too little to say of {measure.name}: {measure.words}; the limit is {rule.limit(measure.unit)}."
            return Finding(rule, measure, "unknown", says)
        text = rule.holds if holds else rule.fails
        return Finding(rule, measure, "good" if holds else rule.severity, self._filled(text, measure))

    def _filled(self, text: str, measure: Measure) -> str:
        ranking, level = self.figures.ranking, self.measures["pcoc"].interval
        facts = {
            "words": measure.words,
            "ranking": "Popularity" if ranking == SIMPLE else ranking,
            "promises": f"promises too {'much' if (level.value or level.low or 1.0) > 1 else 'little'}",
            "target": f"{TARGET_HOURS:.0f}",
            "lacking": self._lacking(),
            "failure": self._failure(),
            "promotion": self._promotion(),
            **{key: m.words for key, m in self.measures.items()},
        }
        return text.format_map(facts)

    def _lacking(self) -> str:
        if self.figures.ranking == SIMPLE:
            return f"No model serves: popularity ranks, {self.measures['auc'].beside_chance}."
        return f"{self.figures.ranking} ranks, but pre-ranking has no model: popularity chooses what it sees."

    def _promotion(self) -> str:
        here = self.figures.services.promotions.calendar().on(self.figures.feed.moment().day)
        return f"“{here.name}”" if here is not None else "A promotion"

    def _failure(self) -> str:
        for e in self.figures.failures[:1]:
            why = e["why"] or "no reason was given"
            return f"The {e['role'].replace('_', '-')} model {e['version']} {e['what']}: {why}."
        return "No model failed."


@cache
def read_rules(file: Path | None = None) -> tuple[Rule, ...]:
    """The rules of a file, or the usual ones.

    Raises:
        SettingsError: the file cannot be used; the message says why.
    """
    path = file or RULES
    try:
        rows: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        rules = tuple(Rule.model_validate(rule) for rule in rows)
    except (OSError, yaml.YAMLError, TypeError, ValidationError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error).replace("\n", " ")
        raise SettingsError(f"{path} is no list of rules ({reason}); app/ops/rules.yaml is one.") from error
    if not set(CARDS) <= {r.card for r in rules}:
        raise SettingsError(f"{path} needs a rule for each of the cards {', '.join(CARDS)}.")
    names = [r.measure for r in rules]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingsError(f"{path} has more than one rule of {', '.join(twice)}; each measure can have one.")
    return rules


class TimedCache(Generic[Value]):
    """A value that is made again when it is older than ``max_age`` seconds, or older than a change by hand.

    Whoever asks within that time gets the same one, so that they agree to the digit.
    """

    def __init__(self, make: Callable[[], Value], max_age: Callable[[], float]) -> None:
        self.latest: Value | None = None  # without making one
        self._make, self._max_age, self._lock = make, max_age, threading.Lock()
        self._change, self._made = object(), (0.0, object())  # each change by hand is another object

    def get(self) -> Value:
        """The value."""
        with self._lock:  # whoever comes second waits for the first one's
            now, change = time.monotonic(), self._change
            if self.latest is None or self._made[1] is not change or now - self._made[0] > self._max_age():
                self.latest, self._made = self._make(), (now, change)
            return self.latest

    def forget(self) -> None:
        """Something was changed by hand: the next value is made anew, also if one is being made of what was."""
        self._change = object()


def _report(services: Services, rules: Sequence[Rule], name: str) -> Report:
    return Report(Figures(services, window(name)), rules)


class Reports:
    """Reports by window, and what has moved."""

    def __init__(self, services: Services) -> None:
        rules = read_rules(services.settings.alert_rules)
        self._reports = {name: TimedCache(partial(_report, services, rules, name), lambda: MAX_AGE_S) for name in SPANS}
        self._drift = TimedCache(lambda: measure_drift(services.store, services.feed), lambda: DRIFT_AGE_S)

    def get(self, name: str) -> Report:
        """The report of a window, by its name."""
        return self._reports[name if name in SPANS else USUAL].get()

    def drift(self) -> Drift:
        """What has moved since training."""
        return self._drift.get()

    def latest(self) -> tuple[Report | None, Drift | None]:
        """The last report of the usual window and the last drift that were made, without making any."""
        return self._reports[USUAL].latest, self._drift.latest

    def forget(self) -> None:
        """Something was changed by hand."""
        for report in self._reports.values():
            report.forget()
