"""Buying, asking and reporting on a listing's page; what the seller and the operators see of it."""

from __future__ import annotations

import html
import re

import pytest

from app.seller.actions import Actions
from app.seller.renderer import PageRenderer
from tests.app.market.test_reviews import DOUBTFUL, HONEST
from tests.app.support.clients import client_of, code, draft, published
from tests.app.support.tabs import Tab

PHONE = "Does it fit a child? Call me: +49 170 1234567"


def said(answer):
    """What stands where something was pressed."""
    return [html.unescape(text) for text in re.findall(r'id="said">([^<]+)<', answer.text)]


def form(answer):
    """The hidden fields of the form that buys."""
    return dict(re.findall(r'type="hidden" name="(price|currency|key)" value="([^"]*)"', answer.text))


@pytest.fixture
def buyers(services):
    """Two browsers, each with its cookie."""
    with client_of(services) as one, client_of(services) as two:
        for each in (one, two):
            each.get("/feed")
        yield one, two


@pytest.fixture
def listing(client):
    return published(client, price=12.5)


def test_another_price_is_said_and_can_be_accepted(client, buyers, listing):
    one, _ = buyers
    address = f"/l/{listing['id']}"
    wish = form(one.get(address))
    client.patch(f"/v1/listings/{listing['id']}", json={"price": 14})
    refused = one.post(f"{address}/buy", data=wish)
    assert (refused.status_code, said(refused)) == (409, ["The price is 14.00 EUR now; order again if that suits you."])
    assert "You bought this." in one.post(f"{address}/buy", data=form(refused)).text
    assert client.get("/v1/orders").json()["orders"][0]["amount"] == 14


def test_what_cannot_be_bought(client, buyers, listing):
    one, _ = buyers
    address = f"/l/{listing['id']}"
    with client_of(client.app.state.services) as fresh:
        assert "needs a cookie" in fresh.post(f"{address}/buy", data={"price": "12.5", "key": "k"}).text
    for wish, status in (({"price": "12.5"}, 422), ({"key": "k"}, 422), ({"price": "dear", "key": "k"}, 422)):
        assert one.post(f"{address}/buy", data=wish).status_code == status, wish
    assert one.post("/l/ipl-0/buy", data={"price": "1", "key": "k"}).status_code == 404
    wish = {"price": "12.5", "key": "k"}
    foreign = one.post(f"{address}/buy", data=wish, headers={"Origin": "https://evil.example"})
    assert code(foreign) == (403, "bad_origin")
    assert client.get("/v1/orders").json()["orders"] == []
    client.delete(f"/v1/listings/{listing['id']}")  # while somebody looks at it
    assert "There is no such listing" in one.post(f"{address}/buy", data=wish).text


def test_a_question_is_answered_on_the_page(services, client, me, buyers, listing):
    one, two = buyers
    address = f"/l/{listing['id']}"
    asked = one.post(f"{address}/ask", data={"text": PHONE})
    assert asked.status_code == 200
    assert "Contact data was taken out of it: “+49 170 1234567”" in said(asked)[0]
    one.post(f"{address}/ask", data={"text": PHONE})  # the same again is the same question
    assert asked.text.count("Does it fit a child?") == 1
    assert "1234567" not in one.get(address).text
    assert "Does it fit a child?" not in two.get(address).text  # nobody else reads it before it is answered

    tab = Tab(services)
    tab.press("go", to="mine")
    question = services.messages.of_listings([listing["id"]])[listing["id"]]
    assert len(question) == 1
    assert "Does it fit a child?" in PageRenderer(services).mine(tab.session, me)
    tab.press("reply", id=question[0].id, text="x" * 600)
    notice = tab.session.notices[0]
    assert (notice.at, "600 characters" in notice.words) == (f"question-{question[0].id}", True)
    tab.press("reply", id=question[0].id, text="It fits one of ten. Mail bo@example.org")
    assert "“bo@example.org”" in " ".join(n.words for n in tab.session.notices)
    for buyer in buyers:
        text = buyer.get(address).text
        assert "It fits one of ten." in text
        assert "bo@example" not in text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x" * 10_000, "The question has 10000 characters; shorten it to at most 500."),
        (" \n ", "The question is empty; write it first."),
        ("+49 170 1234567", "The question is contact data only, which is taken out; write what you want to say."),
    ],
)
def test_a_question_that_cannot_be_sent_stays_in_its_field(services, buyers, listing, text, sentence):
    answer = buyers[0].post(f"/l/{listing['id']}/ask", data={"text": text})
    assert (answer.status_code, said(answer)) == (422, [sentence])
    assert f">{text}</textarea>" in answer.text
    assert services.messages.of_listings([listing["id"]]) == {}


OFFER = "I also have cocaine for sale, 50 a gram"


def test_goods_that_may_not_be_listed_are_not_offered_in_questions_or_answers(services, buyers, listing):
    address = f"/l/{listing['id']}"
    asked = buyers[0].post(f"{address}/ask", data={"text": OFFER})
    assert (asked.status_code, said(asked)) == (422, ["Drugs and drug equipment cannot be listed."])
    assert f">{OFFER}</textarea>" in asked.text
    buyers[0].post(f"{address}/ask", data={"text": "Is it warm?"})
    question = services.messages.of_listings([listing["id"]])[listing["id"]][0]
    tab = Tab(services)
    tab.press("reply", id=question.id, text="k o k a i n is there too")
    assert "Drugs and drug equipment cannot be listed." in tab.session.notices[0].words
    assert services.messages.of_listings([listing["id"]])[listing["id"]][0].answer is None


@pytest.mark.parametrize(
    "text",
    [
        "Is it an original or a copy?", "Is the gun holster included?", "Would you take 20 in cash?",
        "Was it washed with bleach?", "Does a bottle of wine fit in?", "Is it real ivory or plastic?",
    ],
)  # fmt: skip
def test_what_buyers_ask_is_asked(buyers, listing, text):
    assert buyers[0].post(f"/l/{listing['id']}/ask", data={"text": text}).status_code == 200


def test_a_report_may_name_goods_that_may_not_be_listed(services, buyers, listing):
    address = f"/l/{listing['id']}/report"
    answer = buyers[0].post(address, data={"reason": "prohibited", "text": OFFER})
    assert answer.status_code == 200, said(answer)
    assert OFFER in services.messages.reports()[0].text


def test_questions_that_wait_are_bounded(buyers, listing):
    address = f"/l/{listing['id']}/ask"
    answers = [buyers[0].post(address, data={"text": f"Question {n}?"}).status_code for n in range(7)]
    assert answers == [200] * 5 + [429] * 2
    assert buyers[1].post(address, data={"text": "Question?"}).status_code == 200


def test_only_the_seller_answers(people):
    here = people("ann", "bob", "eve")
    ann, bob = here.browser("ann"), here.browser("bob")
    listing = ann.post("/v1/listings", json={"draft_id": draft(ann).json()["id"], "price": 10}).json()
    assert bob.post(f"/l/{listing['id']}/ask", data={"text": "Is it warm?"}).status_code == 200
    own = ann.post(f"/l/{listing['id']}/ask", data={"text": "Is it warm?"})
    assert (own.status_code, "This is your own listing." in own.text) == (422, True)
    services = here.services
    question = services.messages.of_listings([listing["id"]])[listing["id"]][0]
    for name in ("bob", "eve"):
        session = Tab(services).session
        who = services.sellers.named(name).id
        Actions(services, who, session).press({"do": "reply", "id": question.id, "text": "Yes"})
        assert "no such question" in session.notices[0].words
    assert services.messages.of_listings([listing["id"]])[listing["id"]][0].answer is None
    # A question goes with its listing.
    ann.delete(f"/v1/listings/{listing['id']}")
    assert services.messages.of_listings([listing["id"]]) == {}


def test_a_report_reaches_the_operators_who_take_it_off_sale_and_decide(client, services, buyers, listing):
    one, two = buyers
    address = f"/l/{listing['id']}"
    for text in ("a knife in truth", "+49 170 1234567"):
        sent = one.post(f"{address}/report", data={"reason": "prohibited", "text": text})
        assert (sent.status_code, said(sent)[0][:9]) == (200, "Thank you")
    reports = client.get("/ops/export/reports.json").json()
    assert [row["listing"] for row in reports] == [listing["id"]] * 2
    assert reports[0]["report"] == "It may not be sold here. a knife in truth"
    assert "1234567" not in str(reports)
    assert "a knife in truth" not in one.get(address).text

    assert two.get(address).status_code == 200  # by itself a report changes nothing
    assert client.post(f"/v1/reviews/{listing['id']}/hold").status_code == 204
    assert listing["id"] not in two.get("/feed").text
    mine = client.get(f"/v1/listings/{listing['id']}").json()
    assert mine["status"] == "review"
    assert mine["review"].startswith("Somebody reported this listing.")
    for words in (HONEST, DOUBTFUL, HONEST):  # no edit brings it back
        assert client.patch(f"/v1/listings/{listing['id']}", json={"description": words}).json()["status"] == "review"
    waiting = client.get("/v1/reviews").json()["reviews"][0]
    assert waiting["code"] == "reported"
    approve = client.post(f"/v1/reviews/{listing['id']}/approve", json={"version": waiting["version"]})
    assert approve.status_code == 204
    assert client.get(f"/v1/listings/{listing['id']}").json()["status"] == "active"
    assert client.get("/ops/export/reports.json").json() == []
    assert listing["id"] in two.get("/feed").text
    assert code(client.post("/v1/reviews/ipl-0/hold")) == (404, "not_found")
