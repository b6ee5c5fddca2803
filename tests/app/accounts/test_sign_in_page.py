"""The page behind its sign-in, and open to the one person on loopback."""

from __future__ import annotations

from fastapi.testclient import TestClient

from app.web.server import create_app
from tests.app.support.clients import PASSWORD


def test_nobody_sees_the_page_before_signing_in(people):
    browser = people("ann", page=True).browser(None)
    sent = browser.get("/")
    assert (sent.status_code, sent.headers["location"]) == (303, "/feed")
    assert browser.get("/config").status_code == 401
    form = browser.get("/sign-in")
    assert form.status_code == 200
    assert "http" not in form.text.replace("http-equiv", "")
    assert browser.post("/sign-in", data={"name": "ann", "password": PASSWORD}).status_code == 303
    assert browser.get("/").status_code == 200
    assert browser.get("/config").status_code == 200
    browser.get("/sign-out")
    assert browser.get("/").status_code == 303


def test_the_one_person_on_loopback_needs_no_password_but_other_hosts_are_refused(services):
    browser = TestClient(create_app(services), base_url="http://127.0.0.1:7860")
    page = browser.get("/")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    sources = {source for rule in policy.split(";") for source in rule.split()[1:]}
    assert sources == {"'self'", "'none'", "'unsafe-inline'", "'unsafe-eval'", "data:", "blob:"}  # no other host
    assert "strict-transport-security" not in page.headers
    assert browser.get("/", headers={"Host": "rebound.example"}).status_code == 400
    assert browser.get("/v1/listings").json() == {"listings": []}


def test_signing_out_leaves_nothing_of_the_pages_in_the_browser(people):
    browser = people("ann", secure_cookies=True).browser(None)
    signed_in = browser.post("/sign-in", data={"name": "ann", "password": PASSWORD})
    assert "; Secure" in signed_in.headers["set-cookie"]
    answer = browser.get("/sign-out")
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
