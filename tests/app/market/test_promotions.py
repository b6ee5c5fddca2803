"""The calendar of promotions, and the conversion model's copy from the store's own log to a page and away again."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import partial

import numpy as np
import pytest
from sqlalchemy import select

from app.cli.main import main
from app.feed.items import CONTENT
from app.market.promotions import Calendar, Promotion, Promotions, day_number, today
from app.ops import serving
from app.store.tables import FeedEventRow, FeedPageRow, FeedRow, OrderRow
from app.views import AppError
from recommend.cascade.registry import PROMOTION
from recommend.cascade.request import DAY_MS
from tests.app.feed.test_feed import seen
from tests.app.ops.worlds import report_of
from tests.app.support.clients import client_of, code, published
from tests.app.support.moments import at_once

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
    target = calendar.target(first + 20)
    assert (target.day, target.last, target.promotion, set(target.alike)) == (first + 20, first + 21, 2, {first + 10})
    with pytest.raises(AppError, match="There is no promotion on"):
        calendar.target(first)


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


def test_a_copy_for_a_day_that_has_none_is_refused_in_a_sentence(services, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IPL_HOME", str(tmp_path))
    services.promotions.declare("sale", today(), 3)
    for wrong, words in (
        (["recommend", "promote", "--day", str(today() + 9 * DAY)], "There is no promotion on"),
        (["recommend", "promote", "--day", str(today() - DAY)], "is over"),
        (["recommend", "promote", "--day", "tomorrow"], "'tomorrow' is no day"),
        (["recommend", "promote"], "nothing has been seen in the feed yet"),
    ):
        assert main(wrong) == 2
        assert words in capsys.readouterr().err


def test_on_its_days_the_page_says_that_a_promotion_has_no_copy(client, services):
    published(client)
    assert "promotion" not in seen(client)["models"]
    number = declared(client, today(), 1).json()["id"]
    page = seen(client)
    assert page["models"]["promotion"] == "none"
    assert page["degraded"] == ["pre_ranking", "ranking", "conversion", "ads", "promotion"]
    with services.store.read() as session:
        known = session.get(FeedPageRow, page["id"]).known
    assert (known["promotion"], known["days_to_promotion"]) == (number, 0)
    assert serving.promotions(services.feed, services.promotions.calendar()).rows[0][4:] == ("on", "no copy: none")
    client.delete(f"/v1/promotions/{number}")
    assert "promotion" not in seen(client)["degraded"]


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


def test_a_copy_is_made_from_the_store_serves_its_days_and_is_thrown_away(build, tmp_path, monkeypatch, capsys):
    services = build(feed_per_second=1e6)
    monkeypatch.setenv("IPL_HOME", str(tmp_path))
    with client_of(services) as client:
        lived(services, {ago: (24, 0.9) if ago in (19, 20) else (8, 0.1) for ago in range(1, 25)})
        for n in range(4):
            published(client, price=10 + n)
        log, run = tmp_path / "log", tmp_path / "run"
        assert main(["recommend", "log", "--out", str(log)]) == 0
        train = ["recommend", "train", "--data", str(log), "--out", str(run), "--model", "esmm", "--test-days", "1"]
        small = ("batch_rows=64", "learning_rate=0.01", "mlp=[8]", "embedding=4")
        assert main([*train, *(word for knob in small for word in ("--set", knob))]) == 0
        assert main(["recommend", "install", "--run", str(run), "--role", "conversion"]) == 0
        assert declared(client, today() - 20 * DAY, 2, "the last one").status_code == 201
        assert declared(client, today(), 2, "this one").status_code == 201
        services.feed.refresh()
        before = seen(client)
        assert before["models"]["promotion"] == "none"
        assert before["models"]["conversion"] == "esmm 0001"
        lacks = "“this one” is on without a copy of the conversion model for its days."
        assert lacks in [f.says for f in report_of(services).to_do]
        assert serving.promotions(services.feed, services.promotions.calendar()).rows[0][4:] == (
            "on",
            "no copy: esmm 0001",
        )

        capsys.readouterr()
        assert main(["recommend", "promote"]) == 0
        said = capsys.readouterr().out
        assert f"on {today() - 20 * DAY} and {today() - 19 * DAY}" in said
        services.feed.refresh()
        page = seen(client)
        copy = "esmm_copy 0001 of esmm 0001"
        assert (page["models"]["conversion"], page["models"]["promotion"]) == (copy, copy)
        assert "promotion" not in page["degraded"]
        assert serving.promotions(services.feed, services.promotions.calendar()).rows[0][4:] == ("on", copy)
        assert lacks not in [f.says for f in report_of(services).to_do]
        with services.store.read() as session:
            assert session.get(FeedPageRow, page["id"]).models["promotion"] == copy
            scores = [r.scores["pcvr"] for r in session.scalars(select(FeedRow).where(FeedRow.page_id == page["id"]))]
            old = [r.scores["pcvr"] for r in session.scalars(select(FeedRow).where(FeedRow.page_id == before["id"]))]
        assert np.mean(scores) > np.mean(old) + 0.02

        begun = datetime.now(UTC)
        for days, by in ((1, copy), (2, "esmm 0001")):
            monkeypatch.setattr("app.feed.live_feed.now", lambda days=days: begun + timedelta(days=days))
            assert seen(client)["models"]["conversion"] == by  # at midnight, before the registry is looked at
            services.feed.refresh()
            assert seen(client)["models"]["conversion"] == by
        assert services.feed.registry.versions(PROMOTION) == []
        events = serving.model_events(services.feed).rows
        assert events[0][1:] == ("discarded", "promotion", "0001", "its days are over")


def test_the_page_declares_and_withdraws_a_promotion(client, services):
    def declared_now():
        return [p.name for p in services.promotions.calendar().promotions]

    def post(**form):
        return client.post("/ops/promotions", data=form)

    wish = {"name": "sale <b>", "first": str(today()), "days": "2"}
    assert code(post(**wish)) == (422, "invalid")  # nobody said that the days are right
    assert declared_now() == []
    wish["sure"] = "yes"
    page = post(**wish).text
    assert "“sale &lt;b&gt;”" in page
    assert "is declared, as number 1" in page
    assert declared_now() == ["sale <b>"]
    again = post(**wish)
    assert (again.status_code, "a day has one promotion" in again.text) == (409, True)
    for wrong in ({"name": ""}, {"first": "Friday"}, {"first": str(today() + 9 * DAY), "days": "99"}, {"days": "many"}):
        assert post(**{**wish, **wrong}).status_code == 422
    assert "no such promotion" in post(number="9", sure="yes").text
    assert declared_now() == ["sale <b>"]
    assert "is off the calendar" in post(number="1", sure="yes").text
    assert declared_now() == []
