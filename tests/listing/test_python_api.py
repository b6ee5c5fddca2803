"""From Python: the recipe of the README as it stands there, and several drafts at once in one event loop."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from listing import adraft, draft, pipeline
from listing.backends.stopping import current_wish
from listing.pipeline import Pipeline
from tests.fakes import jpeg
from tests.listing.backends.chat_stub import Answer, Request, event, reply, seeing, serving
from tests.listing.stubs import StubBackend, parts

ROOT = Path(__file__).resolve().parents[2]
HOODIE = {"category": "hoodie", "colour": "navy", "closure": "zip"}


@pytest.fixture(autouse=True)
def no_loop() -> Iterator[None]:
    """Playwright's synchronous pages leave their event loop running in the thread of the tests."""
    running = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(running)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """What was loaded into a home of its own: a stub for each model, no index."""
    built: list[Any] = []
    monkeypatch.setenv("IPL_HOME", str(tmp_path))
    monkeypatch.setattr(
        pipeline, "build_parts", lambda *arguments: built.append(arguments) or parts(StubBackend(HOODIE))
    )
    monkeypatch.setattr(pipeline.PastListings, "open", lambda home: None)
    return built


def test_the_readme_s_python_runs(
    loads: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(ROOT)
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - our own words
    assert "Worn twice." in capsys.readouterr().out
    assert len(loads) == 1, "the model stays loaded from one draft to the next"


def test_several_first_drafts_load_one_model(loads: list[Any]) -> None:
    async def several() -> list[str]:
        return [built.title for built in await asyncio.gather(*(adraft([jpeg()], model=None) for _ in range(4)))]

    assert asyncio.run(several()) == ["Navy hoodie"] * 4
    assert len(loads) == 1


def test_a_server_s_model_needs_neither_the_embedded_one_nor_an_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPL_HOME", str(tmp_path / "empty"))

    def script(request: Request) -> Answer:
        if request.body.get("stream"):
            return Answer(pieces=(event("Navy hoodie\nA navy hoodie."), event(finish="stop")))
        return reply('{"category": "hoodie", "colour": "navy"}')

    with serving(seeing(script, logprobs=False)) as stub:
        assert draft([jpeg()], model=stub.url).title == "Navy hoodie"


@dataclass
class Together(StubBackend):
    """Goes on when ``concurrency`` drafts are being written at once; keeps how many were at most."""

    concurrency: int = 3
    meet: threading.Barrier = field(default_factory=lambda: threading.Barrier(3))
    under_way: int = 0
    most: int = 0

    def write(self, images: Any, prompt: str, *, max_tokens: int = 120) -> Iterator[str]:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        self.meet.wait(10)
        self.under_way -= 1
        yield "Navy hoodie\nA navy hoodie with a zip."


def test_as_many_at_once_as_the_model_allows() -> None:
    backend = Together(HOODIE)
    runner = Pipeline(parts(backend))

    async def several() -> list[str]:
        return [built.title for built in await asyncio.gather(*(runner.adraft([jpeg()]) for _ in range(6)))]

    assert asyncio.run(several()) == ["Navy hoodie"] * 6
    assert backend.most == 3


def test_a_draft_that_is_cancelled_stops_asking() -> None:
    begun, stopped = threading.Event(), threading.Event()

    class Slow(StubBackend):
        def write(self, images: Any, prompt: str, *, max_tokens: int = 120) -> Iterator[str]:
            wish = current_wish()
            begun.set()
            for _ in range(1000):
                if wish():
                    stopped.set()
                    return
                threading.Event().wait(0.01)
            yield ""

    runner = Pipeline(parts(Slow(HOODIE)))

    async def cancelled() -> None:
        task = asyncio.create_task(runner.adraft([jpeg()]))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert stopped.wait(5)
