"""What the figures mean: rules judge measures; headline, cards, to-do list and alerts are all made of the findings."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.ops.impressions import SPANS, Window, window
from app.ops.numbers import KEYS, TARGET_HOURS, Figures, Measure, written
from app.services import Services
from app.settings import SettingsError
from recommend.cascade.scoring import SIMPLE

Severity = Literal["bad", "look", "unknown"]
State = Literal["good", "look", "bad", "unknown"]
CARDS = {
    "feed": "Is the feed healthy?",
    "new": "Do new listings get their chance?",
    "models": "Which model is off?",
}
WORST: tuple[State, ...] = ("bad", "look", "unknown", "good")
WORDS: dict[State, tuple[str, str]] = {
    "good": ("●", "good"), "look": ("◐", "worth a look"), "bad": ("▲", "act"), "unknown": ("○", "not known yet"),
}  # fmt: skip
RULES = Path(__file__).with_name("rules.yaml")
PLACES = frozenset(("words", "ranking", "promises", "target", "lacking", "failure", "promotion"))  # in a rule's texts
BRIEF = ("slow_pages", "seen_in_time", "auc")  # what a headline says when all is well
MAX_AGE_S = 20.0  # for so long the same figures are shown again


class Link(BaseModel):
    """A page of /ops and the words of its button."""

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
    def _has_a_limit(self) -> Rule:
        if self.at_least is None and self.at_most is None:
            raise ValueError(f"the rule of {self.measure} needs at_least or at_most")
        return self

    @model_validator(mode="after")
    def _can_be_filled(self) -> Rule:
        if self.measure not in KEYS:
            raise ValueError(f"there is no measure {self.measure}; there are {', '.join(sorted(KEYS))}")
        for text in (self.fails, self.holds):
            try:
                text.format_map(dict.fromkeys(KEYS | PLACES, ""))
            except (KeyError, ValueError, AttributeError, IndexError) as error:
                raise ValueError(f"the rule of {self.measure} says “{text}”, where {error} cannot be filled") from error
        return self

    def judge(self, measure: Measure) -> State:
        """Good when the whole interval lies within the limits, the rule's severity when the whole lies outside."""
        interval, low, high = measure.interval, self.at_least, self.at_most
        if self.fails_by(measure):
            return self.severity
        if interval.low is None or interval.high is None or not self._enough(measure):
            return "unknown"
        inside = (low is None or interval.low >= low) and (high is None or interval.high <= high)
        return "good" if inside else "unknown"

    def fails_by(self, measure: Measure) -> bool:
        """Whether the whole interval lies outside the limits."""
        interval, low, high = measure.interval, self.at_least, self.at_most
        below = low is not None and interval.high is not None and interval.high < low
        above = high is not None and interval.low is not None and interval.low > high
        return (below or above) and self._enough(measure)

    def _enough(self, measure: Measure) -> bool:
        return max(measure.n, measure.expected) >= self.enough

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


@dataclass(frozen=True)
class Card:
    """One of the three questions with what was found. ``rest``: the other findings."""

    name: str
    question: str
    state: State
    says: str
    rest: tuple[Finding, ...]


class Report:
    """Everything that the page says of a window."""

    def __init__(self, figures: Figures, rules: Sequence[Rule]) -> None:
        self.figures, self.over = figures, figures.over
        self.measures = figures.measures
        self.findings = tuple(self._finding(rule) for rule in rules)
        self.unwatched = tuple(m for key, m in self.measures.items() if key not in {r.measure for r in rules})

    @cached_property
    def to_do(self) -> list[Finding]:
        """What needs somebody, the worst first."""
        return sorted((f for f in self.findings if f.open), key=lambda f: WORST.index(f.state))

    @cached_property
    def cards(self) -> tuple[Card, ...]:
        """The three questions."""
        return tuple(self._card(name) for name in CARDS)

    @cached_property
    def state(self) -> State:
        """The worst of all cards."""
        return min((c.state for c in self.cards), key=WORST.index)

    @cached_property
    def headline(self) -> str:
        """One sentence: the worst that was found, or that all is well, or that too little is known."""
        watched = [f for f in self.findings if f.rule.card]
        faults = sorted((f for f in watched if f.open), key=lambda f: WORST.index(f.state))
        if faults:
            return faults[0].says
        open_ = [f for f in watched if f.state == "unknown"]
        empty = next((f for f in open_ if f.rule.severity == "unknown"), None)
        if empty is not None:
            return empty.says
        if open_:
            return f"Nothing is known to be wrong; {len(open_)} of {len(watched)} checks have too little to say."
        brief = [f.says.rstrip(".") for key in BRIEF for f in self.findings if f.measure.key == key]
        return f"All is well: {'; '.join(brief)}." if brief else "All is well."

    def _card(self, name: str) -> Card:
        of = [f for f in self.findings if f.rule.card == name]
        first = min(of, key=lambda f: WORST.index(f.state))
        if first.state == "good":  # what was measured says more than what was counted
            first = next((f for f in of if not f.measure.exact), first)
        return Card(name, CARDS[name], first.state, first.says, tuple(f for f in of if f is not first))

    def _finding(self, rule: Rule) -> Finding:
        measure = self.measures[rule.measure]
        if rule.model and self.figures.ranking == SIMPLE:
            says = f"{measure.name.capitalize()}: {measure.words}; there is no ranking model of which it could be said."
            return Finding(rule, measure, "unknown", says)
        state = rule.judge(measure)
        if state == "good":
            says = self._filled(rule.holds, measure)
        elif rule.fails_by(measure):
            says = self._filled(rule.fails, measure)
        else:
            says = f"Too little to say of {measure.name}: {measure.words}; the limit is {rule.limit(measure.unit)}."
        return Finding(rule, measure, state, says)

    def _filled(self, text: str, measure: Measure) -> str:
        ranking = self.figures.ranking
        level = self.measures["pcoc"].interval
        ratio = level.value or level.low or 1.0
        facts = {
            "words": measure.words,
            "ranking": "Popularity" if ranking == SIMPLE else ranking,
            "promises": "promises too much" if ratio > 1 else "promises too little",
            "target": f"{TARGET_HOURS:.0f}",
            "lacking": self._lacking(),
            "failure": self._failure(),
            "promotion": self._promotion(),
            **{key: m.words for key, m in self.measures.items()},
        }
        return text.format_map(facts)

    def _lacking(self) -> str:
        models = self.figures.feed.models
        if models.get("ranking") is None:
            return f"No model serves: popularity ranks, {self.measures['auc'].beside_chance}."
        return f"{self.figures.ranking} ranks, but pre-ranking has no model: popularity chooses what it sees."

    def _promotion(self) -> str:
        here = self.figures.services.promotions.calendar().on(self.figures.feed.moment().day)
        return f"“{here.name}”" if here is not None else "A promotion"

    def _failure(self) -> str:
        e = next(iter(self.figures.failures), None)
        if e is None:
            return "No model failed."
        return (
            f"The {e['role'].replace('_', '-')} model {e['version']} {e['what']}: {e['why'] or 'no reason was given'}."
        )


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


class Reports:
    """Reports by window. Whoever asks within ``MAX_AGE_S`` gets the same one, so that they agree to the digit."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.rules = read_rules(services.settings.alert_rules)
        self._latest: dict[str, tuple[float, object, Report]] = {}
        self._change = object()  # another one after each change by hand
        self._locks = {name: threading.Lock() for name in SPANS}

    def get(self, name: str) -> Report:
        """The report of a window, by its name."""
        over: Window = window(name)
        with self._locks[over.name]:  # whoever comes second waits for the first one's
            latest, change = self._latest.get(over.name), self._change
            if latest is None or latest[1] is not change or time.monotonic() - latest[0] > MAX_AGE_S:
                latest = (time.monotonic(), change, Report(Figures(self.services, over), self.rules))
                self._latest[over.name] = latest
            return latest[2]

    def latest(self, name: str) -> Report | None:
        """The last report of a window that was made, without making one."""
        entry = self._latest.get(name)
        return entry[2] if entry is not None else None

    def forget(self) -> None:
        """Something was changed by hand: the next report is made anew, also if one is being made of what was."""
        self._change = object()
