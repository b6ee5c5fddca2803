"""``ipl serve``: the page."""

from __future__ import annotations

import argparse

from app import collecting
from app.cli.drafts.draft import add_model_options


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's options; what is not given comes from the settings (``IPL_PORT``, ``IPL_HOST``, ...)."""
    parser.add_argument("--port", type=int, help="port to listen on (default: 7860; 0 takes a free one)")
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1, this machine alone)")
    add_model_options(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    collecting.seldom()
    try:
        from app.settings import load_settings
        from app.web.server import serve

        options = {"port": args.port, "host": args.host, "model": args.model, "rag": None if args.rag else False}
        return serve(load_settings(**{name: value for name, value in options.items() if value is not None}).checked())
    finally:
        collecting.as_usual()
