"""People, goods and chance of a market, the same for all arms of a seed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property

import numpy as np

from recommend.cascade.catalog import Item
from recommend.cascade.posts import Post
from recommend.cascade.request import Moment
from recommend.config import ConfigError, nearest
from recommend.simulation.chance import normal, stream, uniform, zipf
from recommend.simulation.config import DAY_MS
from recommend.simulation.crowd import Crowd, Rates
from recommend.simulation.items import BUCKETS, CONDITIONS
from recommend.simulation.live import Offers

CONTENT = 16  # numbers of a content vector
PER_SELLER, PAGE = 20, 20  # things of a seller; places of a page
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Rules:
    """Settings of a market (``--set``); ``before``: days of the common log, ``days``: of the arms."""

    people: int = 1500
    pages: float = 0.4  # a person and day
    before: int = 30
    days: int = 30
    goods: float = 0.06  # things listed a day, for each person
    life: float = 20.0  # days until who did not sell withdraws, on average
    several: float = 0.15  # share of the things of which there is more than one
    pieces: float = 6.0  # of these, on average
    advertised: float = 0.08  # share of the things
    click: float = 0.06  # of things drawn by lot, at the top of a page
    order: float = 0.03  # of clicks on such things
    refund: float = 0.1  # of orders
    posts: int = 50
    promotion_every: int = 14  # days; 0: there are none
    promotion_days: int = 2
    learns: int = 14  # days of the log on which models are trained
    nights: int = 1  # from one training to the next

    @staticmethod
    def of(settings: list[str]) -> Rules:
        """The defaults with ``name=value`` settings."""
        rules, kinds = Rules(), {f.name: type(getattr(Rules, f.name)) for f in fields(Rules)}
        for setting in settings:
            name, _, value = setting.partition("=")
            if name not in kinds:
                raise ConfigError(f"a market has no setting '{name}'; {nearest(name, list(kinds))}")
            try:
                number = kinds[name](value)
            except ValueError as error:
                raise ConfigError(f"'{name}' must be a number, not '{value}'.") from error
            if number < 0 or (
                number == 0 and name in ("people", "pages", "before", "days", "goods", "life", "learns", "nights")
            ):
                raise ConfigError(f"'{name}' must be above 0.")
            rules = replace(rules, **{name: number})
        return rules


@dataclass(frozen=True)
class Visit:
    """A visitor looks at a page."""

    time_ms: int
    number: int
    visitor: int
    cards: int  # that come into view


@dataclass(frozen=True)
class Town:
    """A market's people and goods; days are counted from the common log's first."""

    seed: int
    rules: Rules
    _made: dict[str, object] = field(default_factory=dict, repr=False)

    @property
    def days(self) -> int:
        """All of them."""
        return self.rules.before + self.rules.days

    @cached_property
    def listed_ms(self) -> np.ndarray:
        """(n,) when each thing is listed, ascending; a first stock before all days."""
        rules, rng = self.rules, stream(self.seed, "market/listed")
        rate = rules.goods * rules.people
        first = rng.exponential(rules.life, max(round(rate * rules.life), 50))
        after = uniform(rng, round(rate * self.days)) * self.days
        return (np.sort(np.concatenate([-first, after])) * DAY_MS).astype(np.int64)

    @cached_property
    def leaves_ms(self) -> np.ndarray:
        """(n,) when each is withdrawn, if nobody bought it."""
        rng = stream(self.seed, "market/leaves")
        stay = (rng.exponential(self.rules.life, len(self.listed_ms)) + 1) * DAY_MS
        return np.maximum(self.listed_ms, 0) + stay.astype(np.int64)

    @cached_property
    def pieces(self) -> np.ndarray:
        """(n,) pieces of each."""
        n, rng = len(self.listed_ms), stream(self.seed, "market/pieces")
        more = 1 + rng.geometric(1 / max(self.rules.pieces - 1, 1), n)
        return np.where(uniform(rng, n) < self.rules.several, more, 1)

    @cached_property
    def offers(self) -> Offers:
        """What each is."""
        n, rng = len(self.listed_ms), stream(self.seed, "market/offers")
        weight = zipf(30, 0.5)
        return Offers(
            category=rng.choice(30, n, p=weight / weight.sum()),
            brand=rng.integers(0, 40, n),
            condition=rng.choice(len(CONDITIONS), n, p=CONDITIONS),
            seller=rng.integers(0, max(n // PER_SELLER, 20), n),
            price_z=normal(rng, n),
        )

    @cached_property
    def crowd(self) -> Crowd:
        """Visitors."""
        r = self.rules
        knobs = {"promotion_first": 10, "promotion_every": r.promotion_every, "promotion_days": r.promotion_days,
                 "post_rows": r.people * 0.1 / max(r.posts, 50)}  # fmt: skip
        crowd = Crowd(self.offers, r.people, 0, self.seed, Rates(r.click, r.order, r.refund), self.days,
                      knobs if r.promotion_every else None)  # fmt: skip
        crowd.listed(np.arange(len(self.listed_ms)), self.listed_ms)
        return crowd

    @cached_property
    def price(self) -> np.ndarray:
        """(n,) of each."""
        level = 3 + 0.6 * normal(stream(self.seed, "market/prices"), 30)
        return np.exp(level[self.offers.category] + 0.5 * self.offers.price_z).round(2).astype(np.float32)

    @cached_property
    def content(self) -> np.ndarray:
        """(n, CONTENT) what photos show: half of it is what tastes are about."""
        return self._shown(self.crowd.live.truth.items.vector[: len(self.listed_ms)], "market/content")

    def _shown(self, vector: np.ndarray, name: str) -> np.ndarray:
        noise = normal(stream(self.seed, name), *vector.shape) / np.float32(np.sqrt(vector.shape[1]))
        return (np.float32(np.sqrt(0.5)) * (vector + noise)).astype(np.float32)

    @cached_property
    def bid(self) -> np.ndarray:
        """(n,) for a click; 0 for what is not advertised."""
        n, rng = len(self.listed_ms), stream(self.seed, "market/bids")
        return np.where(uniform(rng, n) < self.rules.advertised, np.exp(0.5 * normal(rng, n) - 2), 0).astype(np.float32)

    def item(self, n: int, content: bool) -> Item:
        """A thing as the feed is told of it."""
        o, pieces = self.offers, int(self.pieces[n])
        bucket = int(np.clip(np.floor(BUCKETS * (0.5 + o.price_z[n] / 4)), 0, BUCKETS - 1))
        return Item(n, int(o.seller[n]), int(o.category[n]), int(o.condition[n]), float(self.price[n]), bucket, pieces,
                    pieces == 1, int(self.listed_ms[n]), self.content[n] if content else np.zeros(CONTENT),
                    float(self.bid[n]))  # fmt: skip

    @cached_property
    def posts(self) -> list[tuple[Post, int]]:
        """Posts, and when each is withdrawn."""
        p = self.crowd.live.truth.posts
        shown, most = self._shown(p.vector, "market/posts"), self.rules.posts
        return [
            (Post(n, int(p.author[n]), int(p.category[n]), int(p.topic[n]), int(p.created[n] * DAY_MS),
                  int(p.length[n]), shown[n]), int(p.leaves[n] * DAY_MS))
            for n in range(min(most, len(p.category)))
        ]  # fmt: skip

    def visits(self, day: int) -> list[Visit]:
        """A day's visits, in order."""
        rng = stream(self.seed, f"market/visits/{day}")
        planned = self.crowd.visits(rng, self.rules.pages)
        return [
            Visit(
                int((day + min(hours / 24, 0.999999)) * DAY_MS), day << 32 | n, who, self.crowd.cards_in_view(rng, 20)
            )
            for n, (hours, who) in enumerate(planned)
        ]

    def moment(self, time_ms: int) -> Moment:
        """With what the calendar says of the day."""
        calendar, day = self.crowd.live.truth.calendar, self.crowd.day(time_ms)
        return Moment(time_ms, int(calendar.promotion[day]), int(calendar.days_to[day]))

    def draw(self, what: str, visit: int, numbers: np.ndarray) -> np.ndarray:
        """(n,) uniform chance of what happens to things on a visit: equal wherever the same is asked."""
        if (key := self._made.get(what)) is None:
            key = self._made[what] = np.uint64(stream(self.seed, f"market/{what}").integers(1 << 62))
        with np.errstate(over="ignore"):
            x = (np.uint64(visit) * GOLDEN ^ key) + numbers.astype(np.uint64) * np.uint64(0xD1342543DE82EF95)  # type: ignore[operator]
            for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
                x = (x ^ x >> np.uint64(shift)) * np.uint64(factor)
            x ^= x >> np.uint64(31)
        return (x >> np.uint64(11)).astype(np.float64) / 2.0**53

    def facts(self) -> dict[str, object]:
        """What a result depends on."""
        return {"seed": self.seed, **asdict(self.rules)}
