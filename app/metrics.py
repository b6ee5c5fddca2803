"""Numbers for /metrics, in a registry of their own, so that two servers in one process never share counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.registry import Collector
from rapidfuzz.distance import Levenshtein

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
        self.feed_problems = Gauge(
            "ipl_feed_problems", "Stages in which something else serves than feed.yaml names", registry=self.registry
        )
        self.feed_seconds = Histogram(
            "ipl_feed_seconds",
            "Seconds for a page of the feed, waiting included",
            buckets=(0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2, 5),
            registry=self.registry,
        )
        self.feed_stages = Histogram(
            "ipl_feed_stage_seconds",
            "Seconds of a page of the feed by stage",
            ["stage"],
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
            registry=self.registry,
        )
        self.text_distance = Histogram(
            "ipl_published_text_distance",
            "Edit distance (0 to 1) of published titles and descriptions from what was written",
            ["part"],
            buckets=(0, 0.02, 0.05, 0.1, 0.2, 0.5, 1),
            registry=self.registry,
        )
        self.facts = Counter(
            "ipl_published_facts", "Facts by what became of them", ["fact", "outcome"], registry=self.registry
        )
        self.orders = Counter("ipl_orders", "Orders by how they ended", ["outcome"], registry=self.registry)
        self.requests = Counter(
            "ipl_requests", "Requests by route and status", ["route", "status"], registry=self.registry
        )
        self.errors = Counter("ipl_errors", "Errors by code", ["code"], registry=self.registry)
        self._figures: Collector | None = None

    def count_listing(self, written: Mapping[str, Any], published: Mapping[str, Any]) -> None:
        """Count a listing, how far its texts are from what was written, and what became of each fact."""
        self.published.inc()
        for part in ("title", "description"):
            distance = Levenshtein.normalized_distance(written[part], published[part])
            self.text_distance.labels(part).observe(distance)
        stated = {a["name"]: a["value"] for a in written["attributes"] if a.get("value") is not None}
        for fact in stated.keys() | published["attributes"].keys():
            was, became = stated.get(fact), published["attributes"].get(fact)
            changed = "filled in" if was is None else "left out" if became is None else "changed"
            self.facts.labels(fact, "kept" if was == became else changed).inc()

    def show(self, figures: Collector) -> None:
        """The operator's figures stand in ``/metrics`` as well, those of the app that came last."""
        if self._figures is not None:
            self.registry.unregister(self._figures)
        self.registry.register(figures)
        self._figures = figures
