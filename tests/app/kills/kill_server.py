"""A real server, without the page unless PAGES is set, on the port and the stores that IPL_* name (run as a program).

For each line on stdin a new one is started, in a process that is forked from this one before anything was opened: what
takes long at a start are the imports. A line may hold variables for it, as JSON. Its id is printed. Only the model is a
stand-in; it looks past listings up as the real one does, and takes its time where the note says "slowly", and ends
no draft while the file HOLD is there.
``/catalogue`` shows what the feed holds.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator

import alembic.command  # noqa: F401  # the server imports these when it starts
import chromadb  # noqa: F401
import psycopg  # noqa: F401
import uvicorn  # noqa: F401

from app.services import Services
from app.settings import load_settings
from app.web import server
from listing.observe.past_listings import PastListings
from listing.request import DraftRequest, Event
from tests.app.support.small_index import open_index
from tests.fakes import FakePipeline


class Looking(FakePipeline):
    """Looks past listings up before it writes."""

    past: PastListings

    def run(self, request: DraftRequest) -> Iterator[Event]:
        self.past.find(request.photos, category=None, seller_id=request.seller_id)
        for event in super().run(request):
            time.sleep(0.02 if "slowly" in request.note else 0)
            while event.kind == "draft" and os.path.exists(os.environ.get("HOLD", "")):
                time.sleep(0.02)
            yield event


def catalogue(services: Services) -> dict[str, dict[str, float]]:
    """What the feed has on sale: price and bid by listing."""
    feed, keys = services.feed.feed.catalog, services.feed.listings.live()
    ids = list(keys)
    rows = feed.rows(ids)
    columns = zip(ids, feed.get("price", rows), feed.get("bid", rows), strict=True)
    return {keys[n]: {"price": float(price), "bid": float(bid)} for n, price, bid in columns}


def serve() -> int:
    """Serve on the port and the stores of the environment."""
    settings = load_settings()
    index = open_index(settings.index)
    pipeline = Looking(marked=bool(os.environ.get("PAGES")))
    pipeline.past = index.past
    server.Services = lambda settings: Services(settings, pipeline=pipeline, index=index)
    if not os.environ.get("PAGES"):
        server.mount_page = lambda app, services: app.add_api_route("/catalogue", lambda: catalogue(services))
    return server.serve(settings)


def main() -> None:
    """A server for each line on stdin, until that is closed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever was killed is gone at once
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # stdout is for the ids
            os.environ.update(json.loads(line.strip() or "{}"))
            os._exit(serve())
        print(child, flush=True)


if __name__ == "__main__":
    main()
