"""One app: the seller's page, the API, health and metrics."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool

from app import collecting
from app.accounts.authentication import page_user
from app.accounts.login_attempts import Tries
from app.accounts.sessions import Sessions
from app.buyer import feed_page, listing_page, order_page, purchases, seller_page
from app.buyer import page as buyer_page
from app.logs import RequestIds, log_json
from app.ops import api as ops_api
from app.ops import page as ops_page
from app.ops.checks import Reports
from app.ops.collector import SECONDS as FIGURES_SECONDS
from app.ops.collector import OpsCollector
from app.services import Services
from app.settings import Settings
from app.store.backup.archive import tidy
from app.store.backup.photo_files import note_hashes
from app.store.deletions import empty_uploads
from app.store.home_lock import only_user
from app.views import AppError
from app.web import api, feed_api, sign_in
from app.web.errors import install_errors
from app.web.request_guard import Guard
from listing.errors import PROGRAM, IplError
from listing.home import private_files

log = logging.getLogger(__name__)
FIRST_TIDY_SECONDS, TIDY_SECONDS, DAY_SECONDS = 60.0, 3600.0, 86_400.0
FIRST_LOOK_SECONDS = 5.0
MODEL_SECONDS = 5.0
ROUTERS = (
    feed_api.v1_feed,
    ops_api.v1,
    ops_api.ops,
    ops_page.pages,
    api.v1,
    api.health,
    sign_in.pages,
    buyer_page.pages,
    feed_page.pages,
    listing_page.pages,
    purchases.pages,
    order_page.pages,
    seller_page.pages,
)
UPLOADS_OF_ALL = 8  # times what one seller may have unclaimed
CATCH_UP_SECONDS = 2.0
OTHERS_SECONDS = 1.0
SWITCH_SECONDS = 0.001  # until a thread that computes lets another go on, such as the one that answers
DESCRIPTION = (
    f"Photos of one used item in, an honest listing out. Authorization: Bearer TOKEN ({PROGRAM} accounts token NAME "
    "makes one); in the single-user mode on this machine none is needed. Errors are "
    '{"error": {"code", "message"}}.'
)


def create_app(services: Services, *, page: bool = True) -> FastAPI:
    """The app on these services; ``page`` False leaves the seller's page out (the API alone, no Gradio)."""
    reports = Reports(services)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watching = Keeper({"making the figures for /metrics": reports.get}, FIGURES_SECONDS, FIRST_LOOK_SECONDS)
        if services.late:
            services.late.start()
        tasks = [asyncio.create_task(keeper.run()) for keeper in (*keepers(services), watching)]
        yield
        for task in tasks:
            task.cancel()

    app = FastAPI(
        title="IPL",
        version="1",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.services = services
    app.state.reports = reports
    services.metrics.show(OpsCollector(reports))
    app.state.sellers = services.sellers
    app.state.sessions = Sessions(services.settings.home, services.settings.session_hours, services.sellers)
    app.state.tries = Tries()
    app.add_middleware(Guard, settings=services.settings, metrics=services.metrics, state=app.state)
    for router in ROUTERS:  # its routes themselves: copies of them would cost each app .3 s
        app.router.routes.extend(router.routes)
    install_errors(app, services.metrics)
    if page:
        mount_page(app, services)
    app.add_middleware(RequestIds)  # outermost: refusals have an id as well
    return app


def mount_page(app: FastAPI, services: Services) -> None:
    """Mount the seller's page; imports Gradio."""
    # Gradio reads this once, when it is imported: uploads in progress stay below our own home, for our eyes only.
    uploads = services.deletions.uploads
    empty_uploads(uploads)
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)
    import gradio as gr

    from app.seller.page import SellerPage
    from app.theme import page_options
    from app.web.page_guard import add_page_guard
    from app.web.uploads import Uploads

    def seller(request: Request) -> str | None:
        return page_user(request, app.state)

    page = SellerPage(services, None if services.sellers.single else "/sign-out").blocks
    options = page_options("seller")
    gr.mount_gradio_app(app, page, path="/", auth_dependency=seller, **options)
    each = int(services.settings.uploads_mb * 1e6)
    add_page_guard(app, Uploads(uploads, each, UPLOADS_OF_ALL * each))


@dataclass(frozen=True)
class Keeper:
    """Work that a server repeats by the clock, in a thread, by its names; what fails is tried again the next time."""

    works: Mapping[str, Callable[[], object]]
    seconds: float
    first_seconds: float | None = None

    async def run(self) -> None:
        """Until it is cancelled."""
        pause = self.seconds if self.first_seconds is None else min(self.first_seconds, self.seconds)
        while True:
            await asyncio.sleep(pause)
            pause = self.seconds
            for name, work in self.works.items():
                try:
                    await run_in_threadpool(work)
                except AppError as error:
                    log.warning("%s has to wait: %s", name, error)
                except Exception:
                    log.exception("%s failed; it is tried again in %.0f s", name, pause)


def keepers(services: Services) -> list[Keeper]:
    """Jobs that keep feed, index and disk in step with the store, whatever died or was away in between."""
    house = services.housekeeping
    soon = {
        "stopping orphaned drafts": lambda: house.stop_orphans(services.queue.names()),
        "deleting files": services.deletions.catch_up,
    }
    hourly = {
        "retiring old drafts": house.retire,
        "sweeping photos": house.sweep,
        "forgetting changes": house.forget_changes,
        "forgetting behaviour": house.forget,
        "compacting the store": services.deletions.compact,
        "noting photos' hashes": lambda: note_hashes(services.store, services.media),
        "rebuilding the index": lambda: services.index.rebuild(nightly=True),
    }
    return [
        Keeper({"catching up": services.outbox.catch_up}, CATCH_UP_SECONDS),
        Keeper(soon, CATCH_UP_SECONDS),
        Keeper({"sending notices": services.notices.send}, CATCH_UP_SECONDS),
        Keeper({"following other servers": services.feed.catch_up}, OTHERS_SECONDS),
        Keeper({"looking for models and posts": services.feed.refresh}, MODEL_SECONDS),
        Keeper({"moving the model's weights": services.hearing.move}, DAY_SECONDS, FIRST_TIDY_SECONDS),
        Keeper(hourly, TIDY_SECONDS, FIRST_TIDY_SECONDS),
    ]


class NoPort(IplError):
    """The port cannot be listened on."""

    code = "no_port"


def serve(settings: Settings) -> int:
    """Serve until interrupted or told to stop (SIGTERM); returns the exit status.

    Then no new request is taken, those under way end within ``shutdown_seconds``, and store and index are closed.
    """
    with private_files(), only_user(settings.home):
        tidy(settings.home)
        with listen(settings) as listener:
            services = Services(settings)
            try:
                status = serve_on(listener, services)
            finally:
                services.close()
                log.info("closed")
            if services.late and services.late.failure:
                raise services.late.failure
            return status


def listen(settings: Settings) -> socket.socket:
    """A socket bound to the port; ``serve_on`` listens at it.

    Raises:
        NoPort: somebody listens there already, or the address is not ours.
    """
    listener = socket.socket(_family(settings))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise _no_port(settings.host, settings.port, error) from error
    return listener


def _no_port(host: str, port: int, error: OSError) -> NoPort:
    return NoPort(f"port {port} of {host} cannot be used ({error.strerror}); choose another with --port.")


def _family(settings: Settings) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in settings.host else socket.AF_INET


def serve_on(listener: socket.socket, services: Services) -> int:
    """Answer at the port of ``listen`` until told to stop; the services are the caller's to close. See ``serve``.

    Raises:
        NoPort: somebody else has begun to listen there since.
    """
    import signal

    import uvicorn

    from app.web.connections import bounded

    settings = services.settings
    if settings.log_json:
        log_json()
    port = listener.getsockname()[1]
    host = f"[{settings.host}]" if _family(settings) == socket.AF_INET6 else settings.host
    app = create_app(services)
    try:
        listener.listen(2048)  # who reads this address may come at once, and waits instead of being turned away
    except OSError as error:  # on Linux two can bind to a port of which nobody listens
        raise _no_port(settings.host, port, error) from error
    config = uvicorn.Config(
        app,
        http=bounded(settings.connections, settings.connections_per_address),
        ws="none",
        log_level="warning",
        log_config=None if settings.log_json else uvicorn.config.LOGGING_CONFIG,
        timeout_graceful_shutdown=max(1, round(settings.shutdown_seconds)),
        proxy_headers=False,
    )
    log.info("serving", extra={"fields": {"host": settings.host, "port": port}})
    server = uvicorn.Server(config)

    def stop(number: int, frame: object) -> None:
        """SIGTERM before uvicorn listens for it, and the one that it raises again when it has stopped in order.

        By itself that would end this process before anything is closed.
        """
        server.should_exit = True
        log.info("told to stop; requests under way have ended")

    signal.signal(signal.SIGTERM, stop)
    gc.freeze()  # what a server is made of stays
    sys.setswitchinterval(SWITCH_SECONDS)
    collecting.as_usual()
    print(f"IPL is at http://{host}:{port}/  (Ctrl-C stops it; the API is described at /docs)", flush=True)
    server.run(sockets=[listener])
    return 0
