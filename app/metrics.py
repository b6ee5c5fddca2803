"""Numbers for /metrics, in a registry of their own, so that two servers in one process never share counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.registry import Collector

_SECONDS = (0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 21, 34, 55, 90, 150, 300)


class Metrics:
    """Counters of a server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.drafts = Counter("ipl_drafts", "Drafts by how they ended", ["outcome"], registry=self.registry)
        self.first_fact_seconds = Histogram(
            "ipl_first_fact_seconds",
            "Seconds from the wish for a draft to its first fact, waiting included",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.draft_seconds = Histogram(
            "ipl_draft_seconds",
            "Seconds from the wish for a draft to its end, waiting included",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.queue_length = Gauge("ipl_queue_length", "Drafts that wait or run", registry=self.registry)
        self.published = Counter("ipl_published", "Listings published", registry=self.registry)
        self.outbox = Gauge("ipl_index_outbox", "Listings whose index entry is behind", registry=self.registry)
        self.feed_live = Gauge("ipl_feed_live", "Listings that the feed can show", registry=self.registry)
        self.feed_seconds = Histogram(
            "ipl_feed_seconds",
            "Seconds for a page of the feed, waiting included",
            buckets=(0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2, 5),
            registry=self.registry,
        )
        self.orders = Counter("ipl_orders", "Orders by how they ended", ["outcome"], registry=self.registry)
        self.requests = Counter(
            "ipl_requests", "Requests by route and status", ["route", "status"], registry=self.registry
        )
        self.errors = Counter("ipl_errors", "Errors by code", ["code"], registry=self.registry)
        self._figures: Collector | None = None

    def show(self, figures: Collector) -> None:
        """The operator's figures stand in ``/metrics`` as well, those of the app that came last."""
        if self._figures is not None:
            self.registry.unregister(self._figures)
        self.registry.register(figures)
        self._figures = figures
