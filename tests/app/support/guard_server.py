"""``python guard_server.py [page]``: the real server with a model of the tests; IPL_* are its settings."""

from __future__ import annotations

import sys

from app.services import Services
from app.settings import load_settings
from app.web import server
from tests.fakes import FakeIndex, FakePipeline

if __name__ == "__main__":
    server.Services = lambda settings: Services(settings, pipeline=FakePipeline(), index=FakeIndex())
    if "page" not in sys.argv:
        server.mount_page = lambda app, services: None  # the API alone: Gradio takes seconds to start
    sys.exit(server.serve(load_settings()))
