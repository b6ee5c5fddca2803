"""Several real ``ipl serve`` behind nginx, which share a PostgreSQL, a Chroma server and a folder of photos."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Select, select

import rag_index
from app.store.db import engine_of
from app.store.tables import DraftRow, ListingRow, OrderRow
from benchmarks.serving.real_server import environment, served
from benchmarks.serving.stock import fill
from listing.home import ipl_home
from tests.servers import Postgres, Server, free_port

NGINX = """
daemon off; error_log {folder}/nginx.log; pid {folder}/nginx.pid; worker_processes 1;
events {{ worker_connections 2048; }}
http {{
  access_log off; client_max_body_size 50m; client_body_buffer_size 50m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream ipl {{ {servers} }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://ipl; proxy_set_header Host $http_host; proxy_buffering off; proxy_read_timeout 300s;
    }}
  }}
}}
"""


class Several:
    """What runs.

    Args:
        url: the proxy's address.
        store: the database's.
        start: starts a server by its number; (address, process id).
        count: how many there are.
    """

    def __init__(self, url: str, store: str, start: Callable[[int], tuple[str, int]], count: int) -> None:
        self.url, self._store, self._start = url, store, start
        self.pids = [start(n)[1] for n in range(count)]
        self.before = self._read(select(ListingRow.id, ListingRow.stock))

    def kill_and_start(self, number: int) -> None:
        """SIGKILL to a server, which is started again at once; returns when it says where it is."""
        os.kill(self.pids[number], signal.SIGKILL)
        self.pids[number] = self._start(number)[1]

    def wrong(self, confirmed: Mapping[str, set[str]]) -> list[str]:
        """What was confirmed and is not stored, and pieces that were lost or sold twice, one sentence a kind."""
        drafts, listings = (
            self._read(select(DraftRow.id, DraftRow.state)),
            self._read(select(ListingRow.id, ListingRow.stock)),
        )
        orders = self._read(select(OrderRow.id, OrderRow.listing_id))
        stored = {"drafts": drafts, "listings": listings, "orders": orders}
        said = [f"{len(lost)} {kind} lost" for kind, ids in confirmed.items() if (lost := ids - stored[kind].keys())]
        sold = Counter(orders.values())
        pieces = [i for i, stock in listings.items() if sold[i] + stock != self.before.get(i, 1)]
        return said + [f"{len(pieces)} listings with pieces lost or sold twice"] * bool(pieces)

    def _read(self, query: Select[Any]) -> dict[str, Any]:
        with engine_of(self._store) as engine, engine.connect() as connection:
            return dict(connection.execute(query).all())


@contextmanager
def proxied(listings: int, servers: int) -> Iterator[Several]:
    """Servers behind the proxy; requests go to one after the other."""
    program = shutil.which("nginx")
    if program is None:
        raise SystemExit("nginx is missing: install Debian's package nginx-light.")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres, chroma = Postgres(fsync=True), Server(folder / "chroma")
        stack.callback(postgres.remove)
        postgres.start()
        stack.callback(chroma.kill)
        chroma.start()
        shared = {"IPL_STORE": postgres.url(), "IPL_INDEX": chroma.url, "IPL_MEDIA": str(folder / "media")}
        encoders = rag_index.default_encoders(ipl_home())
        rag_index.build(rag_index.sample_records(encoders.info), chroma.url, encoders.info)
        fill(folder / "a", listings, seed=0, store=postgres.url())
        variables = [environment(folder / f"home{n}", **shared) for n in range(servers)]
        ports = [free_port() for _ in range(servers)]

        def start(number: int) -> tuple[str, int]:
            return stack.enter_context(served(variables[number], folder / f"log{number}", ports[number]))

        port = free_port()
        running = Several(f"http://127.0.0.1:{port}", postgres.url(), start, servers)
        names = " ".join(f"server 127.0.0.1:{own};" for own in ports)
        file = folder / "nginx.conf"
        file.write_text(NGINX.format(folder=folder, port=port, servers=names), encoding="utf-8")
        proxy = subprocess.Popen([program, "-c", str(file), "-e", str(folder / "nginx.log")])
        stack.callback(proxy.wait)
        stack.callback(proxy.terminate)
        yield running
