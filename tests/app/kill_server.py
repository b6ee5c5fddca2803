"""``python tests/app/kill_server.py PORT``: the real server without the page, on the stores that IPL_* name.

Only the model is a stand-in; it looks past listings up as the real one does. ``/catalogue`` shows what the feed holds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from app import server
from app.services import Services, build_services
from app.settings import load_settings
from listing.events import Event
from listing.request import DraftRequest
from listing.retrieval import PastListings
from tests.app.small_index import open_index
from tests.fakes import FakePipeline


class Looking(FakePipeline):
    """Looks past listings up before it writes."""

    past: PastListings

    def run(self, request: DraftRequest) -> Iterator[Event]:
        self.past.find(request.photos, category=None, seller_id=request.seller_id, text="hoodie")
        yield from super().run(request)


def catalogue(services: Services) -> dict[str, dict[str, float]]:
    """What the feed has on sale: price and bid by listing."""
    feed, keys = services.feed.feed.catalog, services.feed._keys
    ids = [number for number in list(keys) if number in feed]
    rows = feed.rows(ids)
    columns = zip(ids, feed.get("price", rows), feed.get("bid", rows), strict=True)
    return {keys[n]: {"price": float(price), "bid": float(bid)} for n, price, bid in columns}


if __name__ == "__main__":
    settings = load_settings(port=int(sys.argv[1]))
    index = open_index(settings.index)
    pipeline = Looking()
    pipeline.past = index.past
    server.build_services = lambda settings: build_services(settings, pipeline=pipeline, index=index)
    server._mount_page = lambda app, services: app.add_api_route("/catalogue", lambda: catalogue(services))
    sys.exit(server.serve(settings))
