"""An open page without a browser: the page's own listeners, called as Gradio calls them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from copy import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from app.seller.actions import Actions
from app.seller.page import SellerPage
from app.seller.renderer import PageRenderer
from app.seller.session import SellerSession
from app.services import Services
from app.views import DraftView

_MADE: list[SellerPage] = []


def _blocks(services: Services) -> SellerPage:
    """One page for the whole run: Gradio takes long to build its blocks, and they hold nothing of the services."""
    if not _MADE:
        _MADE.append(SellerPage(services, None))
    return _MADE[0]


class Tab:
    """What a person does on one open page; ``session`` is what stands on it."""

    def __init__(self, services: Services, name: str = "me") -> None:
        self.page, self.session = copy(_blocks(services)), SellerSession()
        self.page.services, self.page.renderer = services, PageRenderer(services, None)
        self.request: Any = SimpleNamespace(username=name)

    @property
    def draft(self) -> DraftView:
        assert self.session.view is not None
        return self.session.view

    @property
    def shown(self) -> list[str]:
        """The ids of the photos on the screen, in their order."""
        return [shot.ref.id for shot in self.session.shots]

    @property
    def said(self) -> list[str]:
        """The sentences of the notices on the screen."""
        return [notice.words for notice in self.session.notices]

    def take(self, *files: bytes, folder: Path) -> None:
        """Choose photos."""
        paths = [folder / f"chosen{number}.jpg" for number, _ in enumerate(files)]
        for path, data in zip(paths, files, strict=True):
            path.write_bytes(data)
        self.hear(Actions.add_photos, [str(path) for path in paths])

    def hear(self, act: Callable[[Actions, Any], None], value: object) -> None:
        """Choose files, or leave a field."""
        self.page.listener(act)(self.session, value, self.request)

    def press(self, do: str, **data: Any) -> None:
        """Press a button."""
        self.page.press(self.session, SimpleNamespace(_data={"do": do, **data}), self.request)  # type: ignore[arg-type]

    def write(self, note: str = "") -> None:
        """Press "Write my listing" (or "Write it again from the photos") and wait for the end."""
        self.run("write", note)

    def run(self, do: str, note: str = "", **data: Any) -> None:
        """Another tone or category; waits for the end."""
        for _ in self.writing(do, note, **data):
            pass

    def writing(self, do: str = "write", note: str = "", **data: Any) -> Iterator[object]:
        """What the page is sent while a listing is written."""
        event: Any = SimpleNamespace(_data={"do": do, "note": note, **data})
        yield self.page.press(self.session, event, self.request)
        while self.session.busy or self.session.writes:
            time.sleep(0.01)
            yield self.page.watch(self.session, self.request)
