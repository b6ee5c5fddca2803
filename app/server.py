"""One app: the seller's page, the API, health and metrics."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool

from app import api, feed_api, ops_api, promotions_api, signin
from app.logs import RequestIds, log_json
from app.services import Services, build_services
from app.settings import Settings
from app.unknown import install_unknown
from app.views import AppError
from app.web import Guard, install_errors

log = logging.getLogger(__name__)
TIDY_SECONDS = 3600.0
MODEL_SECONDS = 5.0
ROUTERS = (feed_api.v1_feed, promotions_api.v1_promotions, ops_api.ops, api.v1, api.health, signin.pages)
CATCH_UP_SECONDS = 2.0
OTHERS_SECONDS = 1.0
DESCRIPTION = (
    "Photos of one used thing in, an honest listing out. Authorization: Bearer TOKEN (python -m app.sellers token NAME "
    "makes one); in the single-user mode on this machine none is needed. Errors are "
    '{"error": {"code", "message"}}.'
)


def create_app(services: Services, *, page: bool = True) -> FastAPI:
    """The app on these services; ``page`` False leaves the seller's page out (the API alone, no Gradio)."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(keep(services)) for keep in (_tidy, _catch_up, _look_at_others, _look_for_models)]
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
    app.state.sessions = signin.Sessions(services.settings.home, services.settings.session_hours)
    app.state.tries = signin.Tries()
    app.add_middleware(Guard, settings=services.settings, metrics=services.metrics)
    install_errors(app, services.metrics)
    for router in ROUTERS:
        app.include_router(router)
    install_unknown(app, services.metrics)
    if page:
        _mount_page(app, services)
        install_unknown(app, services.metrics)
    app.add_middleware(RequestIds)  # outermost: refusals have an id as well
    return app


def _mount_page(app: FastAPI, services: Services) -> None:
    # Gradio reads this once, when it is imported: uploads in progress stay below our own home, for our eyes only.
    uploads = services.settings.home / "uploads"
    uploads.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)
    import gradio as gr

    from app import ops
    from app.seller import build_page, page_options

    def operator(request: Request) -> str | None:
        name = signin.page_user(request, app.state)
        return name if ops_api.is_operator(services, name) else None

    gr.mount_gradio_app(app, ops.build_page(services), path="/ops", auth_dependency=operator, **ops.page_options())
    sign_out = None if services.sellers.single else "/sign-out"
    app.add_middleware(signin.SignInFirst)
    blocks = build_page(services, sign_out)
    gr.mount_gradio_app(
        app, blocks, path="/", auth_dependency=lambda request: signin.page_user(request, app.state), **page_options()
    )


async def _tidy(services: Services) -> None:
    """Every hour: drafts past their retention go, and photos that were left behind."""
    while True:
        await asyncio.sleep(TIDY_SECONDS)
        try:
            await run_in_threadpool(services.publisher.retire)
            await run_in_threadpool(services.publisher.sweep)
            await run_in_threadpool(services.feed.forget_changes)
        except Exception:
            log.exception("tidying up failed; it is tried again in an hour")


async def _catch_up(services: Services) -> None:
    """Every two seconds: feed and index follow the store if they were behind; drafts that nobody writes are stopped."""
    while True:
        await asyncio.sleep(CATCH_UP_SECONDS)
        try:
            await run_in_threadpool(services.publisher.outbox.catch_up)
            await run_in_threadpool(services.publisher.stop_orphans, services.queue.names())
        except AppError as error:
            log.warning("catching up has to wait: %s", error)
        except Exception:
            log.exception("catching up failed; it is tried again in a moment")


async def _look_at_others(services: Services) -> None:
    """Every second: what another server on the same store published, sold or withdrew is in this one's feed as well."""
    while True:
        await asyncio.sleep(OTHERS_SECONDS)
        try:
            await run_in_threadpool(services.feed.catch_up)
        except AppError as error:
            log.warning("what other servers changed has to wait: %s", error)
        except Exception:
            log.exception("what other servers changed could not be taken in; it is tried again in a second")


async def _look_for_models(services: Services) -> None:
    """Every few seconds: another model in the registry serves without a restart."""
    while True:
        await asyncio.sleep(MODEL_SECONDS)
        try:
            await run_in_threadpool(services.feed.refresh)
        except AppError as error:
            log.warning("looking for promotions and posts has to wait: %s", error)
        except Exception:
            log.exception("looking for other models failed; what serves goes on")


def serve(settings: Settings) -> int:
    """Serve until interrupted or told to stop (SIGTERM); returns the exit status.

    Then no new request is taken, those under way end within ``shutdown_seconds``, and store and index are closed.
    """
    import signal
    import socket

    import uvicorn

    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        reason = f"port {settings.port} of {settings.host} cannot be used ({error.strerror})"
        print(f"ipl: {reason}; choose another with --port.", file=sys.stderr)
        return 1
    if settings.log_json:
        log_json()
    services = build_services(settings)
    port = listener.getsockname()[1]
    host = f"[{settings.host}]" if family == socket.AF_INET6 else settings.host
    app = create_app(services)
    listener.listen(2048)  # who reads this address may come at once, and waits instead of being turned away
    print(f"IPL is at http://{host}:{port}/  (Ctrl-C stops it; the API is described at /docs)", flush=True)
    # uvicorn stops in order and then raises the signal again, which would end this process before anything is closed.
    signal.signal(signal.SIGTERM, lambda number, frame: log.info("told to stop; requests under way have ended"))
    try:
        config = uvicorn.Config(
            app,
            log_level="warning",
            log_config=None if settings.log_json else uvicorn.config.LOGGING_CONFIG,
            timeout_graceful_shutdown=max(1, round(settings.shutdown_seconds)),
            proxy_headers=False,
        )
        log.info("serving", extra={"fields": {"host": settings.host, "port": port}})
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        services.close()
        log.info("closed")
    return 0
