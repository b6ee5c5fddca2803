"""Services on a fresh store with a pipeline and an index of the tests' own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.services import Services, build_services
from app.settings import Settings
from listing.photos import Photo, intake
from tests.fakes import FakeIndex, FakePipeline, jpeg

Build = Callable[..., Services]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Builds services below the test's folder; the same folder again is the same store after a restart."""
    made: list[Services] = []

    def _build(*, pipeline: FakePipeline | None = None, index: Any = None, **settings: Any) -> Services:
        services = build_services(
            Settings(home=tmp_path, **settings),
            pipeline=pipeline or FakePipeline(),
            index=index if index is not None else FakeIndex(),
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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kills", type=int, help="how often the crash tests kill (by default a few times)"
    )
    parser.addoption("--rounds", type=int, default=8, help="how often fifty buyers race for one piece")
    parser.addoption("--api-calls", type=int, default=300, help="how many calls the fuzz test of the API makes")
