"""What the version before left on the disk opens: store, photos, index, passwords, token, backup.

``before/schema-7.tar.gz`` was written by that version: two people, three listings (one changed, one sold outside, one
bought), a draft with an edit, a post, a promotion; and a backup of it all.
"""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.services import Services
from app.settings import Settings
from app.store.backup.restore import restore
from app.web.server import create_app
from tests.app.support.small_index import open_index, titles_in
from tests.fakes import FakePipeline

ARCHIVE = Path(__file__).with_name("before") / "schema-7.tar.gz"
TITLES = ["Hoodie number 0", "Hoodie with a new title", "Hoodie number 2"]


@pytest.fixture
def before(tmp_path: Path) -> Path:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


def opened(home: Path, passwords: Path) -> Services:
    settings = Settings(home=home, passwords=passwords)
    return Services(settings, pipeline=FakePipeline(), index=open_index(home / "index"))


def check_store(services: Services, facts: dict[str, str]) -> None:
    """Listings with their photos, the order, the draft and the post, through the API."""
    headers = {"Authorization": f"Bearer {facts['token']}"}
    with TestClient(create_app(services, page=False), base_url="http://localhost", headers=headers) as client:
        listings = {row["id"]: row for row in client.get("/v1/listings").json()["listings"]}
        assert [listings[i]["title"] for i in facts["listings"]] == TITLES
        assert [listings[i]["status"] for i in facts["listings"]] == ["sold", "active", "sold"]
        assert [float(listings[i]["price"]) for i in facts["listings"]] == [10, 11, 12]
        for row in listings.values():
            assert len(row["photos"]) == 2
            for photo in row["photos"]:
                assert client.get(f"/v1/photos/{photo['id']}").content.startswith(b"\xff\xd8")
        assert [order["id"] for order in client.get("/v1/orders").json()["orders"]] == [facts["order"]]
        assert [post["id"] for post in client.get("/v1/posts").json()["posts"]] == [facts["post"]]
        assert client.get(f"/v1/drafts/{facts['draft']}").status_code == 404  # ben's
        # What that version had no column for: each seller gets a public page, searches can be saved.
        page = re.search(r"/feed/sellers/[0-9a-f]{16}", client.get(f"/l/{facts['listings'][1]}").text)[0]
        assert TITLES[1] in client.get(page).text
        assert client.post("/v1/searches", json={"query": "q=hoodie"}).status_code == 201
    assert [p.name for p in services.promotions.calendar().promotions] == ["sale"]


def test_a_home_of_the_version_before_opens(before: Path) -> None:
    facts = json.loads((before / "facts.json").read_text())
    services = opened(before / "home", before / "home" / "passwords")
    try:
        check_store(services, facts)
        assert titles_in(services.index) == dict(zip(facts["listings"], TITLES, strict=True))
        app = create_app(services, page=False)
        for name in ("ann", "ben"):
            with TestClient(app, base_url="http://localhost", follow_redirects=False) as browser:
                form = {"name": name, "password": f"{name} likes hats"}
                assert browser.post("/sign-in", data=form).status_code == 303
                assert browser.post("/sign-in", data={**form, "password": "wrong"}).status_code == 401
    finally:
        services.close()


def test_a_backup_of_the_version_before_is_restored(before: Path, tmp_path: Path) -> None:
    facts = json.loads((before / "facts.json").read_text())
    home = tmp_path / "new"
    restored = restore(before / "backup.tar", Settings(home=home))
    assert (restored.listings, restored.photos) == (3, 8)
    services = opened(home, before / "home" / "passwords")
    try:
        check_store(services, facts)
        assert titles_in(services.index) == dict(zip(facts["listings"], TITLES, strict=True))
    finally:
        services.close()
