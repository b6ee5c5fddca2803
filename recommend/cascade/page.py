"""A page in the making: the sizes of the stages, the state that they pass on, and the page with its trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from recommend.cascade.posts import PlacedPost
from recommend.cascade.request import Moment
from recommend.cascade.scoring import Scores
from recommend.cascade.visitors import Visitor

AD_SLOTS = (2, 7)  # 0-based places of the ads on a page
SHARES = {"new": 0.3, "content": 0.35, "category": 0.2, "popular": 0.15}


@dataclass(frozen=True)
class Exposure:
    """Rules for new things.

    Attributes:
        share: of the organic places, kept for things with fewer than ``enough`` impressions.
        beyond: of these, the part kept for things that no source found or that pre-ranking let fall.
        enough: impressions after which a thing stands on its own.
        young_h: hours after which a thing is not new any more.
        per_seller: most places of a page for one seller.
    """

    share: float = 0.15
    beyond: float = 0.5
    enough: int = 30
    young_h: float = 48.0
    per_seller: int = 3


@dataclass(frozen=True)
class FeedConfig:
    """Sizes of the stages and what a page is worth.

    Attributes:
        candidates, ranked, size: things that reach pre-ranking, ranking, the page.
        order_worth: of an order that stays, in clicks; 0 ranks by clicks alone.
        reserve: lowest price of an ad's click.
        uniform_ads: share of the pages whose ads are drawn from all that could take part.
        explained: ranked things kept in the trace beside the page.
        at_once: pages made at the same time; further requests wait, which is faster than sharing the cores.
    """

    candidates: int = 2_000
    ranked: int = 200
    size: int = 20
    order_worth: float = 4.0
    reserve: float = 0.02
    uniform_ads: float = 0.0
    explained: int = 30
    at_once: int = 2
    exposure: Exposure = field(default_factory=Exposure)
    shares: Mapping[str, float] = field(default_factory=lambda: dict(SHARES))


@dataclass(frozen=True)
class Place:
    """A place on the page: the candidate's place among the ranked ones, and why it stands here."""

    candidate: int
    reason: str  # ranked | exploration | ad


@dataclass(frozen=True)
class Outcome:
    """``winners``: (slots,) places of the candidates that are shown, best first; ``price``: (slots,) for a click.

    ``uniform`` says that they were drawn and not chosen; ``propensity``: (slots,) the probability with which this page
    showed each, drawing included.
    """

    winners: np.ndarray
    price: np.ndarray
    ecpm: np.ndarray  # (n,) of every candidate
    propensity: np.ndarray
    uniform: bool = False


@dataclass(frozen=True)
class TraceLine:
    """A thing in the trace: on the page when ``position`` is not None."""

    item_id: int
    position: int | None
    reason: str  # ranked | exploration | ad | fell: why
    sources: tuple[str, ...]
    pre_rank: int
    pre_score: float
    rank: int
    pctr: float
    pcvr: float | None
    score: float
    bid: float
    ecpm: float | None
    price_per_click: float | None
    seller_id: int
    category: int
    single: bool
    stock: int
    age_h: float
    impressions: int
    policy: str = "organic"  # organic | ads | uniform: who chose it
    propensity: float = 1.0  # of an ad: with which such a page shows it


@dataclass(frozen=True)
class Ranked:
    """(n,) what the ranking stage considered: first as things to be shown for nothing, then those that bid as ads."""

    item_id: np.ndarray
    policy: np.ndarray  # of str: organic | ads | uniform
    pctr: np.ndarray
    bid: np.ndarray  # 0 for what is not considered as an ad
    rank: np.ndarray  # 0-based, of the organic things and of the ads
    displayed: np.ndarray


class Explained(Protocol):
    """State of a page when it was made, from which the lines that few read are written when they are asked for."""

    def fell(self) -> tuple[TraceLine, ...]:
        """The best ranked items that are not on the page."""

    def considered(self) -> Ranked:
        """All ranked items."""


@dataclass(frozen=True)
class Slate:
    """A page and its trace. ``counts`` and ``ms`` go by stage; ``models`` says what scored, by role."""

    user_id: int
    moment: Moment
    page: tuple[TraceLine, ...]
    explained: Explained
    counts: dict[str, int]
    ms: dict[str, float]
    models: dict[str, str]
    degraded: tuple[str, ...]
    posts: tuple[PlacedPost, ...] = ()

    @cached_property
    def fell(self) -> tuple[TraceLine, ...]:
        """The best ranked items that are not on the page."""
        return self.explained.fell()

    @cached_property
    def ranked(self) -> Ranked:
        """All ranked items."""
        return self.explained.considered()


@dataclass
class PageState:
    """One request on its way through the stages; each stage fills in what the next ones read.

    n candidates were retrieved, m of them are ranked, b of these bid.

    Attributes:
        sources: rows of the catalogue by source. usual: those of all sources but exploration's.
        rows: (n,) rows, without repetition.
        pre: scores of the candidates; None without any. pre_score: (n,) what they are ordered by.
        chosen: (m,) places in ``rows``. ranked: (m,) their rows. beyond: (m,) here for exploration alone.
        click, order: (m,) scores; score: (m,) what the page is ordered by.
        bid: (m,). bidding: (b,) places in ``ranked``. ads: (b,) scores. outcome: of the auction.
        age_h, impressions, seller, alive: (m,) of the ranked items, as the mixing stage found them.
        places: of the page. posts: chosen for it, not yet in their places.
        ms: milliseconds by stage.
    """

    visitor: Visitor
    moment: Moment
    size: int
    ms: dict[str, float] = field(default_factory=dict)
    sources: dict[str, np.ndarray] = field(init=False)
    usual: np.ndarray = field(init=False)
    rows: np.ndarray = field(init=False)
    pre: Scores | None = field(init=False)
    pre_score: np.ndarray = field(init=False)
    chosen: np.ndarray = field(init=False)
    ranked: np.ndarray = field(init=False)
    beyond: np.ndarray = field(init=False)
    click: Scores = field(init=False)
    order: Scores = field(init=False)
    score: np.ndarray = field(init=False)
    bid: np.ndarray = field(init=False)
    bidding: np.ndarray = field(init=False)
    ads: Scores = field(init=False)
    outcome: Outcome = field(init=False)
    age_h: np.ndarray = field(init=False)
    impressions: np.ndarray = field(init=False)
    seller: np.ndarray = field(init=False)
    alive: np.ndarray = field(init=False)
    places: list[Place] = field(init=False)
    posts: list[PlacedPost] = field(init=False)
    post_scores: Scores = field(init=False)
    slate: Slate = field(init=False)

    @property
    def winners(self) -> list[int]:
        """Places in ``ranked`` of the ads that won, best first."""
        return [int(i) for i in self.bidding[self.outcome.winners]]


class Stage(Protocol):
    """A step of the cascade."""

    name: str  # in the trace's times

    def __call__(self, page: PageState) -> None:
        """Read what earlier stages filled in, and fill in what later ones read."""
