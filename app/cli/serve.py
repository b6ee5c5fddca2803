"""``ipl serve``: the page. ``ipl demo``: a marketplace that fills itself."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from app import collecting
from app.cli import number
from app.cli.drafts.draft import add_model_options
from listing.errors import PROGRAM

if TYPE_CHECKING:
    from app.demo.home import Mark
    from app.settings import Settings

LISTINGS, VISITORS, SEED = 54, 200, 0  # of the demo: as many listings as photos


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's options; what is not given comes from the settings (``IPL_PORT``, ``IPL_HOST``, ...)."""
    parser.add_argument("--port", type=int, help="port to listen on (default: 7860; 0 takes a free one)")
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1, this machine alone)")
    add_model_options(parser)


def check(args: argparse.Namespace) -> None:
    """Look at the settings and the shop, and whether the port is free."""
    from app.web.server import listen
    from listing.shops.shop import Shop

    listen(_settings(args)).close()
    if args.shop:
        _ = Shop(Path(args.shop).expanduser()).current


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    collecting.seldom()
    try:
        from app.web.server import serve

        return serve(_settings(args))
    finally:
        collecting.as_usual()


def _settings(args: argparse.Namespace) -> Settings:
    from app.settings import load_settings

    options = {"port": args.port, "host": args.host, "model": args.model, "rag": None if args.rag else False}
    return load_settings(**{name: value for name, value in options.items() if value is not None}).checked()


def register_demo(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ipl demo``."""
    parser.add_argument("--home", type=Path, metavar="DIR", help="its folder (default: demo in IPL_HOME)")
    parser.add_argument("--port", type=int, help="port to listen on (default: 7860; 0 takes a free one)")
    parser.add_argument(
        "--visitors", type=number(int, 0, 1000), default=0, metavar="N", help="how many keep coming (default: 0)"
    )
    parser.add_argument(
        "--listings", type=number(int, 24, 5000), default=LISTINGS, metavar="N", help="of a new one (default: 54)"
    )
    parser.add_argument("--days", type=number(int, 2, 14), default=14, metavar="N", help="of a new one (default: 14)")
    parser.add_argument("--seed", type=number(int, 0), default=SEED, metavar="S", help="of a new one (default: 0)")
    parser.add_argument("--clean", action="store_true", help="delete the demo, and nothing else")


def run_demo(args: argparse.Namespace) -> int:
    """Make what is not there, then serve until interrupted."""
    from app.demo import home
    from app.settings import load_settings
    from listing.home import ipl_home

    folder = (args.home or ipl_home() / "demo").expanduser().resolve()
    if args.clean:
        print(f"{folder} is deleted" if home.clean(folder) else f"there is no demo in {folder}")
        return 0
    fixed = {"home": folder, "store": "", "index": str(folder / "index"), "media": None}
    fixed |= {"notice_webhook": ""}  # what is invented wakes nobody
    os.environ.pop("IPL_PASSWORDS", None)  # an older version's accounts are not the demo's
    settings = load_settings(**fixed, **({} if args.port is None else {"port": args.port})).checked()
    return _serve_demo(args, settings)


def _serve_demo(args: argparse.Namespace, settings: Settings) -> int:
    import time
    from contextlib import ExitStack

    from app.demo import make
    from app.demo.live import living
    from app.demo.pipeline import DemoPipeline
    from app.services import Services
    from app.setup.prepare import prepare
    from app.setup.steps import say
    from app.store.home_lock import only_user
    from app.web.server import listen, serve_on
    from listing.home import private_files
    from listing.pipeline import build_pipeline

    began = time.monotonic()
    with private_files(), listen(settings) as listener:
        prepare()
        mark = _mark(args, settings)
        with only_user(settings.home), ExitStack() as stack:
            pipeline = DemoPipeline(
                lambda: build_pipeline(
                    settings.model, settings.rag, settings.home, getattr(services.index, "past", None)
                )
            )
            services = Services(settings, pipeline=pipeline)
            stack.callback(services.close)
            market = make.Plan(settings, mark, say).market(services, pipeline, int(time.time()))
            market.restore()
            say(f"ready after {time.monotonic() - began:.0f} s: /feed for buyers, / for sellers, /ops for operators")
            stack.enter_context(living(market, args.visitors, mark.listings))
            return serve_on(listener, services)


def _mark(args: argparse.Namespace, settings: Settings) -> Mark:
    """The demo of the folder, made if it is not there or was not finished."""
    from dataclasses import replace

    from app.demo import home, make
    from app.setup.steps import say
    from app.store.home_lock import only_user
    from listing.home import ipl_home

    folder = settings.home
    mark = home.read(folder)
    if mark is not None and mark.ready:
        return mark
    if mark is not None:
        say("the demo was not finished; it is made anew")
        home.clean(folder)
    mark = home.Mark(args.seed, args.listings, VISITORS, make.first_moment(args.days).isoformat())
    say(f"the demo goes into {folder}; '{PROGRAM} demo --clean' deletes it")
    home.begin(folder, mark, ipl_home())
    with only_user(folder):
        make.make(make.Plan(settings, mark, say), args.days)
    mark = replace(mark, ready=True)
    home.write(folder, mark)
    return mark
