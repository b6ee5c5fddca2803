"""The models at work: each role's best model that is healthy, or the next simpler way, and which of them it was."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recommend.cascade.catalog import Catalog, smoothed_rate
from recommend.cascade.health import sample
from recommend.cascade.knowledge import Enriched, Knowledge
from recommend.cascade.posts import ROLE as POSTS
from recommend.cascade.posts import Post, Posts, post_columns
from recommend.cascade.program import with_program
from recommend.cascade.registry import PROMOTION, ROLES, Loaded, Registry
from recommend.cascade.request import ADS, FEED, Moment, columns
from recommend.cascade.visitors import Visitor

KNOWLEDGE = "knowledge"  # folder beside the models
SIMPLE = "popularity"  # what is left when no model is: clicks over impressions, drawn to the mean


@dataclass(frozen=True)
class Scores:
    """(n,) values of candidates, and the model's name; ``degraded`` when a simpler way had to do, ``copy`` when the
    copy for the promotion's days scored."""

    values: np.ndarray
    by: str
    degraded: bool = False
    copy: bool = False
    ordered: np.ndarray | None = None  # (n,) what things are ordered by, where that is not the values
    knowledge: Enriched | None = None  # what a model that reads knowledge was given

    @property
    def order(self) -> np.ndarray:
        """(n,) what things are ordered by."""
        return self.values if self.ordered is None else self.ordered


class Models:
    """The models that serve, by role; ``refresh`` looks for new versions and swaps them in while requests go on."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._loaded: dict[str, Loaded] = {}
        self._asked: dict[str, str] = {}  # by role the version that was wanted when its model was loaded
        self._copy: Loaded | None = None
        self.knowledge = Knowledge(registry.root / KNOWLEDGE)
        self._swap = threading.Lock()

    def get(self, role: str) -> Loaded | None:
        """The role's model, or None."""
        return self._loaded.get(role)

    def copy(self, moment: Moment) -> Loaded | None:
        """The conversion model's copy for the promotion of a moment, if there is one; never outside of its days."""
        copy, base = self._copy, self._loaded.get("conversion")
        if copy is None or base is None or copy.manifest["promotion"] != moment.promotion:
            return None
        first, last = copy.manifest["days"]
        return copy if first <= moment.day <= last and copy.manifest["base"]["version"] == base.version else None

    def refresh(self, day: int | None = None) -> list[str]:
        """Load what has changed in the registry; returns the roles whose model is another now.

        Args:
            day: today, for copies of the conversion model; None does not look at them.
        """
        changed = []
        self.knowledge.refresh()
        with self._swap:
            idle = self.registry.idle()
            for role in ROLES:
                version = self.registry.to_serve(role)
                if version != self._asked.get(role, "") and self._replace(role, version, idle):
                    changed.append(role)
            if day is not None:
                self._look_at_copy(day)
        return changed

    def _replace(self, role: str, version: str, idle: Mapping[str, str]) -> bool:
        """Load a role's model in the place of the one that serves; true when another version serves then."""
        have = self._loaded.get(role)
        loaded = self.registry.load(role) if version else None
        why = idle.get(have.manifest["model"], "") if have is not None else ""
        if version and loaded is None and have is not None and not why:
            return False  # nothing that can be loaded is healthy: what serves goes on
        if have is not None and why and have.version == self.registry.current(role):
            self.registry.note("idle", role, have.version, why)
        self._asked[role] = self.registry.to_serve(role) if loaded is not None else ""
        if loaded is None:
            self._loaded.pop(role, None)
        else:
            # Of a pre-ranking model vectors are asked for, and no probabilities.
            self._loaded[role] = loaded if role == "pre_ranking" else with_program(loaded, sample(loaded))
        return (loaded.version if loaded else "") != (have.version if have else "")

    def _look_at_copy(self, day: int) -> None:
        """Load the copy when its days have come, and discard it when they are over, when it is sick, or when the model
        that it is a copy of serves no more: then the conversion model itself goes on."""
        registry, base = self.registry, self._loaded.get("conversion")
        version = registry.current(PROMOTION)
        facts = registry.manifest(PROMOTION, version) if version else {}
        problem = _outlived(facts, day, base, registry.current("conversion")) if facts else ""
        idle = facts.get("model") in registry.idle()
        if not facts or problem or base is None or idle or day < facts["days"][0]:
            self._copy = None
        elif self._copy is None or self._copy.version != version:
            loaded, problem = registry.check(PROMOTION, version)
            self._copy = with_program(loaded, sample(loaded)) if loaded is not None else None
            if problem:
                registry.note("failed", PROMOTION, version, problem)
                registry.note("rolled back", "conversion", base.version, f"from promotion {version}")
        if problem:
            registry.discard(PROMOTION, version, problem)

    def serving(self, role: str, moment: Moment | None = None) -> str:
        """Name of what scores for a role at a moment: a copy for its promotion, the role's model, for ads without one
        the ranking model; else the simpler way."""
        copy = self.copy(moment) if role == "conversion" and moment is not None and moment.promotion else None
        have = copy or self._loaded.get(role) or (self._loaded.get("ranking") if role == "ads" else None)
        return have.name if have is not None else "none" if role == "conversion" else SIMPLE

    def state(self) -> list[dict[str, str]]:
        """A row a role for people: what serves, and what is meant to."""
        return [{"role": r, "serves": self.serving(r), "wanted": self.registry.current(r) or "-"} for r in ROLES]


def _outlived(facts: dict[str, Any], day: int, base: Loaded | None, current: str) -> str:
    """Why a copy with this manifest can never serve again; empty when it can, as when its model, the current one of its
    role, is merely idle."""
    if not facts.keys() >= {"days", "base", "promotion"}:
        return "its manifest does not say for which days it is"
    if day > facts["days"][1]:
        return "its days are over"
    of = facts["base"]
    if base is not None and of["version"] not in (base.version, current):
        return f"it was made from {of['model']} {of['version']}, and {base.name} serves now"
    return ""


def in_vocabulary(loaded: Loaded, moment: Moment) -> Moment:
    """The moment as a model can read it: a promotion that it has never seen is none, since nothing was learned of it
    (every promotion has a number of its own); what a promotion changes is the copy's business."""
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
    channel: int,
) -> tuple[dict[str, np.ndarray], Enriched | None]:
    """(n,) probabilities of every task of a model for the candidates, and what it was given of published knowledge."""
    if not len(rows):
        return {name: np.empty(0) for name in loaded.model.measured()}, None
    enriched = models.knowledge.add(loaded, columns(catalog, rows, visitor, in_vocabulary(loaded, moment), channel))
    answers = loaded(enriched.columns)
    return {name: value.double().numpy() for name, value in answers.items()}, enriched if enriched.by else None


def click_scores(
    models: Models, role: str, catalog: Catalog, rows: np.ndarray, visitor: Visitor, moment: Moment
) -> Scores:
    """pCTR of the candidates by the role's model; by the ranking model when ads have none; else by popularity."""
    channel = ADS if role == "ads" else FEED
    for tried in dict.fromkeys((role, "ranking")):
        loaded = models.get(tried)
        if loaded is not None:
            answers, enriched = probabilities(models, loaded, catalog, rows, visitor, moment, channel)
            return Scores(answers["click"], loaded.name, degraded=tried != role, knowledge=enriched)
    return Scores(smoothed_rate(catalog, rows), SIMPLE, degraded=True)


def post_scores(models: Models, posts: Posts, among: Sequence[Post], visitor: Visitor, moment: Moment) -> Scores:
    """pCTR of posts by the model of their role; else clicks over impressions."""
    loaded = models.get(POSTS)
    if loaded is None:
        return Scores(posts.rates(among), SIMPLE, degraded=True)
    answers = loaded(post_columns(among, visitor, in_vocabulary(loaded, moment), posts.content))
    return Scores(answers["click"].double().numpy(), loaded.name)


def conversions(models: Models, catalog: Catalog, rows: np.ndarray, visitor: Visitor, moment: Moment) -> Scores:
    """(n,) probability that a click ends in an order that stays; 1 everywhere when no model says anything else.

    A model with ``ecvr`` gives it directly (ECAD); one with ``order`` gives the order's. On a promotion's days its copy
    for them comes first.
    """
    copy = models.copy(moment) if moment.promotion else None
    loaded = copy or models.get("conversion")
    if loaded is None:
        return Scores(np.ones(len(rows)), "none", degraded=True)
    answers, _ = probabilities(models, loaded, catalog, rows, visitor, moment, FEED)
    task = next((name for name in ("ecvr", "order") if name in answers), "")
    if not task:
        return Scores(np.ones(len(rows)), "none", degraded=True)
    return Scores(answers[task], loaded.name, copy=copy is not None)
