"""``python slow_server.py HOME SECONDS``: a real server whose fake pipeline waits before every event."""

from __future__ import annotations

import sys
from pathlib import Path

from app.services import Services
from app.settings import Settings
from app.web import server
from tests.fakes import FakeIndex, FakePipeline

if __name__ == "__main__":
    pipeline = FakePipeline(delay=float(sys.argv[2]))
    server.Services = lambda settings: Services(settings, pipeline=pipeline, index=FakeIndex())
    server.mount_page = lambda app, services: None  # the API alone: Gradio takes seconds to start
    sys.exit(server.serve(Settings(home=Path(sys.argv[1]), port=0, log_json=True, shutdown_seconds=20)))
