"""Clients of the API without the page, and what most tests do with them."""

from __future__ import annotations

from functools import cache

from fastapi.testclient import TestClient

from app.accounts.passwords import hash_password
from app.web.server import create_app
from tests.fakes import jpeg

PASSWORD = "long enough"


@cache
def _line(name, password):
    return f"{name}:{hash_password(password, name)}\n"


def write_passwords(file, names, password=PASSWORD):
    """A password file; a hash takes a fifth of a second, so that a run makes each once."""
    file.write_text("".join(_line(name, password) for name in names))
    file.chmod(0o600)


class People:
    """Several people on one server with a password file."""

    def __init__(self, build, folder, names, page, **settings):
        write_passwords(folder / "passwords", names)
        self.services = build(passwords=folder / "passwords", **settings)
        self.app = create_app(self.services, page=page)

    def client(self, **named):
        """Of nobody."""
        return TestClient(self.app, base_url="http://localhost", **named)

    def bearer(self, name):
        return {"Authorization": f"Bearer {self.services.sellers.new_token(self.services.sellers.named(name))}"}

    def signed(self, name):
        """With a token."""
        return self.client(headers=self.bearer(name))

    def browser(self, name):
        """Signed in by the form; nobody for None."""
        made = self.client(follow_redirects=False)
        if name:
            made.post("/sign-in", data={"name": name, "password": PASSWORD})
        return made


def client_of(services, **named):
    return TestClient(create_app(services, page=False), base_url="http://localhost", **named)


def draft(client, count=1, **fields):
    files = [("photos", (f"{n}.jpg", jpeg((n * 20, 60, 60)), "image/jpeg")) for n in range(count)]
    return client.post("/v1/drafts", files=files, data=fields)


def published(client, **body):
    made = draft(client).json()["id"]
    return client.post("/v1/listings", json={"draft_id": made, "price": 10, **body}).json()


def code(response):
    assert set(response.json()) == {"error"}
    assert set(response.json()["error"]) == {"code", "message"}
    return response.status_code, response.json()["error"]["code"]
