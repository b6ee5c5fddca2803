"""A small demo is made, served, visited and cleaned; what cannot be done is one sentence."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import func, select

from app.cli import serve as command
from app.cli.main import main
from app.demo import home, make
from app.demo.items import GRADES, PHOTOS, Offer, items, offer
from app.demo.live import living
from app.demo.pipeline import DemoPipeline
from app.services import Services
from app.settings import Settings
from app.store.tables import FeedEventRow, FeedPageRow, FeedRow, ListingRow, OrderRow
from app.web.server import NoPort, listen, serve_on
from listing.taxonomy import load_taxonomy
from tests.app.support.clients import client_of
from tests.fakes import FakeIndex, FakePipeline, jpeg

LISTINGS, DAYS, VISITORS = 24, 2, 40


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, home.Mark, list[str]]:
    """A finished demo's folder, its mark, and the lines of its progress."""
    folder, lines = tmp_path_factory.mktemp("usual") / "demo", list[str]()
    begin = make.first_moment(DAYS) - timedelta(days=1)  # the last day is over: so few visitors may all come late in it
    mark = home.Mark(0, LISTINGS, VISITORS, begin.isoformat())
    home.begin(folder, mark, folder.parent)
    make.make(make.Plan(Settings(home=folder), mark, lines.append), DAYS, index=FakeIndex())
    mark = home.Mark(**{**vars(mark), "ready": True})
    home.write(folder, mark)
    return folder, mark, lines


@pytest.fixture
def services(demo: tuple[Path, home.Mark, list[str]]) -> Iterator[Services]:
    made = Services(Settings(home=demo[0]), pipeline=DemoPipeline(FakePipeline), index=FakeIndex())
    yield made
    made.close()


@pytest.mark.slow
def test_sellers_visitors_and_models_are_there(demo, services) -> None:
    assert [line[:5] for line in demo[2]] == ["[1/4]", "[2/4]", "[3/4]", "[4/4]"]
    with services.store.read() as session:
        listings = list(session.scalars(select(ListingRow)))
        pages, impressions, clicks, orders = (
            session.scalar(select(func.count()).select_from(table).where(*which))
            for table, which in (
                (FeedPageRow, ()),
                (FeedRow, (FeedRow.seen_at.is_not(None),)),
                (FeedEventRow, (FeedEventRow.kind == "click",)),
                (OrderRow, ()),
            )
        )
        days = {at.date() for at in session.scalars(select(FeedPageRow.at))}
        latest = session.scalars(select(FeedPageRow.models).order_by(FeedPageRow.at.desc()).limit(1)).one()
    assert LISTINGS <= len(listings) <= LISTINGS + orders
    titles = {item.title for item in items()}
    assert len({x.title for x in listings}) == len(listings)  # every item at most once
    assert {x.title for x in listings} <= titles
    assert len({x.category for x in listings}) > 8
    assert len({x.seller_id for x in listings}) > 8
    assert all(x.price and x.description and x.title for x in listings)
    assert pages > 10
    assert impressions > 6 * pages
    assert 0.02 < clicks / impressions < 0.3
    assert orders == sum(x.status == "sold" for x in listings)
    assert len(days) >= DAYS
    assert latest["pre_ranking"].startswith("two_tower")
    assert latest["ranking"].startswith("dcn")


def test_items_have_facts_of_the_taxonomy() -> None:
    assert {item.photo.name for item in items()} == {path.name for path in PHOTOS.glob("*.jpg")}
    taxonomy = load_taxonomy()
    for one in map(offer_of_seed_3, range(2 * len(items()))):
        with Image.open(one.item.photo) as photo:
            assert max(photo.size) <= 800
            assert not photo.getexif()
        assert one.item.photo.stat().st_size < 60_000
        assert 2 <= one.price < 500
        assert one.grade in GRADES
        assert taxonomy.categories[one.item.category].tuned
        allowed = {a.name: a for a in taxonomy.schema(one.item.category)}
        for name, value in one.facts.items():
            assert name in allowed
            assert not allowed[name].values or value in allowed[name].values, (one.item.photo.name, name, value)


def offer_of_seed_3(number: int) -> Offer:
    return offer(number, 3)


def test_visitors_keep_coming_and_sold_is_replaced(demo, services) -> None:
    market = make.Plan(services.settings, demo[1], print).market(services, services.pipeline, 5)
    market.restore()
    listed = len(market.listed)
    assert listed >= LISTINGS
    with client_of(services) as client:
        page = client.get("/feed")
        assert page.status_code == 200
        assert page.text.count("/l/ipl-") >= 12
        with services.store.read() as session:
            before = session.scalar(select(func.count()).select_from(FeedPageRow))
        bought = next(x for x in market.listed if services.feed.listings.number(x) in services.feed.feed.catalog)
        price = services.listings.visible("mia-0", bought).price
        services.orders.buy("mia-0", bought, "key", price=price)
        with living(market, 500, len(services.feed.feed.catalog) + 1):
            for _ in range(2400):
                with services.store.read() as session:
                    after = session.scalar(select(func.count()).select_from(FeedPageRow))
                    count = session.scalar(select(func.count()).select_from(ListingRow))
                if after > before + 2 and count > listed:
                    break
                time.sleep(0.05)
        assert after > before + 2
        assert count > listed
        draft = client.post("/v1/drafts", files={"photos": ("x.jpg", jpeg(), "image/jpeg")})
        assert draft.json()["draft"]["model"] == "fake"  # photos that are none of the demo's go to the model


def test_only_a_demo_is_cleaned(demo, tmp_path, capsys) -> None:
    other = tmp_path / "photos"
    other.mkdir()
    (other / "mine.jpg").write_bytes(b"x")
    assert main(["demo", "--clean", "--home", str(other)]) == 2
    assert "is no demo" in capsys.readouterr().err
    assert (other / "mine.jpg").is_file()
    assert main(["demo", "--clean", "--home", str(tmp_path / "nothing")]) == 0
    models = tmp_path / "usual" / "models"
    models.mkdir(parents=True)
    (models / "weights").write_text("kept")
    folder = tmp_path / "demo"
    home.begin(folder, demo[1], tmp_path / "usual")
    assert (folder / "models" / "weights").is_file()
    assert main(["demo", "--clean", "--home", str(folder)]) == 0
    assert not folder.exists()
    assert (models / "weights").read_text() == "kept"


def test_what_cannot_be_done_is_one_sentence(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("IPL_SETUP", "0")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert main(["demo", "--home", str(tmp_path / "demo"), "--port", port]) == 1
        said = capsys.readouterr().err
        assert f"port {port}" in said
        assert not (tmp_path / "demo").exists()  # said before anything is made
    (tmp_path / "file").write_text("x")
    assert main(["demo", "--home", str(tmp_path / "file" / "demo"), "--port", "0"]) == 2
    assert "cannot be written" in capsys.readouterr().err
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / home.FILE).write_text(json.dumps({"seed": 1}))
    assert main(["demo", "--home", str(broken), "--port", "0"]) == 2
    assert "is no demo" in capsys.readouterr().err


def test_a_demo_sends_no_notices(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("IPL_NOTICE_WEBHOOK", "https://notices.example/real")
    monkeypatch.setenv("IPL_NOTICE_SECRET", "of the shop")
    opened = list[Settings]()
    monkeypatch.setattr(command, "_serve_demo", lambda _, settings: opened.append(settings) or 0)
    assert main(["demo", "--home", str(tmp_path / "demo")]) == 0
    assert opened[0].notice_webhook == ""


def test_a_port_taken_meanwhile_is_one_sentence(services) -> None:
    with listen(services.settings.model_copy(update={"port": 0})) as first:
        port = first.getsockname()[1]
        with listen(services.settings.model_copy(update={"port": port})) as second:
            first.listen()
            with pytest.raises(NoPort, match=f"port {port} .* choose another with --port"):
                serve_on(second, services)
