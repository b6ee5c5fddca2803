"""Services on a fresh store with a pipeline and an index of the tests' own.

Tests with the marker ``stores`` run on PostgreSQL with a Chroma server, and with ``both=True`` (else in a run with
``--nightly``) on SQLite with an embedded Chroma. All others run on SQLite with an index in memory.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.services import Services
from app.settings import Settings
from app.setup.external_tools import find_chromium, find_postgres
from app.store.db import open_store
from listing.intake.photos import Photo, intake
from tests.app.support.backends import Backend, Databases, on_files, on_servers
from tests.app.support.clients import People, add_accounts, client_of
from tests.app.support.local_servers import CHROMIUM_ARGS, SLOW_MACHINE, served
from tests.fakes import FakePipeline, jpeg
from tests.servers import Server

Build = Callable[..., Services]
SIZES = {"phone": (390, 844), "desktop": (1280, 900)}
FORMS = {  # how long the tests with dice are: by default, and with --nightly
    "kills": (None, 5), "rounds": (2, 50), "life_steps": (15, 500), "sweep_photos": (1, 25), "api_calls": (30, 2000)
}  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, help="how often the crash tests kill (by default a few times)")
    parser.addoption("--rounds", type=int, help="how often fifty buyers race for one piece")
    parser.addoption("--life-steps", type=int, help="how many steps the test of a listing's life takes")
    parser.addoption("--sweep-photos", type=int, help="on drafts of how many photos everything is pressed")
    parser.addoption("--api-calls", type=int, help="how many calls the fuzz test of the API makes")


def pytest_configure(config: pytest.Config) -> None:
    for name, (short, long) in FORMS.items():
        if config.getoption(name) is None:
            setattr(config.option, name, long if config.getoption("nightly") else short)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    stores = metafunc.definition.get_closest_marker("stores")
    if "backend" in metafunc.fixturenames and stores:
        both = stores.kwargs.get("both") or find_postgres() is None
        files = pytest.param("files", marks=[] if both else pytest.mark.nightly)
        servers = pytest.param("servers", marks=[pytest.mark.postgres, pytest.mark.server])
        metafunc.parametrize("backend", [files, servers], indirect=True)


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """The PostgreSQL server of the run."""
    made = Databases()
    try:
        made.start()
        yield made
    finally:
        made.server.remove()


@pytest.fixture(scope="session")
def chroma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The Chroma server of the run."""
    made = Server(tmp_path_factory.mktemp("chroma"))
    try:
        made.start()
        yield made
    finally:
        made.kill()


@pytest.fixture
def url(databases: Databases) -> Iterator[str]:
    """The address of an empty PostgreSQL database."""
    with databases.fresh() as found:
        yield found


@pytest.fixture
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """What the services stand on; see the module."""
    kind = getattr(request, "param", None)
    if kind is None:
        yield Backend()
    elif kind == "files":
        with on_files(tmp_path) as made:
            yield made
    else:
        databases, chroma = (request.getfixturevalue(name) for name in ("databases", "chroma"))
        with on_servers(databases, chroma) as made:
            yield made


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without rows, which is copied: making its tables takes as long as all other parts of a server."""
    file = tmp_path_factory.mktemp("store") / "store.sqlite"
    open_store(f"sqlite:///{file}").engine.dispose()
    return file


@pytest.fixture
def build(tmp_path: Path, backend: Backend, empty_store: Path) -> Iterator[Build]:
    """Builds services below the test's folder; again is the same store (and the same real index) after a restart."""
    made: list[Services] = []
    if not backend.settings and not any(tmp_path.iterdir()):
        shutil.copy(empty_store, tmp_path / "store.sqlite")

    def _build(
        *, pipeline: Any = None, index: Any = None, sellers: Any = (), operators: str = "", **chosen: Any
    ) -> Services:
        settings = Settings(home=tmp_path, **{**backend.settings, **chosen})
        add_accounts(settings.store_url, sellers, operators=operators)
        services = Services(
            settings,
            pipeline=pipeline or FakePipeline(),
            index=index if index is not None else backend.index(),
        )
        made.append(services)
        return services

    yield _build
    for services in made:
        services.close()


@pytest.fixture
def services(build: Build) -> Services:
    return build()


@pytest.fixture
def me(services: Services) -> str:
    """The id of the one seller."""
    return services.sellers.named("me").id


@pytest.fixture
def photos() -> tuple[Photo, ...]:
    return intake([jpeg(), jpeg((120, 40, 40))])


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    """A client of the one seller."""
    with client_of(services) as made:
        yield made


@pytest.fixture
def people(build: Build) -> Callable[..., People]:
    """A server for several people: ``people("ann", "bob", operators="ann")``."""
    return lambda *names, page=False, **settings: People(build, names, page, **settings)


@pytest.fixture
def two(people: Callable[..., People]) -> tuple[TestClient, TestClient, TestClient]:
    """Clients of two sellers on one server, and of nobody."""
    made = people("ann", "bob")
    return made.signed("ann"), made.signed("bob"), made.client()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, for all tests of pages."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as play:
        found = play.chromium.launch(executable_path=str(find_chromium()), args=CHROMIUM_ARGS)
        yield found
        found.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """A page in a browser of its own (cookies are not shared); errors of scripts and refused styles fail the test."""
    errors: list[str] = []
    with ExitStack() as stack:

        def _open(size: str = "phone", *, dark: bool = False, scripts: bool = True) -> Any:
            width, height = SIZES[size]
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if dark else "light",
                java_script_enabled=scripts,
            )
            stack.callback(context.close)
            context.set_default_timeout(SLOW_MACHINE)
            page = context.new_page()
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("console", lambda m: errors.append(m.text) if "Content Security Policy" in m.text else None)
            return page

        yield _open
    assert not errors


@pytest.fixture
def serve(build: Build) -> Iterator[Callable[..., str]]:
    """Starts the app with a pipeline; returns its address. ``sellers``: names for the password mode."""
    with ExitStack() as stack:

        def _serve(pipeline: Any, sellers: tuple[str, ...] = (), **settings: Any) -> str:
            return stack.enter_context(served(build(pipeline=pipeline, sellers=sellers, **settings)))

        yield _serve
