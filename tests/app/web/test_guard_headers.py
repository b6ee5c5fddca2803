"""Headers that other sites or odd programs send: no write without one's own page behind it, no header is a 500."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from app.store.tables import FeedPageRow
from tests.app.support.clients import client_of, code, published

FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},  # another port of this machine
    {"Sec-Fetch-Site": "nonsense"},
    {"Origin": "https://evil.example"},
    {"Referer": "https://evil.example/page"},
    {"Origin": "null"},
    {"Referer": "http://["},
]
OWN = [
    {},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://localhost"},
    {"Referer": "http://localhost/any"},
]


def pages(services) -> int:
    with services.store.read() as session:
        return session.scalar(select(func.count()).select_from(FeedPageRow)) or 0


def test_a_picture_on_another_site_does_not_ask_for_pages_of_the_feed(services):
    with client_of(services) as client:
        for headers in FOREIGN:
            answer = client.get("/v1/feed/me", headers=headers)
            assert code(answer) == (403, "bad_origin"), headers
            read = client.get("/v1/listings", headers=headers)
            assert not [name for name in (*answer.headers, *read.headers) if name.startswith("access-control-")]
        assert pages(services) == 0
        for headers in OWN:
            assert client.get("/v1/feed/me", headers=headers).status_code == 200
        assert pages(services) == len(OWN)


def test_a_picture_on_another_site_reads_no_messages_in_somebodys_stead(people):
    here = people("ann", "bob")
    ann, bob = here.browser("ann"), here.browser("bob")
    listing = published(ann)
    questions = f"/v1/listings/{listing['id']}/questions"
    asked = bob.post(questions, json={"text": "Is it warm?"}).json()
    ann.put(f"/v1/questions/{asked['id']}/answer", json={"text": "Very"})
    order = {"json": {"listing_id": listing["id"], "price": 10}, "headers": {"Idempotency-Key": "one"}}
    messages = f"/v1/orders/{bob.post('/v1/orders', **order).json()['id']}/messages"
    ann.post(messages, json={"text": "On Monday?"})
    for headers in FOREIGN:
        for address in (questions, messages):
            assert code(bob.get(address, headers=headers)) == (403, "bad_origin"), headers
    assert bob.get("/v1/news").json()["buying"] == 2
    for address in (questions, messages):
        assert bob.get(address, headers=OWN[0]).status_code == 200
    assert bob.get("/v1/news").json()["buying"] == 0


def test_another_site_does_not_sign_anybody_out(two):
    ann, _, browser = two
    assert ann.get("/v1/feed/me", headers=FOREIGN[0]).status_code == 200  # a token is as good as one's own page
    browser.post("/sign-in", data={"name": "ann", "password": "long enough"}, follow_redirects=False)
    for headers in FOREIGN:
        assert code(browser.get("/sign-out", headers=headers)) == (403, "bad_origin"), headers
    assert browser.get("/v1/listings").status_code == 200
    assert browser.get("/sign-out", headers=OWN[1], follow_redirects=False).status_code == 303
    assert code(browser.get("/v1/listings")) == (401, "sign_in")


def test_a_foreign_host_is_refused(client):
    assert code(client.get("/v1/listings", headers={"Host": "evil.example"})) == (400, "bad_host")
    for origin in ("http://[", "http://]", "http://[::1", "//[x", "http://a:b:c"):  # what cannot be read is foreign
        assert code(client.post("/v1/orders", json={}, headers={"Origin": origin})) == (403, "bad_origin")


HEADERS = (
    "Origin",
    "Host",
    "Referer",
    "Content-Length",
    "Cookie",
    "Authorization",
    "Sec-Fetch-Site",
    "X-Forwarded-For",
)
PIECES = ["http://", "[", "]", ":", "::1", "localhost", "9" * 5000, "\xe9", ";", "=", '"', "Bearer ", "%", "@"]
LETTERS = st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=8)
VALUES = st.lists(st.one_of(st.sampled_from(PIECES), LETTERS), max_size=5)
CALLS = [("GET", "/v1/feed/me"), ("POST", "/v1/orders"), ("POST", "/sign-in"), ("GET", "/sign-out")]


@pytest.fixture
def anywhere(people):
    """A server that answers to every host name, as on a network without IPL_HOSTS."""
    here = people("ann", host="0.0.0.0")
    with here.client(raise_server_exceptions=False) as client:
        yield client, here.bearer("ann")


@pytest.mark.parametrize("place", ["host", "own"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_header_is_an_error_of_the_server(anywhere, place, data):
    client, bearer = anywhere
    method, path = data.draw(st.sampled_from(CALLS))
    chosen = data.draw(st.dictionaries(st.sampled_from(HEADERS), VALUES.map("".join), min_size=1, max_size=3))
    if place == "own" and "Authorization" not in chosen:
        chosen |= bearer
    headers = {name: value.encode("latin-1") for name, value in chosen.items()}
    form = {"name": "ann", "password": "x"} if path == "/sign-in" else None
    answer = client.request(method, path, headers=headers, data=form, follow_redirects=False)
    assert answer.status_code < 500, (headers, answer.text[:200])
