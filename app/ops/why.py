"""Why something stands where it does, in sentences made of the trace: the stage, the score beside the cut, and the
features that moved it most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.feed.items import CONDITIONS
from app.seller.words import counted
from recommend.cascade.explain import Fate, Move

SOURCES = {
    "new": "new",
    "content": "like what the visitor clicked",
    "category": "of a category that the visitor clicked",
    "popular": "popular",
    "unseen": "not yet seen",
}
MAX_FEATURES = 3  # features of a sentence


@dataclass(frozen=True)
class Facts:
    """What of a listing is named in a sentence."""

    category: str
    price: float
    condition: int
    age_h: float
    impressions: int = 0
    clicks: int = 0
    bid: float = 0.0

    def feature(self, name: str) -> str:
        """A feature with its value."""
        grade = CONDITIONS[min(self.condition, len(CONDITIONS) - 1)]
        return {
            "price": f"its price ({self.price:.2f})",
            "category": f"its category ({self.category or 'unknown'})",
            "seller": "its seller",
            "condition": f"its condition ({grade})",
            "photos": "what its photos show",
            "age": f"its age ({hours(self.age_h)})",
            "pieces": "how many pieces there are",
            "listing": "how this very listing did so far",
            "past": "what is known of this visitor",
        }[name]


def why(fate: Fate, moves: Sequence[Move], facts: Facts, ranking: str | None) -> str:
    """Why it stands, or falls. ``ranking``: the name of the model that ranked, None for popularity."""
    if not fate.on_sale:
        return "It is not on sale, so that no page can show it."
    if fate.pre_place is None:
        return "No source found it: it is neither new enough, nor like what the visitor clicked, nor popular."
    sources = f"found as {_and([SOURCES.get(s, s) for s in fate.sources])}"
    before = f"pre-ranked {ordinal(fate.pre_place)} of {fate.candidates:,}"
    if fate.rank is None and fate.sources == ("unseen",):
        return f"It was not ranked, since the places for what nobody has seen were taken: {sources}, {before}."
    if fate.rank is None:
        score = _against(fate.pre_score, fate.pre_cut, "a score of ")
        return f"It was not ranked: {score} of pre-ranking. It was {sources}, {before}."
    way = f"It was {sources}, {before}, ranked {ordinal(fate.rank)} of {fate.ranked:,}."
    return f"{_outcome(fate, facts)} {features(moves, facts, ranking)} {way}"


def _outcome(fate: Fate, facts: Facts) -> str:
    """What came of it on the page."""
    rate, place = _rate(fate.pctr, fate.score, fate.cut), ordinal(fate.position or 0)
    if fate.reason == "exploration":
        impressions = counted(facts.impressions, "impression")
        return f"Stands {place} to be learned about ({impressions} so far), whatever its score: {rate}."
    if fate.reason == "ad":
        return f"Stands {place} as an ad: its seller bids {facts.bid:.2f} a click; {rate}."
    if fate.position is not None:
        return f"Stands {place} by its rank: {rate}."
    return f"It fell ({fate.reason.removeprefix('fell: ')}): {rate}."


def in_brief(fate: Fate, moves: Sequence[Move], facts: Facts, ranking: str | None) -> str:
    """The one reason that put it there, in some words."""
    if fate.position is None:
        return (fate.reason or "not ranked").removeprefix("fell: ")
    if fate.reason == "ad":
        return f"an ad: {facts.bid:.2f} a click"
    if fate.reason == "exploration":
        return f"to be learned about: {counted(facts.impressions, 'impression')} so far"
    if ranking is None:
        return f"popular: {counted(facts.clicks, 'click')} of {counted(facts.impressions, 'impression')}"
    up = next((m for m in moves if m.factor > 1), None)
    return (
        f"raised most by {facts.feature(up.feature)}, ×{up.factor:.2f}"
        if up
        else "nothing raises it over the others of the page"
    )


def features(moves: Sequence[Move], facts: Facts, ranking: str | None) -> str:
    """Which features moved the score most."""
    if ranking is None:
        counts = f"{counted(facts.clicks, 'click')} of {counted(facts.impressions, 'impression')}"
        return f"No model ranks: it goes by {counts}, drawn to the mean."
    strongest = moves[:MAX_FEATURES]
    if not strongest:
        return f"To {ranking} it is like the others of the page in everything."
    up = [f"{facts.feature(m.feature)} (×{m.factor:.2f})" for m in strongest if m.factor > 1]
    down = [f"{facts.feature(m.feature)} (×{m.factor:.2f})" for m in strongest if m.factor < 1]
    parts = [f"{verb} by {_and(names)}" for verb, names in (("raised", up), ("lowered", down)) if names]
    return f"It is {', and '.join(parts)}."


def on_a_past_page(scores: Mapping[str, float | None], reason: str, place: int, cut: float | None) -> str:
    """Of a row that was written down: where it stood, and its score beside the cut."""
    rank = scores.get("rank")
    ranked = f", ranked {ordinal(int(rank))}" if rank is not None else ""
    kind = {"ad": " as an ad", "exploration": " to be learned about"}.get(reason, "")
    return f"Stood {ordinal(place)}{kind}{ranked}: {_rate(scores.get('pctr'), scores.get('score'), cut)}."


def ordinal(place: int) -> str:
    """A place that counts from 0, for people."""
    n = place + 1
    end = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n:,}{end}"


def hours(value: float) -> str:
    """A stretch of hours for people."""
    if value < 2:
        return f"{60 * value:.0f} minutes"
    return f"{value:.1f} hours" if value < 48 else f"{value / 24:.1f} days"


def _rate(pctr: float | None, score: float | None, cut: float | None) -> str:
    """The predicted click rate, and the score beside the cut; they are the same where orders do not count."""
    if pctr is None or score is None or abs(score - pctr) < 1e-9:
        return _against(pctr, cut, "a predicted click rate of ")
    return f"a predicted click rate of {_small(pctr)}, {_against(score, cut, 'with orders a score of ')}"


def _against(value: float | None, cut: float | None, name: str) -> str:
    if value is None:
        return "without a score"
    return f"{name}{_small(value)}" + (f" against {_small(cut)} at the cut" if cut is not None else "")


def _small(value: float) -> str:
    """A probability as people write small ones: .004."""
    return f"{value:.3g}".replace("0.", ".", 1) if 0 < value < 1 else f"{value:.3g}"


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "by nothing"
