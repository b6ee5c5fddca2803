"""Fourteen days of a market in a minute or two: sellers publish, visitors come, models are trained and serve."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from app.demo.crowd import make_crowd
from app.demo.home import Mark
from app.demo.items import Offer, offer
from app.demo.market import Market
from app.demo.pipeline import DemoPipeline
from app.feed.log import write_log
from app.feed.phenomena import measure
from app.services import Services
from app.settings import Settings
from app.store.clock import at
from app.store.search_index import SearchIndex
from listing.home import ipl_home
from recommend.config import TrainConfig
from recommend.models.registry import model_class, model_config
from recommend.training.runs import plan, train_run

DAYS = 14
# Days after which models are trained, serving from then on: once there is enough to learn from, and again when what
# they ranked themselves has been looked at, since what the first ones promise is off by up to a factor of two.
TRAINED = (10, 12, 13)
MORNING = 6  # the hour at which a day begins: what is new then is there for the day's visitors, not by the night
LAST_HOURS = 4
SPARE = 2_000  # offers beyond those of the making, for sellers who come later
FIRST_DAY = 0.5  # share of the offers that are there from the first day on
PAGES = 0.4  # a visitor and day
FAST = 1e9  # pages a second that one visitor may ask for
MODELS = {"pre_ranking": "two_tower", "ranking": "dcn", "conversion": "esmm"}


@dataclass(frozen=True)
class Plan:
    """All that the making needs. ``say`` gets its progress, one line a step."""

    settings: Settings
    mark: Mark
    say: Callable[[str], None]

    @property
    def begin(self) -> datetime:
        """When the first day begins."""
        return datetime.fromisoformat(self.mark.begin)

    def offers(self) -> list[Offer]:
        """All that will ever be for sale."""
        return [offer(n, self.mark.seed) for n in range(self.mark.listings + SPARE)]

    def market(self, services: Services, pipeline: DemoPipeline, seed: int) -> Market:
        """Everybody on these services."""
        offers = self.offers()
        crowd = make_crowd(offers, self.mark.visitors, self.begin, self.mark.seed)
        return Market(services, pipeline, crowd, offers, np.random.default_rng([self.mark.seed, seed]))


def first_moment(days: int = DAYS) -> datetime:
    """When a demo that is made now begins: on a morning, so that the last day is at least a few hours old by now."""
    last = datetime.now(UTC) - timedelta(hours=MORNING + LAST_HOURS)
    return last.replace(hour=MORNING, minute=0, second=0, microsecond=0) - timedelta(days=days - 1)


def make(plan_: Plan, days: int = DAYS, index: SearchIndex | None = None) -> None:
    """Fill the home of the plan's settings; ``index``: of tests, in the place of its own."""
    began = time.monotonic()
    pipeline = DemoPipeline(_no_model)
    settings = plan_.settings.model_copy(update={"feed_per_second": FAST})
    if index is None:
        _index(settings, ipl_home())
    services = Services(settings, pipeline=pipeline, index=index)
    try:
        plan_.say(f"[1/4] the market is open; {time.monotonic() - began:.0f} s")
        _live_through(plan_.market(services, pipeline, 0), plan_, days)
        measure(services.store, settings.home)
    finally:
        services.close()


def _no_model() -> DemoPipeline:
    raise AssertionError("everything that is for sale in the making is annotated")


def _index(settings: Settings, usual: Path) -> None:
    """A copy of the usual home's index, so that the feed's content vectors have their usual axes; else a new one."""
    from rag_index import IndexFailure, build, default_encoders, default_location, sample_records, still_copy

    try:
        with still_copy(default_location(usual), settings.home) as still:
            if not still.startswith("http"):
                shutil.copytree(still, settings.index)
                return
    except IndexFailure:  # there is none, or a server uses it right now
        pass
    encoders = default_encoders(settings.home)
    build(sample_records(encoders.info), settings.index, encoders.info)


def _live_through(market: Market, plan_: Plan, days: int) -> None:
    """Day by day: new offers in the morning, visitors at their hours; models once there is enough to learn from."""
    began, training_s = time.monotonic(), 0.0
    rng = np.random.default_rng([plan_.mark.seed, 1])
    trained = {round(days * day / DAYS) for day in TRAINED}
    for day in range(days):
        start = plan_.begin + timedelta(days=day)
        if day in trained:
            training_s += _train(market, plan_, start, day)
        goal = round(plan_.mark.listings * (FIRST_DAY + (1 - FIRST_DAY) * day / max(days - 1, 1)))
        with market.services.outbox.held():
            for _ in range(goal - len(market.on_sale())):
                with at(start + timedelta(minutes=float(rng.uniform(0, 120)))):
                    market.sell_next()
        if day == 0:
            plan_.say(f"[2/4] the first {goal} listings are on sale; {time.monotonic() - began:.0f} s")
            began = time.monotonic()
        with at(start):
            market.services.feed.refresh()
        _day(market, rng, start)
    spent = time.monotonic() - began - training_s
    plan_.say(f"[4/4] {days} days: {market.clicks} clicks, {market.orders} orders; {spent:.0f} s")


def _train(market: Market, plan_: Plan, moment: datetime, day: int) -> float:
    """Train the models as if it were that moment; seconds that it took."""
    began = time.monotonic()
    with at(moment):
        train(market.services, plan_.mark.seed)
    spent = time.monotonic() - began
    plan_.say(f"[3/4] {', '.join(MODELS.values())} trained on {day} days, serving; {spent:.0f} s")
    return spent


def _day(market: Market, rng: np.random.Generator, start: datetime) -> None:
    """Let a day's visitors come, as far as the day has gone by now."""
    end = min(start + timedelta(days=1), datetime.now(UTC))
    with market.services.outbox.held():  # what is sold leaves the feed at once all the same
        for moment, visitor in _visits(market, rng, start):
            if moment < end:
                with at(moment):
                    market.visit(visitor)
        with at(end):
            market.hand_over()


def _visits(market: Market, rng: np.random.Generator, start: datetime) -> list[tuple[datetime, int]]:
    """(moment, visitor) of a day from ``start`` on, two hours after it at the earliest, in order."""
    visits = market.crowd.visits(rng, PAGES, start.hour, first=2)
    return [(start + timedelta(hours=after), visitor) for after, visitor in visits]


def train(services: Services, seed: int) -> None:
    """Train models of the feed's stages on the log so far, and install them."""
    with TemporaryDirectory(prefix="ipl-demo-", dir=services.settings.home) as folder:
        log = Path(folder) / "log"
        write_log(services.store, log)
        for role, name in MODELS.items():
            model = model_config(name, ["embedding=8", "mlp=[64, 32]"])
            run = plan(
                log, model, TrainConfig(batch_rows=64, learning_rate=3e-3, seed=seed), model_class(name).usual, 1
            )
            train_run(log, run, Path(folder) / name)
            services.feed.registry.install(Path(folder) / name, role)
    services.feed.refresh()
