"""``python slow_server.py HOME SECONDS``: a real server whose fake pipeline waits before every event.

``IPL_*`` are its settings, apart from home and port; BODY_MB is the limit on bodies, PATIENCE for how many
seconds bytes are waited for.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from app.services import Services
from app.settings import load_settings
from app.web import connections, request_body, request_guard, server
from tests.fakes import FakeIndex, FakePipeline


def main(home: str, seconds: str | float) -> None:
    """Serve until told to stop."""
    request_guard.BODY_MB = float(os.environ.get("BODY_MB", request_guard.BODY_MB))
    patience = float(os.environ.get("PATIENCE", connections.HEADER_SECONDS))
    connections.HEADER_SECONDS = request_body.SILENCE_SECONDS = patience
    pipeline = FakePipeline(delay=float(seconds))
    server.Services = lambda settings: Services(settings, pipeline=pipeline, index=FakeIndex())
    server.mount_page = lambda app, services: None  # the API alone: Gradio takes seconds to start
    sys.exit(server.serve(load_settings(home=Path(home), port=0)))


if __name__ == "__main__":
    main(*sys.argv[1:])
