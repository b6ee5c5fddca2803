"""The page: organic things, ads in their places, and a stated share of places for things that nobody has seen yet.

Most things here are single pieces that live for days. Ranked by predicted clicks alone, a new one may never be shown
before it is stale; the exploration share gives each its first impressions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

AD_SLOTS = (2, 7)  # 0-based places of the ads on a page
TIER = 5  # impressions


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
class Place:
    """A place on the page: the candidate's place among the ranked ones, and why it stands here."""

    candidate: int
    reason: str  # ranked | exploration | ad


def mix(
    score: np.ndarray,
    impressions: np.ndarray,
    new: np.ndarray,
    seller: np.ndarray,
    ads: Sequence[int],
    size: int,
    rules: Exposure,
    rng: np.random.Generator,
    beyond: np.ndarray | None = None,
) -> list[Place]:
    """Fill a page.

    Args:
        score: (n,) value of each ranked candidate.
        impressions: (n,) of each so far: what explores is taken from the least shown, in tiers of ``TIER``, best first.
        new: (n,) which are new by the rules.
        seller: (n,) their sellers.
        ads: places among the candidates of the ads that won, best first; none of them stands on the page twice.
        size: places of the page.
        rng: decides how many places explore when the share is no whole number of places, and where they stand.
        beyond: (n,) which are here for exploration alone (``Exposure.beyond``); None: none is.

    Returns:
        At most ``size`` places, in order.
    """
    slots = [slot for slot, _ in zip((s for s in AD_SLOTS if s < size), ads, strict=False)]
    organic = size - len(slots)
    taken = set(ads[: len(slots)])
    order = [int(i) for i in np.argsort(-score, kind="stable") if i not in taken]
    exploring = _whole(rules.share * organic, rng)
    count: dict[int, int] = {}

    def choose(among: list[int], most: int, chosen: list[int]) -> list[int]:
        picked: list[int] = []
        for i in among:
            if len(picked) == most:
                break
            if i not in chosen and count.get(int(seller[i]), 0) < rules.per_seller:
                count[int(seller[i])] = count.get(int(seller[i]), 0) + 1
                picked.append(i)
        return picked

    least = sorted((i for i in order if new[i]), key=lambda i: int(impressions[i]) // TIER)
    far = [i for i in least if beyond is not None and beyond[i]]
    kept = _whole(rules.beyond * exploring, rng) if far else 0
    fresh = choose(far, kept, [])
    fresh += choose([i for i in least if i not in far], exploring - len(fresh), [])
    fresh += choose(far, exploring - len(fresh), fresh)  # where sources found too few new things
    best = choose(order, organic - len(fresh), fresh)
    if len(best) + len(fresh) < organic:  # too few sellers: better a full page than a rule
        best += [i for i in order if i not in best and i not in fresh][: organic - len(fresh) - len(best)]
    page = [Place(i, "ranked") for i in best]
    for i in fresh:
        page.insert(int(rng.integers(0, len(page) + 1)), Place(i, "exploration"))
    for slot, ad in zip(slots, ads, strict=False):
        page.insert(min(slot, len(page)), Place(int(ad), "ad"))
    return page[:size]


def _whole(places: float, rng: np.random.Generator) -> int:
    """A whole number whose mean is ``places``."""
    return int(places) + int(rng.random() < places - int(places))
