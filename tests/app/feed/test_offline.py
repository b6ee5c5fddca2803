"""What the feed said of a listing when it stood on a page is what the same model says of that row in the feed's log."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import select

from app.cli.main import main
from app.feed.items import milliseconds
from app.feed.log import write_log
from app.store.tables import FeedPageRow, FeedRow
from recommend.training.runs import asked, load_run
from recommend.training.scoring import predictions
from tests.app.support.clients import client_of
from tests.app.support.feed_models import Index, busy_days, commands, spread, walk
from tests.app.support.shop import visit

KEYS = ("time_ms", "item_id")


@pytest.mark.slow
@pytest.mark.parametrize("requests", [40, pytest.param(1_000, marks=pytest.mark.nightly)])
def test_live_scores_are_those_of_the_log(build, tmp_path, monkeypatch, requests):
    monkeypatch.setenv("IPL_HOME", str(tmp_path))
    services = build(index=Index(), feed_per_second=1e6)
    with client_of(services) as client:
        walk(client, busy_days(client), 24)
    spread(services)
    assert main(["recommend", "log", "--out", str(tmp_path / "first")]) == 0
    commands(tmp_path / "first", tmp_path / "dcn", "dcn", "ranking")
    services = build(index=Index(), feed_per_second=1e6)  # restarted, so that its counters hold the days of the store
    with client_of(services) as client:
        listings = client.get("/v1/listings").json()["listings"]
        for n in range(requests):
            visit(client, f"v{n % 7}", click=[x["id"] for x in listings if (n + int(x["price"])) % 3 == 0])
    with services.store.read() as session:
        pages = {page.id: page for page in session.scalars(select(FeedPageRow))}
        rows = [
            row for row in session.scalars(select(FeedRow)) if pages[row.page_id].models["ranking"].startswith("dcn")
        ]
        live = {(milliseconds(pages[r.page_id].at), r.known["item_id"]): r.scores["pctr"] for r in rows}
    assert len({page for page, _ in live}) == requests
    write_log(services.store, tmp_path / "log")
    model, encode, _ = load_run(tmp_path / "dcn", tmp_path / "log")
    columns = [*model.features.columns, *KEYS]
    scored = predictions(model, asked(model, tmp_path / "log", (0, 10**6), columns), encode, list(KEYS))
    offline = dict(zip(zip(*(scored[name].tolist() for name in KEYS), strict=True), scored["p_click"], strict=True))
    assert set(live) <= set(offline)
    both = np.array([(live[key], offline[key]) for key in live])
    difference = np.abs(both[:, 0] - both[:, 1])
    print(f"{requests} requests, {len(both)} rows, largest difference {difference.max():.2g}, spread {both.std():.3f}")
    assert both[:, 0].std() > 1e-3  # the model tells listings apart
    assert difference.max() < 1e-5
