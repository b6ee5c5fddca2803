"""The seller's page in a real server on a free port, for browser tests and screenshots."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.services import Services

CHROMIUM_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@contextmanager
def served(services: Services) -> Iterator[str]:
    """Serve until the block ends; yields the page's address. Everyone is the one seller, or who ``?as=`` names."""
    import uvicorn
    from fastapi import FastAPI, Request

    from app.seller import build_page, page_options

    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("GRADIO_TEMP_DIR", tempfile.mkdtemp(prefix="ipl-uploads-"))
    from gradio import mount_gradio_app

    def who(request: Request) -> str:
        return request.headers.get("x-seller") or "me"

    app = mount_gradio_app(FastAPI(), build_page(services), path="/", auth_dependency=who, **page_options())
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
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
        thread.join(10)
