"""A real server on a port: server-sent events through curl, the example of the docs, hanging up, the fuzz test."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.views import AppError
from app.web.server import create_app
from tests.app.support.api_fuzz import fuzz, make_app
from tests.app.support.clients import becomes
from tests.app.support.local_servers import served
from tests.fakes import FakePipeline, jpeg

pytestmark = pytest.mark.slow


@pytest.fixture
def photo(tmp_path) -> Path:
    file = tmp_path / "a.jpg"
    file.write_bytes(jpeg())
    return file


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_events_through_curl(build, photo):
    with served(build(pipeline=FakePipeline(delay=0.01)), page=False) as url:
        command = ["curl", "-sN", "-H", "Accept: text/event-stream", "-F", f"photos=@{photo}", f"{url}v1/drafts"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    frames = [frame.split("\n") for frame in said.strip().split("\n\n")]
    assert all(len(f) == 2 and f[0].startswith("event: ") and f[1].startswith("data: ") for f in frames)
    kinds = [f[0].removeprefix("event: ") for f in frames]
    assert kinds.index("category") < kinds.index("attribute") < kinds.index("text") < kinds.index("draft")
    last = json.loads(frames[-1][1].removeprefix("data: "))
    assert last["draft"]["title"] == "Navy hoodie with zip"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
def test_hanging_up_lets_the_next_draft_in(build, photo, accept):
    services = build(pipeline=FakePipeline(delay=0.2))
    with served(services, page=False) as url:
        command = ["curl", "-sN", "-H", f"Accept: {accept}", "-F", f"photos=@{photo}", f"{url}v1/drafts"]
        caller = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        assert becomes(lambda: services.pipeline.running == 1)
        caller.send_signal(signal.SIGKILL)
        caller.wait()
        assert becomes(lambda: services.pipeline.running == 0, 3)
        assert services.pipeline.closed == 1
        assert becomes(lambda: len(services.queue) == 0)
        services.pipeline.delay = 0.0
        assert subprocess.run(command, capture_output=True, check=True).stdout


def test_the_example_of_the_docs_runs(build, photo, repository):
    text = (repository / "docs" / "api.md").read_text()
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)
    with served(build(), page=False) as url:
        environment = {**os.environ, "IPL_URL": url.rstrip("/"), "IPL_PHOTO": str(photo)}
        command = [sys.executable, "-c", example]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "Navy hoodie with zip" in ran.stdout
    assert "supported" in ran.stdout


def test_the_docs_name_all_routes(services, repository):
    text = (repository / "docs" / "api.md").read_text()
    paths = create_app(services, page=False).openapi()["paths"]
    steps = {p["name"]: p["schema"]["enum"] for p in paths["/v1/orders/{order_id}/{step}"]["post"]["parameters"][1:]}
    spelt = {path.replace("{step}", step): of for path, of in paths.items() for step in steps["step"]}
    there = {f"{method.upper()} {path}" for path, methods in spelt.items() for method in methods}
    rows = re.findall(r"^\| `([A-Z,]+) (\S+)`", text, re.MULTILINE)
    assert {f"{method} {path}" for methods, path in rows for method in methods.split(",")} == there


@pytest.mark.timeout(1800)
def test_no_call_is_a_server_error(tmp_path, request):
    """Whatever the schema allows or forbids."""
    calls = request.config.getoption("--api-calls")
    report = fuzz(make_app(tmp_path), calls)
    assert report.failures == []
    assert report.total >= calls
    answered = {name for name, status in report.calls if status < 300}
    # Which calls succeed is chance, as hypothesis draws from the constants of the code.
    assert len({name for name in answered if not name.startswith("GET ")}) >= 6


def test_a_disk_fills_while_photos_are_stored(services, me, photos, monkeypatch):
    written, real = [], os.fsync

    def second_fails(descriptor):
        written.append(descriptor)
        if len(written) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor)

    monkeypatch.setattr(os, "fsync", second_fails)
    with pytest.raises(AppError, match="disk is full") as caught:
        services.draft_writer.start(me, photos)
    assert caught.value.http_status == 507
    assert [p.name for p in services.media.folder.rglob("*") if p.is_file()] == [".store"]
    assert len(services.queue) == 0


def test_a_disk_fills_while_publishing(services, me, photos):
    """SQLite's own limit on pages stands for the end of the disk: it gives the very error."""
    draft = list(services.draft_writer.start(me, photos))[-1]
    services.store.engine.dispose()
    from sqlalchemy import event

    def no_growth(connection, _):
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")

    event.listen(services.store.engine, "connect", no_growth)

    def edit_until_full(words):
        for number in range(400):
            services.drafts.edit(me, draft.draft_id, "description", "long " * words + str(number))

    with pytest.raises(AppError, match="disk is full") as caught:
        edit_until_full(700)
    with pytest.raises(AppError, match="disk is full"):
        edit_until_full(20)  # what is left of the last page
    assert caught.value.http_status == 507
    refused = ""
    try:  # the pages that a published draft gives back may be room enough for its listing: whole or not at all
        services.publisher.publish(me, draft.draft_id, key="k")
    except AppError as full:
        refused = full.message
    assert len(services.listings.own(me)) == (not refused)
    assert len(services.index.ids()) == (not refused)
    assert refused == "" or "disk is full" in refused
    event.remove(services.store.engine, "connect", no_growth)
    services.store.engine.dispose()
    assert services.publisher.publish(me, draft.draft_id, key="k").draft_id == draft.draft_id
