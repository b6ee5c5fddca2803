"""Fourteen days of a market in a minute or two: sellers publish, visitors come, models are trained and serve."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from app.demo.crowd import Crowd
from app.demo.home import Made
from app.demo.known import KnownThings
from app.demo.market import Market
from app.demo.things import Thing, thing
from app.feed.log import write_log
from app.feed.model_selection import measure
from app.services import Services
from app.settings import Settings
from app.store.clock import at
from app.store.search_index import SearchIndex
from listing.home import ipl_home
from recommend.config import TrainConfig
from recommend.models.registry import model_class, model_config
from recommend.simulation.truth import HOURS
from recommend.training.runs import plan, train_run

DAYS = 14
# Days after which models are trained, serving from then on: once there is enough to learn from, and again when what
# they ranked themselves has been seen, since what the first ones promise is off by up to a factor of two.
TRAINED = (10, 12, 13)
MORNING = 6  # the hour at which a day begins: what is new then is met by the day's visitors, not by the night
LAST_HOURS = 4
SPARE = 2_000  # things beyond those of the making, for sellers who come later
FIRST_DAY = 0.5  # share of the things that are there from the first day on
PAGES = 0.4  # a visitor and day
FAST = 1e9  # pages a second that one visitor may ask for
MODELS = {"pre_ranking": "two_tower", "ranking": "dcn", "conversion": "esmm"}
PHOTOS_AT_ONCE = 4


@dataclass(frozen=True)
class Plan:
    """All that the making needs. ``say`` gets its progress, one line a step."""

    settings: Settings
    made: Made
    say: Callable[[str], None]

    @property
    def begin(self) -> datetime:
        """When the first day begins."""
        return datetime.fromisoformat(self.made.begin)

    def things(self) -> list[Thing]:
        """All that will ever be for sale."""
        return [thing(n, self.made.seed) for n in range(self.made.listings + SPARE)]

    def market(self, services: Services, pipeline: KnownThings, seed: int) -> Market:
        """Everybody on these services."""
        things = self.things()
        crowd = Crowd(things, self.made.visitors, self.begin, self.made.seed)
        return Market(services, pipeline, crowd, things, np.random.default_rng([self.made.seed, seed]))


def first_moment(days: int = DAYS) -> datetime:
    """When a demo that is made now begins: on a morning, so that the last day is at least a few hours old by now."""
    last = datetime.now(UTC) - timedelta(hours=MORNING + LAST_HOURS)
    return last.replace(hour=MORNING, minute=0, second=0, microsecond=0) - timedelta(days=days - 1)


def make(plan_: Plan, days: int = DAYS, index: SearchIndex | None = None) -> None:
    """Fill the home of the plan's settings; ``index``: of tests, in the place of its own."""
    say, made = plan_.say, plan_.made
    began = time.monotonic()
    with drawn([thing(n, made.seed) for n in range(made.listings)]) as photos:
        pipeline = KnownThings(_no_model)
        settings = plan_.settings.model_copy(update={"feed_per_second": FAST})
        if index is None:
            _index(settings, ipl_home())
        services = Services(settings, pipeline=pipeline, index=index)
        try:
            say(f"[1/4] the market is open, {made.listings} things are being drawn; {time.monotonic() - began:.0f} s")
            _live_through(plan_.market(services, pipeline, 0), photos, plan_, days)
            measure(services.store, settings.home)
        finally:
            services.close()


@contextmanager
def drawn(things: Sequence[Thing]) -> Iterator[Iterator[list[bytes]]]:
    """JPEG files of the things, one after the other, drawn ahead by processes of their own."""
    from app.demo.photos.render import photos_of

    ignore = (signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends them by way of this process
    pool = ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=signal.signal, initargs=ignore)
    try:
        yield pool.map(photos_of, things, chunksize=PHOTOS_AT_ONCE)
    finally:
        pool.shutdown(cancel_futures=True)


def _no_model() -> KnownThings:
    raise AssertionError("everything that is for sale in the making is known")


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


def _live_through(market: Market, photos: Iterator[list[bytes]], plan_: Plan, days: int) -> None:
    """Day by day: new things in the morning, visitors at their hours; models once there is enough to learn from."""
    began, published = time.monotonic(), 0
    rng = np.random.default_rng([plan_.made.seed, 1])
    trained = {round(days * day / DAYS) for day in TRAINED}
    seconds = 0.0
    for day in range(days):
        start = plan_.begin + timedelta(days=day)
        end = min(start + timedelta(days=1), datetime.now(UTC))
        if day in trained:
            before = time.monotonic()
            with at(start):
                train(market.services, plan_.made.seed)
            took = time.monotonic() - before
            seconds += took
            plan_.say(f"[3/4] {', '.join(MODELS.values())} trained on {day} days, serving; {took:.0f} s")
        share = FIRST_DAY + (1 - FIRST_DAY) * day / max(days - 1, 1)
        arrivals = range(published, round(plan_.made.listings * share))
        with market.services.outbox.held():
            for n in arrivals:
                with at(start + timedelta(minutes=float(rng.uniform(0, 120)))):
                    market.sell(market.things[n], next(photos))
        published = arrivals.stop
        if day == 0:
            plan_.say(f"[2/4] the first {published} things are on sale; {time.monotonic() - began:.0f} s")
            began = time.monotonic()
        with at(start):
            market.services.feed.refresh()
        with market.services.outbox.held():  # what is sold leaves the feed at once all the same
            for moment, visitor in _visits(market, rng, start):
                if moment < end:
                    with at(moment):
                        market.visit(visitor)
            with at(end):
                market.hand_over()
    spent = time.monotonic() - began - seconds
    plan_.say(f"[4/4] {days} days: {market.clicks} clicks, {market.orders} orders; {spent:.0f} s")


def _visits(market: Market, rng: np.random.Generator, start: datetime) -> list[tuple[datetime, int]]:
    """(moment, visitor) of a day from ``start`` on, two hours after it at the earliest, in order."""
    count = rng.poisson(PAGES * market.crowd.visitors)
    hours = (start.hour + np.arange(24)) % 24
    chance = HOURS[hours] * (np.arange(24) >= 2)
    after = rng.choice(24, count, p=chance / chance.sum()) + rng.random(count)
    who = rng.choice(market.crowd.visitors, count, p=market.crowd.activity)
    return sorted((start + timedelta(hours=float(h)), int(v)) for h, v in zip(after, who, strict=True))


def train(services: Services, seed: int) -> None:
    """Models of the feed's stages, trained on what was seen so far, and installed."""
    with TemporaryDirectory(prefix="ipl-demo-", dir=services.settings.home) as folder:
        log = Path(folder) / "log"
        write_log(services.store, log)
        for role, name in MODELS.items():
            model = model_config(name, ["embedding=8", "mlp=[64, 32]"])
            run = plan(
                log, model, TrainConfig(batch_rows=64, learning_rate=3e-3, seed=seed), model_class(name).usual, 1
            )
            train_run(log, run, Path(folder) / name)
            moment = services.feed.moment().time_ms / 1000
            services.feed.registry.install(Path(folder) / name, role, facts={"installed": moment})
    services.feed.refresh()
