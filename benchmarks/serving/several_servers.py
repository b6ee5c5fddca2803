"""Several real ``ipl serve`` behind nginx, which share a PostgreSQL, a Chroma server and a folder of photos."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import rag_index
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


@contextmanager
def proxied(listings: int, servers: int) -> Iterator[tuple[str, list[int]]]:
    """(the proxy's address, process ids of the servers); requests go to one server after the other."""
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
        running = [
            stack.enter_context(served(environment(folder / f"home{n}", **shared), folder / f"log{n}"))
            for n in range(servers)
        ]
        port = free_port()
        names = " ".join(f"server {url.removeprefix('http://')};" for url, _ in running)
        file = folder / "nginx.conf"
        file.write_text(NGINX.format(folder=folder, port=port, servers=names), encoding="utf-8")
        proxy = subprocess.Popen([program, "-c", str(file), "-e", str(folder / "nginx.log")])
        stack.callback(proxy.wait)
        stack.callback(proxy.terminate)
        yield f"http://127.0.0.1:{port}", [pid for _, pid in running]
