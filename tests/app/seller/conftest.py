"""The seller's page in a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.app.support.pages import Page, ready, sign_in
from tests.fakes import FakePipeline, jpeg


@pytest.fixture
def pipeline() -> FakePipeline:
    """What writes the drafts."""
    return FakePipeline()


@pytest.fixture
def visit(open_page: Callable[..., Page]) -> Callable[..., Page]:
    """Opens the page, signed in where a seller is named, and waits until it hears what is pressed."""

    def _visit(url: str, size: str = "phone", *, seller: str | None = None, dark: bool = False) -> Page:
        page = open_page(size, dark=dark)
        page.goto(url if seller is None else f"{url}sign-in")  # "/" leads strangers to the feed
        if seller is not None:
            sign_in(page, seller)
        ready(page)
        return page

    return _visit


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Two different photos as files."""
    paths = [tmp_path / "front.jpg", tmp_path / "label.jpg"]
    paths[0].write_bytes(jpeg())
    paths[1].write_bytes(jpeg((120, 40, 40), (400, 320)))
    return [str(p) for p in paths]
