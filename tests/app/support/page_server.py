"""The whole app in a real server on a free port, for browser tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.services import Services

PASSWORD = "correct horse"
SLOW_MACHINE = 60_000
CHROMIUM_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@contextmanager
def served(services: Services, *, page: bool = True) -> Iterator[str]:
    """Serve until the block ends; yields the page's address. ``page`` False: the API alone, without Gradio."""
    import uvicorn

    from app.web.server import create_app

    config = uvicorn.Config(create_app(services, page=page), host="127.0.0.1", port=0, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the server did not start")
        thread.join(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(2)
        server.force_exit = True  # a page that is still open keeps its connection
        thread.join(10)
