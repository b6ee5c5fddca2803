"""The models at work: those that ``feed.yaml`` names for each role, or the next simpler way, and which it was."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recommend.cascade.catalog import Catalog, smoothed_rate
from recommend.cascade.health import sample
from recommend.cascade.knowledge import Enriched, Knowledge
from recommend.cascade.posts import ROLE as POSTS
from recommend.cascade.posts import Post, Posts, post_columns
from recommend.cascade.program import with_program
from recommend.cascade.registry import Loaded, Registry
from recommend.cascade.request import ADS, FEED, Moment, columns
from recommend.cascade.routes import FILE, ROLES, Entry, answering
from recommend.cascade.visitors import Visitor
from recommend.config import ConfigError

KNOWLEDGE = "knowledge"  # folder beside the models
SIMPLE = "popularity"  # what is left when no model is: clicks over impressions, drawn to the mean


@dataclass(frozen=True)
class Scores:
    """(n,) values of candidates, and the model's name; ``degraded`` when a simpler way had to do."""

    values: np.ndarray
    by: str
    degraded: bool = False
    ordered: np.ndarray | None = None  # (n,) what things are ordered by, where that is not the values
    knowledge: Enriched | None = None  # what a model that reads knowledge was given

    @property
    def order(self) -> np.ndarray:
        """(n,) what things are ordered by."""
        return self.values if self.ordered is None else self.ordered


@dataclass(frozen=True)
class Serving:
    """A model that serves, and its share of the visitors."""

    loaded: Loaded
    share: float = 1.0


class Models:
    """The models that serve, by role; ``refresh`` follows the registry's file while requests go on.

    Attributes:
        problems: a sentence a role (or the file) that does not serve what the file names.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.problems: dict[str, str] = {}
        self._serving: dict[str, tuple[Serving, ...]] = {}
        self._stamp: object = self  # of the file that was read last; at first of none
        self.knowledge = Knowledge(registry.root / KNOWLEDGE)
        self._swap = threading.Lock()

    def serving(self, role: str) -> tuple[Serving, ...]:
        """What serves in a role; nothing where the simpler way has to do."""
        return self._serving.get(role, ())

    def get(self, role: str, visitor: Visitor | None = None) -> Loaded | None:
        """The model that answers a visitor, or the one with the largest share; None without one."""
        serving = self.serving(role)
        if not serving:
            return None
        if visitor is None:
            return max(serving, key=lambda s: s.share).loaded
        return serving[answering(role, [s.share for s in serving], visitor.user_id)].loaded

    def simpler(self, role: str) -> str:
        """Name of what scores a role that has no model."""
        ranking = self.get("ranking") if role == "ads" else None
        return ranking.name if ranking is not None else "none" if role == "conversion" else SIMPLE

    def serve(self, role: str, *serving: Serving) -> None:
        """Let models serve from the next request on, whatever the file says."""
        self._serving[role] = serving

    def refresh(self) -> list[str]:
        """Load what the file names, if it has changed; returns the roles in which something else serves now."""
        self.knowledge.refresh()
        with self._swap:
            stamp = self.registry.stamp()
            if stamp == self._stamp:
                return []
            routes = None
            problems: dict[str, str] = {}
            try:
                routes = self.registry.routes()
            except ConfigError as error:
                problems[FILE] = f"{error}; what served before goes on."
            changed = [role for role in ROLES if self._follow(role, routes.of(role) if routes else None, problems)]
            self.problems, self._stamp = problems, stamp
        return changed

    def _follow(self, role: str, entries: tuple[Entry, ...] | None, problems: dict[str, str]) -> bool:
        """Let a role's entries serve, if all of them can; else what serves goes on, at a start what served last.

        Args:
            entries: None where the file says nothing.
        """
        before = self.serving(role)
        now: tuple[Serving, ...] | None = None
        if entries is not None:
            now, problem = self._loaded(role, entries)
            if problem:
                problems[role] = problem
        if now is None:
            now = before or self._last(role)
        if role in problems:
            problems[role] += f"; {' and '.join(s.loaded.name for s in now) or self.simpler(role)} serves."
        self._serving[role] = now
        return [s.loaded.version for s in now] != [s.loaded.version for s in before]

    def _loaded(self, role: str, entries: tuple[Entry, ...]) -> tuple[tuple[Serving, ...] | None, str]:
        """The entries with their models, or what is wrong with one of them."""
        out: list[Serving] = []
        have: dict[str, Loaded | None] = {s.loaded.version: s.loaded for s in self.serving(role)}
        for entry in entries:
            loaded, problem = have.get(entry.version), ""
            if loaded is None:
                loaded, problem = self._load(role, entry.version)
            model = entry.model if loaded is None else loaded.manifest["model"]
            if model != entry.model:
                problem = f"version {entry.version} is of {model}"
            if loaded is None or problem:
                self.registry.note("failed", role, entry.version, problem)
                return None, f"{FILE} names {entry.model} {entry.version}, which does not serve: {problem}"
            out.append(Serving(loaded, entry.share))
        return tuple(out), ""

    def _last(self, role: str) -> tuple[Serving, ...]:
        """The last healthy version that served all visitors."""
        for version in reversed(self.registry.history(role)):
            loaded, _ = self._load(role, version)
            if loaded is not None:
                return (Serving(loaded),)
        return ()

    def _load(self, role: str, version: str) -> tuple[Loaded | None, str]:
        loaded, problem = self.registry.check(role, version)
        # Of a pre-ranking model vectors are asked for, and no probabilities.
        if loaded is not None and role != "pre_ranking":
            loaded = with_program(loaded, sample(loaded))
        return loaded, problem


def in_vocabulary(loaded: Loaded, moment: Moment) -> Moment:
    """The moment as a model can read it: a promotion that it has never seen is none, since nothing was learned of it
    (every promotion has a number of its own)."""
    vocabulary = loaded.encoders.vocabularies.get("promotion")
    unknown = vocabulary is not None and moment.promotion not in vocabulary.tolist()
    return replace(moment, promotion=0) if unknown else moment


def probabilities(
    models: Models,
    loaded: Loaded,
    catalog: Catalog,
    rows: np.ndarray,
    visitor: Visitor,
    moment: Moment,
    channel: int | np.ndarray,
) -> tuple[dict[str, np.ndarray], Enriched | None]:
    """(n,) probabilities of every task of a model for the candidates, and what it was given of published knowledge."""
    if not len(rows):
        return {name: np.empty(0) for name in loaded.model.measured()}, None
    enriched = models.knowledge.add(loaded, columns(catalog, rows, visitor, in_vocabulary(loaded, moment), channel))
    answers = loaded(enriched.columns)
    return {name: value.double().numpy() for name, value in answers.items()}, enriched if enriched.by else None


def click_scores(
    models: Models, catalog: Catalog, rows: np.ndarray, bidding: np.ndarray, visitor: Visitor, moment: Moment
) -> tuple[Scores, Scores]:
    """pCTR of the candidates, and of those at the places ``bidding`` as ads, by the models of the two roles.

    Ads without a model are scored by the ranking model, which is asked once for both: a call costs as much as some
    hundred rows. Without any model the scores are popularity's.
    """
    loaded, for_ads, bids = models.get("ranking", visitor), models.get("ads", visitor), rows[bidding]
    together = loaded is not None and for_ads is None
    asked = np.concatenate([rows, bids]) if together else rows
    if loaded is None:
        click = Scores(smoothed_rate(catalog, rows), SIMPLE, degraded=True)
    else:
        channel = np.repeat([FEED, ADS], [len(rows), len(asked) - len(rows)])
        answers, enriched = probabilities(models, loaded, catalog, asked, visitor, moment, channel)
        both = answers["click"]
        click = Scores(both[: len(rows)], loaded.name, knowledge=enriched)
        if together:
            return click, Scores(both[len(rows) :], loaded.name, degraded=True, knowledge=enriched)
    if for_ads is None:
        return click, Scores(click.values[bidding], SIMPLE, degraded=True)
    answers, enriched = probabilities(models, for_ads, catalog, bids, visitor, moment, ADS)
    return click, Scores(answers["click"], for_ads.name, knowledge=enriched)


def post_scores(models: Models, posts: Posts, among: Sequence[Post], visitor: Visitor, moment: Moment) -> Scores:
    """pCTR of posts by the model of their role; else clicks over impressions."""
    loaded = models.get(POSTS, visitor)
    if loaded is None:
        return Scores(posts.rates(among), SIMPLE, degraded=True)
    answers = loaded(post_columns(among, visitor, in_vocabulary(loaded, moment), posts.content))
    return Scores(answers["click"].double().numpy(), loaded.name)


def conversions(models: Models, catalog: Catalog, rows: np.ndarray, visitor: Visitor, moment: Moment) -> Scores:
    """(n,) probability that a click ends in an order that stays; 1 everywhere when no model says anything else.

    A model with ``ecvr`` gives it directly (ECAD); one with ``order`` gives the order's.
    """
    loaded = models.get("conversion", visitor)
    if loaded is None:
        return Scores(np.ones(len(rows)), "none", degraded=True)
    answers, _ = probabilities(models, loaded, catalog, rows, visitor, moment, FEED)
    task = next((name for name in ("ecvr", "order") if name in answers), "")
    if not task:
        return Scores(np.ones(len(rows)), "none", degraded=True)
    return Scores(answers[task], loaded.name)
