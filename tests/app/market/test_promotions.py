"""The calendar of promotions, and HDR, which learns of those that are over; photos of a published listing."""

from __future__ import annotations

import io
from datetime import UTC, datetime, time, timedelta
from functools import partial

import numpy as np
import pytest
from PIL import Image

from app.cli.main import main
from app.feed.items import CONTENT
from app.market.promotions import Calendar, Promotion, Promotions, day_number, today
from app.seller.renderer import PageRenderer
from app.seller.session import SellerSession
from app.store.tables import FeedEventRow, FeedPageRow, FeedRow, OrderRow
from app.views import AppError
from listing.intake.photos import intake
from recommend.cascade.request import DAY_MS
from tests.app.support.clients import at_once, client_of, code, published
from tests.app.support.leftovers import files_there
from tests.app.support.shop import seen
from tests.fakes import picture

DAY = timedelta(days=1)


def declared(client, first_day, days=2, name="autumn sale"):
    return client.post("/v1/promotions", json={"name": name, "first_day": str(first_day), "days": days})


def test_a_calendar_says_of_each_moment_whether_a_promotion_is_on():
    one, other = (Promotion(n, f"p{n}", today() + n * 10 * DAY, n) for n in (1, 2))
    calendar, first = Calendar((one, other)), day_number(today())
    said = [calendar.moment((first + n) * DAY_MS) for n in (0, 9, 10, 11, 20, 21, 22)]
    assert [(m.promotion, m.days_to_promotion) for m in said] == [
        (0, 10), (0, 1), (1, 0), (0, 9), (2, 0), (2, 0), (0, -1)]  # fmt: skip
    assert calendar.moment((first + 11) * DAY_MS - 1).promotion == 1


def test_promotions_are_declared_listed_and_taken_off(client):
    made = declared(client, today() + 3 * DAY).json()
    assert (made["id"], made["last_day"], made["state"]) == (1, str(today() + 4 * DAY), "to come")
    for first_day, days in ((2, 2), (3, 1), (4, 3), (1, 14)):
        answer = declared(client, today() + first_day * DAY, days)
        assert code(answer) == (409, "overlap")
        assert "'autumn sale' is on" in answer.json()["error"]["message"]
    assert declared(client, today() - 30 * DAY, 2, "summer sale").json()["state"] == "over"
    assert [p["name"] for p in client.get("/v1/promotions").json()["promotions"]] == ["summer sale", "autumn sale"]
    assert client.delete("/v1/promotions/1").status_code == 204
    assert code(client.delete("/v1/promotions/1")) == (404, "not_found")
    assert declared(client, today() + 3 * DAY).json()["id"] == 3  # a model may have seen the number 1


@pytest.mark.stores
def test_of_overlapping_promotions_declared_at_one_moment_one_is_taken(services):
    calendars = [Promotions(services.store, lambda: None) for _ in range(6)]
    for n in range(4):
        first = today() + 20 * n * DAY
        given = at_once([partial(c.declare, "sale", first, days) for days, c in enumerate(calendars, 1)])
        assert given.count("overlap") == 5
    assert len(calendars[0].calendar().promotions) == 4


def test_a_number_is_not_given_again_though_it_was_the_last(client):
    first = declared(client, today()).json()["id"]
    client.delete(f"/v1/promotions/{first}")
    assert declared(client, today()).json()["id"] > first


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"name": " \n"}, "needs a name"),
        ({"days": 0}, "days"),
        ({"days": 15}, "days"),
        ({"first_day": "9999-12-31"}, "check the year"),
        ({"first_day": "0001-01-01"}, "check the year"),
        ({"first_day": "Friday"}, "first_day"),
    ],
)
def test_what_cannot_be_declared_is_one_sentence(client, wish, words):
    answer = client.post("/v1/promotions", json={"name": "sale", "first_day": str(today()), "days": 2, **wish})
    assert answer.status_code == 422
    assert words in answer.json()["error"]["message"]
    assert client.get("/v1/promotions").json() == {"promotions": []}


def test_the_calendar_belongs_to_operators(people):
    here = people("ann", "bob", operators="ann")
    ann, bob = map(here.signed, ("ann", "bob"))
    assert declared(ann, today()).status_code == 201
    assert code(declared(bob, today() + 9 * DAY)) == (403, "no_operator")
    assert code(bob.get("/v1/promotions")) == (403, "no_operator")
    assert code(bob.delete("/v1/promotions/1")) == (403, "no_operator")
    assert code(here.client().get("/v1/promotions"))[0] == 401


def test_on_its_days_a_page_is_of_the_promotion(client, services):
    published(client)
    number = declared(client, today(), 1).json()["id"]
    page = seen(client)
    with services.store.read() as session:
        known = session.get(FeedPageRow, page["id"]).known
    assert (known["promotion"], known["days_to_promotion"]) == (number, 0)


def lived(services, days):
    """Pages of the last days as visitors would have left them: by days ago, (pages, share of clicks that order)."""
    rng, made = np.random.default_rng(0), []
    empty = {"history_item": [], "history_category": [], "history_single": [], "history_age_h": []}
    for ago, (pages, order_rate) in days.items():
        for n in range(pages):
            at = datetime.combine(today() - ago * DAY, time(8 + n % 12), UTC)
            known = {**empty, "hour": at.hour, "promotion": 0, "days_to_promotion": -1}
            made.append(FeedPageRow(id=f"{ago}-{n}", visitor=1 + n % 5, at=at, models={}, known=known))
            for k in range(5):
                row, item = len(made), int(rng.integers(1, 30))
                content = [float(v) for v in np.random.default_rng(item).normal(size=CONTENT)]
                known = {"item_id": item, "seller_id": item % 4, "category": item % 3, "condition": 1, "price": 10.0,
                         "price_bucket": item % 10, "single": True, "stock": 1, "item_age_h": float(1 + n % 40),
                         "content": content}  # fmt: skip
                scores = {"pctr": 0.5, "bid": 0.0, "pre_rank": 1, "rank": 1}
                made.append(FeedRow(id=row, page_id=f"{ago}-{n}", listing_id=f"l{item}", position=k, reason="ranked",
                                    seen_at=at, known=known, scores=scores))  # fmt: skip
                if rng.random() < (0.8 if item % 3 else 0.2):
                    made.append(FeedEventRow(row_id=row, kind="click", at=at))
                    if rng.random() < order_rate:
                        made.append(OrderRow(id=f"o{row}", buyer="b", key=f"k{row}", listing_id=f"l{item}",
                                             row_id=row, amount=10.0, currency="EUR", at=at))  # fmt: skip
    with services.store.write() as session:
        for kind in (FeedPageRow, FeedRow, FeedEventRow, OrderRow):
            session.add_all([row for row in made if isinstance(row, kind)])
            session.flush()


@pytest.mark.slow
def test_hdr_learns_of_past_promotions_and_serves(build, tmp_path, monkeypatch, capsys):
    services = build(feed_per_second=1e6)
    monkeypatch.setenv("IPL_HOME", str(tmp_path))
    log, run = tmp_path / "log", tmp_path / "run"
    train = ["recommend", "train", "--data", str(log), "--out", str(run), "--model", "hdr", "--test-days", "1"]
    for knob in ("batch_rows=16", "table_rate=0.01", "learning_rate=0.01", "mlp=[8]", "embedding=4"):
        train += ["--set", knob]
    with client_of(services) as client:
        lived(services, {ago: (24, 0.9) if ago in (19, 20) else (8, 0.1) for ago in range(1, 25)})
        published(client)
        assert main(["recommend", "log", "--out", str(log)]) == 0
        assert main(train) != 0
        assert "have 0 clicks and 0 orders, too few to learn from" in capsys.readouterr().err
        assert declared(client, today() - 20 * DAY, 2, "the last one").status_code == 201
        assert main(["recommend", "log", "--out", str(log)]) == 0
        assert main(train) == 0
        assert main(["recommend", "install", "--run", str(run), "--role", "conversion"]) == 0
        services.feed.refresh()
        assert seen(client)["models"]["conversion"] == "hdr 0001"


@pytest.fixture
def listing(services, me, photos):
    draft = list(services.draft_writer.start(me, photos))[-1]
    return services.publisher.publish(me, draft.draft_id, key="k")


def test_added_ordered_and_removed(services, me, listing):
    first, second = (p.id for p in listing.photos)
    (new,) = intake([picture(1)])
    added = services.listing_photos.add(me, listing.id, [new])
    assert [p.id for p in added.photos] == [first, second, new.ref.id]
    kept = services.listing_photos.arrange(me, listing.id, [new.ref.id, second])
    assert [p.id for p in kept.photos] == [new.ref.id, second]
    assert services.listings.get(me, listing.id) == kept
    assert files_there(services, [first, second, new.ref.id]) == [False, True, True]
    assert services.index.entries[listing.id].photos == kept.photos


def test_what_cannot_be_done_changes_nothing(services, me, listing):
    photos = services.listing_photos
    with pytest.raises(AppError, match="needs a photo"):
        photos.arrange(me, listing.id, [])
    with pytest.raises(AppError, match="Name photos of this listing"):
        photos.arrange(me, listing.id, ["0" * 32])
    with pytest.raises(AppError, match="there already"):
        photos.add(me, listing.id, intake([services.media.path(listing.photos[0].id)]))
    with pytest.raises(AppError, match="room for 8"):
        photos.add(me, listing.id, intake([picture(n) for n in range(7)]))
    stranger = services.sellers.named("you").id if not services.sellers.single else "0" * 32
    with pytest.raises(AppError, match="no such listing"):
        photos.add(stranger, listing.id, intake([picture(9)]))
    assert services.listings.get(me, listing.id) == listing
    assert len(list(services.media.ids())) == 2


def test_over_the_api(services, me, listing):
    with client_of(services) as client:
        path = f"/v1/listings/{listing.id}/photos"
        photo = io.BytesIO()  # as large as a phone's
        noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (1500, 1500, 3), dtype=np.uint8))
        noise.save(photo, "JPEG", quality=95)
        assert len(photo.getvalue()) > 2_500_000
        added = client.post(path, files=[("photos", photo.getvalue())])
        ids = [p["id"] for p in added.json()["photos"]]
        assert (added.status_code, len(ids)) == (201, 3)
        assert [p["id"] for p in client.put(path, json={"photos": ids[::-1]}).json()["photos"]] == ids[::-1]
        assert code(client.put(path, json={"photos": []})) == (422, "no_photo")


def again(photo: bytes) -> bytes:
    """The same photo, smaller and brighter, as another app saves it."""
    image, file = Image.open(io.BytesIO(photo)).convert("RGB"), io.BytesIO()
    smaller = image.resize((image.width * 2 // 3, image.height * 2 // 3)).point(lambda x: min(255, x + 12))
    smaller.save(file, "JPEG", quality=60)
    return file.getvalue()


@pytest.fixture
def written(services, me):
    """Writes a draft from photos; gives its last view."""
    return lambda *photos: list(services.draft_writer.start(me, intake(list(photos))))[-1]


def told(services, me, view):
    """What the seller's page says of it."""
    session = SellerSession()
    session.view = view
    page = PageRenderer(services).draft(session, me)
    return page.split('class="same"')[1].split("</li>")[0] if 'class="same"' in page else ""


def test_a_listing_of_the_same_photos_is_named(services, me, written):
    first = services.publisher.publish(me, written(picture(1), picture(2)).draft_id, key="k1")
    view = written(picture(3), again(picture(2)))
    assert [x.id for x in services.listings.same_as(me, view.photos)] == [first.id]
    assert f'href="/l/{first.id}"' in told(services, me, view)
    assert first.title in told(services, me, view)
    assert told(services, me, written(picture(3))) == ""
    services.publisher.mark_sold(me, first.id)
    assert told(services, me, view) == ""


def test_photos_of_others_are_no_news(services, me, written):
    view = written(picture(1))
    services.publisher.publish(me, view.draft_id, key="k1")
    assert services.listings.same_as("somebody else", view.photos) == []
