"""``ipl docs``: the documentation as a site, with the reference of the HTTP API and of the Python modules."""

from __future__ import annotations

import argparse
import functools
import http.server
import os
import subprocess
import sys
from pathlib import Path

from app.cli import CommandError

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "out" / "docs"


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--out", type=Path, default=SITE, metavar="DIR", help="folder of the site (default: out/docs)")
    parser.add_argument("--serve", action="store_true", help="then show it on this machine, until Ctrl-C")
    parser.add_argument("--port", type=int, default=8001, help="port of --serve (default: 8001; 0 takes a free one)")


def run(args: argparse.Namespace) -> int:
    """Build; every link that leads nowhere is an error."""
    out = args.out.resolve()
    build(out)
    print(f"The site is in {out}; open {out / 'index.html'}, or ./ipl docs --serve (the search needs that).")
    return serve(out, args.port) if args.serve else 0


def build(out: Path, root: Path = ROOT) -> None:
    """Build the site of the copy at ``root`` into a folder.

    Raises:
        CommandError: the site's packages are missing, or a page or link is not whole; its log is on stderr.
    """
    # NO_MKDOCS_2_WARNING: the theme's advertisement of what comes after it.
    # No --quiet: it would hide the warnings from --strict.
    environment = {**os.environ, "PYTHONPATH": str(root), "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if "No module named mkdocs" in done.stderr:
        raise CommandError("the packages of the site are missing: pip install -r requirements-docs.txt.")
    if done.returncode != 0:
        print(done.stderr, file=sys.stderr)
        raise CommandError("the site could not be built; what is wrong stands above.")


def serve(folder: Path, port: int) -> int:
    """Show a folder on loopback until interrupted."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise CommandError(f"port {port} cannot be used ({error.strerror}); choose another with --port.") from error
    with server:
        print(f"The site is at http://127.0.0.1:{server.server_port}/  (Ctrl-C stops it)", flush=True)
        server.serve_forever()
    return 0
