"""Posts: published, shown in their places, reported on, withdrawn; never for sale; learned from like things."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import select

from app.cli.main import main
from app.market import posts as post_rules
from app.ops.places import would_see
from app.store.tables import FeedPageRow, FeedPostRow, FeedRow, PhotoRow, PostRow
from recommend.cascade.posts import POST_SLOTS, Post, Posts, around, slots
from recommend.cascade.visitors import Visitors
from recommend.data.parquet import ParquetStream
from recommend.data.ragged import concat_batches
from recommend.data.schema import ENTITIES, table_files
from tests.app.support.clients import client_of, code, published
from tests.app.support.feed_models import SMALL, Index, spread
from tests.app.support.shop import POST_TEXT, order, posted, report, report_all, seen, write_post
from tests.fakes import FakeIndex

pytestmark = pytest.mark.slow


class PostIndex(Index):
    """Photos have vectors of about unit length, too."""

    def photo_vector(self, photo):
        self._check()
        rng = np.random.default_rng(photo.stat().st_size)
        return (rng.normal(size=1280) / 1280**0.5).tolist()


def test_a_post_stands_in_its_place_until_withdrawn(client):
    listings = [published(client, price=n) for n in range(1, 31)]
    post = posted(client)
    page = seen(client)
    places = {p["position"]: p for p in page["places"]}
    assert len(places) == 20
    assert [n for n, p in places.items() if p["reason"] == "post"] == [POST_SLOTS[0]]
    assert places[POST_SLOTS[0]]["post"] == post
    assert places[POST_SLOTS[0]]["listing"] is None
    assert sum(p["listing"] is not None for p in places.values()) == 19
    assert page["models"]["posts"] == "popularity"
    assert "posts" in page["degraded"]
    posted(client, title="Another")
    assert [p["position"] for p in seen(client)["places"] if p["post"]] == list(POST_SLOTS)
    assert not [p for p in seen(client, size=8)["places"] if p["post"]]
    assert client.get(f"/v1/photos/{post['photo']['id']}").status_code == 200
    assert client.delete(f"/v1/posts/{post['id']}").status_code == 204
    assert [p["post"]["title"] for p in seen(client)["places"] if p["post"]] == ["Another"]
    assert code(client.delete(f"/v1/posts/{post['id']}")) == (404, "not_found")
    assert code(client.get(f"/v1/photos/{post['photo']['id']}")) == (404, "not_found")
    assert len(client.get("/v1/posts").json()["posts"]) == 1
    assert len(listings) == 30


def test_operators_see_posts_where_visitors_would(client, services):
    for n in range(1, 31):
        published(client, price=n)
    posted(client, title="<b>Wool</b>")
    _, stands = would_see(services, "vera")
    assert [s.place for s in stands[:20]] == list(range(20))
    assert (stands[POST_SLOTS[0]].tile.title, stands[POST_SLOTS[0]].reason) == ("<b>Wool</b>", "post")
    page = client.get("/ops/?visitor=vera").text
    assert "&lt;b&gt;Wool" in page
    assert "<b>Wool" not in page


def test_a_post_is_not_for_sale(client):
    post = posted(client)
    published(client)
    page = seen(client, size=12)
    place = next(p for p in page["places"] if p["post"])
    assert code(order(client, post, buyer="vera")) == (404, "not_found")
    assert code(order(client, post, "k2", buyer="vera", page_id=page["id"])) == (404, "not_found")
    assert code(report(client, "vera", page, "cart", place)) == (422, "not_for_sale")
    assert code(client.put(f"/v1/listings/{post['id']}/ad", json={"bid": 1})) == (404, "not_found")
    assert code(client.patch(f"/v1/listings/{post['id']}", json={"price": 1})) == (404, "not_found")
    assert post["id"] not in {x["id"] for x in client.get("/v1/listings").json()["listings"]}


def test_events_on_a_post_count_once(client, services):
    published(client)
    post = posted(client)
    page = seen(client, size=12)
    place = next(p for p in page["places"] if p["post"])
    assert report(client, "vera", page, "click", place).json() == {"new": 1}
    assert report(client, "vera", page, "click", place).json() == {"new": 0}
    assert report(client, "vera", page, "impression", place).json() == {"new": 0}  # who clicked has seen
    assert code(report(client, "otto", page, "click", place)) == (404, "not_found")
    both = {"kind": "click", "page_id": page["id"], "post_id": post["id"], "listing_id": "x"}
    assert code(client.post("/v1/events", json={"visitor": "vera", "events": [both]})) == (422, "no_thing")
    neither = {"kind": "click", "page_id": page["id"]}
    assert code(client.post("/v1/events", json={"visitor": "vera", "events": [neither]})) == (422, "no_thing")
    assert services.feed.feed.posts.impressions(next(iter(services.feed.feed.posts.ids()))) == 1
    assert not [p for p in seen(client, size=12)["places"] if p["post"]]  # what was opened is not offered again


def test_the_rules_of_listings_hold_for_posts(client, services):
    text = "Call me at +49 151 23456789 or mail ann@example.com"
    evil = posted(client, title="<script>alert(1)</script> Washing wool", text=text)
    assert evil["title"] == "<script>alert(1)</script> Washing wool"  # text stays text; whoever shows it escapes it
    assert "151" not in evil["text"]
    assert "example.com" not in evil["text"]
    assert "[removed]" in evil["text"]
    with services.store.read() as session:
        assert "151" not in session.scalar(select(PostRow.text))
    gun = "Glock 19 pistol, 9mm, two magazines included"
    for wrong, why in (
        ({"title": " "}, "no_text"), ({"text": "  "}, "no_text"), ({"title": "x" * 121}, "too_long"),
        ({"category": "???"}, "bad_category"), ({"topic": "politics"}, "bad_topic"),
        ({"title": gun, "text": gun}, "prohibited"),
    ):  # fmt: skip
        assert code(write_post(client, **wrong)) == (422, why)
    assert posted(client, title="a\u202eb\x00c")["title"] == "abc"
    no_photo = client.post("/v1/posts", files={"photo": ("a.jpg", b"no photo", "image/jpeg")},
                           data={"title": "a", "text": "b", "category": "Hoodie", "topic": "care"})  # fmt: skip
    assert no_photo.status_code == 422
    one, again = posted(client, key="same"), posted(client, key="same")
    assert one == again
    with services.store.read() as session:
        photos = set(session.scalars(select(PhotoRow.id)))
    assert set(services.media.ids()) == photos  # whatever was refused left nothing behind


def test_a_post_belongs_to_its_author(two, monkeypatch):
    ann, bob, nobody = two
    post = posted(ann)
    assert code(bob.delete(f"/v1/posts/{post['id']}")) == (404, "not_found")
    assert bob.get("/v1/posts").json() == {"posts": []}
    assert bob.get(f"/v1/photos/{post['photo']['id']}").status_code == 200
    assert code(write_post(nobody))[0] == 401
    assert code(nobody.get("/v1/posts"))[0] == 401
    monkeypatch.setattr(post_rules, "MAX_POSTS", 2)
    posted(ann)
    assert code(write_post(ann)) == (422, "too_many_posts")


def test_other_servers_and_restarts_show_the_same_posts(build):
    index = FakeIndex()
    first, other = build(index=index), build(index=index)
    with client_of(first) as client:
        published(client)
        post = posted(client)
        other.feed.posts.refresh()  # as it does every few seconds
        page = seen(client, size=12)
        report(client, "vera", page, "click", next(p for p in page["places"] if p["post"]))
    assert len(other.feed.feed.posts) == 1
    again = build(index=index)
    with client_of(again) as client:
        assert not [p for p in seen(client, size=12)["places"] if p["post"]]  # vera opened it before
        shown = [p for p in seen(client, "otto", size=12)["places"] if p["post"]]
        assert [p["post"]["id"] for p in shown] == [post["id"]]
        client.delete(f"/v1/posts/{post['id']}")
    other.feed.posts.refresh()
    assert len(other.feed.feed.posts) == 0


def test_places_and_rates():
    assert slots(20, 5) == list(POST_SLOTS)
    assert slots(12, 5) == [POST_SLOTS[0]]
    assert slots(20, 0) == []
    assert around(18, POST_SLOTS) == ([n for n in range(20) if n not in POST_SLOTS], list(POST_SLOTS))
    assert around(1, POST_SLOTS) == ([0], [1, 2])  # few things: posts follow them
    shelf = Posts(2)
    for n in (1, 2, 3):
        shelf.put(Post(n, 0, 0, 0, n, 10, np.zeros(2, np.float32)))
    for _ in range(60):
        shelf.add_impression(1)
        shelf.add_impression(2)
    for _ in range(30):
        shelf.count_click(1)
    for n in range(4, 200):  # a crowd of newer ones: the liked one still reaches ranking
        shelf.put(Post(n, 0, 0, 0, n, 10, np.zeros(2, np.float32)))
    ranked = [p.post_id for p in shelf.candidates(Visitors().get(1))]
    assert len(ranked) == 100
    assert 1 in ranked
    assert 2 not in ranked
    for n in range(4, 200):
        shelf.remove(n)
    rates = shelf.rates(shelf.candidates(Visitors().get(1)))  # newest first: 3, 2, 1
    assert rates[2] > rates[0] > rates[1]  # liked, unknown, disliked


def test_mkt_learns_posts_and_ranks_them(build, tmp_path, monkeypatch, capsys):
    services = build(index=PostIndex(), feed_per_second=1e6)
    monkeypatch.setenv("IPL_HOME", str(tmp_path))
    with client_of(services) as client:
        for n in range(4):
            published(client, price=10 + n)
        for n in range(6):
            topic = post_rules.TOPICS[n % len(post_rules.TOPICS)]
            posted(client, title=f"Guide {n}", topic=topic, photo=(10 * n, 60, 60), text=POST_TEXT * (n + 1))
        for n in range(64):
            page = seen(client, f"v{n % 8}", size=20)
            kinds = ["impression" if (n + m) % 5 else "click" for m in range(len(page["places"]))]
            report_all(client, f"v{n % 8}", page, kinds)
    spread(services)
    with services.store.write() as session:  # posts were written days ago, too
        for row in session.scalars(select(FeedPostRow)):
            at = session.get(FeedPageRow, row.page_id).at
            row.clicked_at = at + timedelta(minutes=1) if row.clicked_at else None
            row.known = {**row.known, "created_ms": row.known["created_ms"] - 9 * 86_400_000,
                         "item_age_h": 9.0 + row.position}  # fmt: skip
        assert session.scalar(select(FeedRow.id)) is not None
    log, run = tmp_path / "log", tmp_path / "run"
    assert main(["recommend", "log", "--out", str(log)]) == 0
    assert "6 post" in capsys.readouterr().out
    names = ["entity", "post_id", "item_id", "click", "history_post", "channel", "impression_id"]
    rows = concat_batches(list(ParquetStream(table_files(log, "impression"), names, 4_000)))
    of_posts = rows["entity"] == ENTITIES.index("post")
    assert bool((rows["post_id"][of_posts] >= 0).all())
    assert bool((rows["item_id"][of_posts] == -1).all())
    assert bool((rows["post_id"][~of_posts] == -1).all())
    assert 0 < int(rows["click"][of_posts].sum()) < int(of_posts.sum())
    assert int(rows["history_post"].lengths.max()) > 0
    assert len(set(rows["impression_id"].tolist())) == len(of_posts)
    train = ["recommend", "train", "--data", str(log), "--out", str(run), "--model", "mkt", "--test-days", "1"]
    small = [*SMALL[:2], "--set", "mlp=[16,8,4]", *SMALL[4:]]
    assert main([*train, *small]) == 0
    assert main(["recommend", "evaluate", "--run", str(run), "--data", str(log)]) == 0
    assert main(["recommend", "install", "--run", str(run), "--role", "posts"]) == 0
    services = build(index=services.index, feed_per_second=1e6)
    with client_of(services) as client:
        posted(client, title="A new guide", photo=(200, 9, 9))  # nobody has seen it
        page = seen(client, "new", size=20)
        assert page["models"]["posts"] == "mkt 0001"
        assert "posts" not in page["degraded"]
        places = [p for p in page["places"] if p["post"]]
        assert len(places) == 2
        assert all(0 < p["pctr"] < 1 for p in places)
        assert places[0]["pctr"] >= places[1]["pctr"]


def test_mkt_without_posts_is_one_sentence(build, tmp_path, monkeypatch, capsys):
    services = build(index=PostIndex(), feed_per_second=1e6)
    monkeypatch.setenv("IPL_HOME", str(tmp_path))
    with client_of(services) as client:
        published(client)
        for n in range(16):
            page = seen(client, f"v{n}")
            report(client, f"v{n}", page, "impression", page["places"][0])
    spread(services)
    assert main(["recommend", "log", "--out", str(tmp_path / "log")]) == 0
    train = ["recommend", "train", "--data", str(tmp_path / "log"), "--out", str(tmp_path / "run"), "--model", "mkt"]
    assert main([*train, "--test-days", "1"]) != 0
    assert "nobody saw posts" in capsys.readouterr().err
