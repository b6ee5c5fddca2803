"""A batch and its model's server: one that fails at a row, is away for a moment, or for good."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from listing.backends.base import BackendError
from listing.backends.chat_server import Patience
from listing.backends.openai import OpenAIBackend
from listing.batch.run import run_batch
from listing.request import DraftRequest, Event
from tests.listing.backends.chat_stub import Answer, event, prompt_of, serving
from tests.listing.batch.batch_fake import FakePipeline, factory, lines, rows_of


class Asking(FakePipeline):
    """Shows the note to a model's server before each draft."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.backend = OpenAIBackend(url, patience=Patience(connect=5.0, tries=2, pause=0.0))

    def run(self, request: DraftRequest) -> Iterator[Event]:
        "".join(self.backend.write((), request.note))
        return super().run(request)


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("listing.batch.run.PAUSES", (0.0,) * 4)


WRITTEN = Answer(pieces=[event("A"), event(finish="stop")])
AT_ONCE = [{}, {"workers": 2, "engine": "threads"}]


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("changes", AT_ONCE)
def test_a_row_the_server_fails_at_is_reported(tmp_path: Path, changes: dict[str, Any]) -> None:
    source, out = rows_of(tmp_path, n2="poison"), tmp_path / "out.jsonl"
    broken = Answer(500, {"error": "CUDA error"})
    with serving(lambda request: broken if prompt_of(request) == "poison" else WRITTEN) as stub:
        summary = run_batch(source, out, functools.partial(Asking, stub.url), **changes)
        assert [prompt_of(chat) for chat in stub.chats()].count("poison") == 3
    assert (summary.rows, summary.failed) == (8, 2)
    assert lines(out)[2]["error"]["code"] == "server"
    assert "its log says why (HTTP 500: CUDA error)." in lines(out)[2]["error"]["message"]


@pytest.mark.usefixtures("no_pauses")
def test_rows_that_fail_one_after_another_end_it(tmp_path: Path) -> None:
    source, out = rows_of(tmp_path, 24), tmp_path / "out.jsonl"
    with serving(lambda _: Answer(500, {"error": "CUDA error"})) as stub:
        for done in (5, 11):  # number 5 has no photo, and says nothing of the server
            with pytest.raises(BackendError, match=rf"CUDA error.*; then .* --resume goes on after the {done} items"):
                run_batch(source, out, functools.partial(Asking, stub.url), resume=True)
    assert len(lines(out)) == 11


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("changes", AT_ONCE)
def test_a_server_that_is_away_is_waited_for(tmp_path: Path, changes: dict[str, Any]) -> None:
    source, whole, out = rows_of(tmp_path), tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    run_batch(source, whole, factory())
    restarting = [Answer(502, {})] * 4
    with serving(lambda request: restarting.pop() if restarting else WRITTEN) as stub:
        run_batch(source, out, functools.partial(Asking, stub.url), **changes)
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("changes", AT_ONCE)
def test_a_server_that_stays_away_ends_the_run(tmp_path: Path, changes: dict[str, Any]) -> None:
    source, whole, out = rows_of(tmp_path), tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    run_batch(source, whole, factory())
    with serving(lambda _: WRITTEN) as stub:

        def stop(done: int, row: object) -> None:
            if done == 2:
                stub.shutdown()
                stub.server_close()

        with pytest.raises(BackendError, match=r"No server answers .*; then .* --resume goes on after the \d items"):
            run_batch(source, out, functools.partial(Asking, stub.url), progress=stop, **changes)
    written = out.read_bytes()
    assert written
    assert whole.read_bytes().startswith(written)
    with serving(lambda _: WRITTEN) as stub:
        run_batch(source, out, functools.partial(Asking, stub.url), resume=True, **changes)
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.usefixtures("no_pauses")
def test_it_is_waited_for_beside_an_event_loop(tmp_path: Path) -> None:
    restarting = [Answer(502, {})]
    with serving(lambda request: restarting.pop() if restarting else WRITTEN) as stub:

        async def run() -> int:
            return run_batch(rows_of(tmp_path), tmp_path / "out.jsonl", functools.partial(Asking, stub.url)).rows

        with ThreadPoolExecutor(1) as own_thread:  # this one may hold the loop of a browser
            assert own_thread.submit(lambda: asyncio.run(run())).result() == 8
