"""Backup and restore: the same rows and photos come back; what was changed, cut or made by somebody else does not."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from app.cli.main import main
from app.feed.items import Projection
from app.services import Services
from app.settings import Settings
from app.store.backup.archive import MANIFEST, TargetExists, back_up
from app.store.backup.postgres import BackupError
from app.store.backup.restore import ArchiveError, restore
from app.store.db import StoreError, engine_of
from app.store.media import Media, photo_ids
from listing.intake.photos import intake
from tests.app.support.clients import client_of, published
from tests.app.support.restores import damage, photos_of, rows_of
from tests.app.support.shop import buy, seen
from tests.fakes import FakeIndex, FakePipeline, jpeg


def use(services):
    """Listings, a sale, a page of the feed with events, a file in the feed's models."""
    with client_of(services) as client:
        listings = [published(client, price=10 + n) for n in range(4)]
        page = seen(client)
        events = [{"page_id": page["id"], "listing_id": listings[1]["id"], "kind": "click"}]
        client.post("/v1/events", json={"visitor": "vera", "events": events})
        assert buy(client, listings[0], page_id=page["id"]).status_code == 201
        assert client.post("/v1/searches", json={"query": "q=hoodie"}).status_code == 201
    Projection.load(
        services.settings.home / "feed" / "projection.safetensors",
        lambda: np.random.default_rng(0).normal(size=(40, 24)).astype(np.float32),
    )
    model = services.settings.home / "feed" / "models" / "ranking" / "0001"
    model.mkdir(parents=True)
    (model / "manifest.json").write_text("{}")
    (model.parents[2] / "feed.yaml").write_text("ranking: []\n")
    (model.parent / ".0002.part").mkdir()
    (model.parent / ".0002.part" / "half").write_text("x")
    return services


@pytest.fixture
def used(build):
    """A server that was used."""
    return use(build(feed_per_second=1e6))


@pytest.fixture
def archive(used, tmp_path):
    """The archive of ``used``."""
    out = tmp_path / "b.tar"
    back_up(used.settings, out)
    return out


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An archive that is made once and never changed."""
    home = tmp_path_factory.mktemp("made")
    services = use(Services(Settings(home=home), pipeline=FakePipeline(), index=FakeIndex()))
    services.close()
    back_up(services.settings, home / "made.tar")
    return home / "made.tar"


@pytest.fixture
def copied(made, tmp_path):
    """A copy that may be changed."""
    return Path(shutil.copyfile(made, tmp_path / "copied.tar"))


def test_everything_comes_back(used, archive, tmp_path):
    home = tmp_path / "other" / "home"
    (home / "models").mkdir(parents=True)  # what the launcher makes before any command runs
    done = restore(archive, Settings(home=home))
    assert (done.listings, done.photos, done.aside) == (4, 4, None)
    assert not (home / "session.key").exists()
    assert (home / "feed" / "feed.yaml").read_text() == "ranking: []\n"
    assert not list((home / "feed").rglob(".0002*"))
    projection = "feed/projection.safetensors"
    assert (home / projection).read_bytes() == (used.settings.home / projection).read_bytes()
    before = rows_of(used.store)
    tables = ("listings", "orders", "photos", "feed_pages", "feed_rows", "saved_searches", "sellers")
    assert all(before[name] for name in tables)
    index = FakeIndex()
    again = Services(Settings(home=home), pipeline=FakePipeline(), index=index)
    try:
        assert rows_of(again.store) == before
        assert photos_of(again) == photos_of(used)
        assert set(index.entries) == {row[0] for row in before["listings"]}
        assert len(again.feed.feed.catalog) == 3  # one is sold
    finally:
        again.close()


def test_nothing_that_signs_in_is_inside_and_only_the_owner_reads_it(used, archive):
    (used.settings.home / "session.key").write_bytes(b"k" * 32)
    with tarfile.open(archive) as tar:
        names = tar.getnames()
        manifest = json.load(tar.extractfile(MANIFEST))
    assert names[0] == MANIFEST
    assert not [n for n in names if "session" in n or "password" in n or "/." in n]
    assert set(names[1:]) == set(manifest["files"])
    assert archive.stat().st_mode & 0o777 == 0o600
    assert not list(used.settings.home.glob(".backup-*"))


def test_a_backup_while_others_publish_and_delete_is_one_moment(used, tmp_path):
    stop = threading.Event()
    me = used.sellers.named("me").id

    def traffic():
        turn = 0
        while not stop.is_set():
            draft = list(used.draft_writer.start(me, intake([jpeg((turn % 200, 9, 9))])))[-1].draft_id
            listing = used.publisher.publish(me, draft, key=draft)
            turn += 1
            if turn % 2:
                used.publisher.delete(me, listing.id)

    thread = threading.Thread(target=traffic)
    thread.start()
    try:
        for turn in range(4):
            written = back_up(used.settings, tmp_path / f"{turn}.tar")
            assert written.lost == ()
    finally:
        stop.set()
        thread.join()
    for turn in range(4):
        settings = Settings(home=tmp_path / f"home{turn}")
        restore(tmp_path / f"{turn}.tar", settings)
        with engine_of(settings.store_url) as engine:
            assert set(Media(settings.media_folder).ids()) == photo_ids(engine)


def test_a_photo_deleted_during_a_backup_is_not_lost(used, tmp_path, monkeypatch):
    """Between the store's copy and its photos' links: the store is copied again."""
    me, real = used.sellers.named("me").id, Media.path
    left = [x.id for x in used.listings.own(me) if x.status == "active"][:1]

    def path(self, photo_id):
        if left:
            used.publisher.delete(me, left.pop())
        return real(self, photo_id)

    monkeypatch.setattr(Media, "path", path)
    written = back_up(used.settings, tmp_path / "b.tar")
    assert (written.photos, written.lost) == (3, ())


def test_data_is_never_overwritten_without_force_and_moved_aside_with_it(used, archive):
    before = rows_of(used.store)
    with pytest.raises(TargetExists, match="--force"):
        back_up(used.settings, archive)
    with pytest.raises(TargetExists, match=r"store\.sqlite"):
        restore(archive, used.settings)
    assert rows_of(used.store) == before
    used.close()
    done = restore(archive, used.settings, force=True)
    assert {p.name for p in done.aside.iterdir()} >= {"store.sqlite", "media", "feed"}
    assert rows_of(used.store) == before


def rewrite(archive, change):
    """Every member as (TarInfo, bytes), changed and written again."""
    with tarfile.open(archive) as tar:
        members = [(m, tar.extractfile(m).read()) for m in tar]
    with tarfile.open(archive, "w") as tar:
        for member, data in change(members):
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def named(name, data=b"x", kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info, data


def with_manifest(members, **more):
    manifest = json.loads(members[0][1])
    for key, value in more.items():
        manifest[key] = {**manifest[key], **value} if isinstance(value, dict) else value
    return [(members[0][0], json.dumps(manifest).encode()), *members[1:]]


def flipped(members):
    member, data = members[-1]
    return [*members[:-1], (member, data[:-1] + bytes([data[-1] ^ 1]))]


ENTRY = {"bytes": 1, "sha256": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}
EVIL = (
    "../evil",
    "/tmp/evil",
    "media/../../evil",
    "feed/../../evil",
    "media/ab/" + "c" * 32 + ".jpg/../../../evil",
    "x",
)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (flipped, "checksum"),
        (lambda ms: ms[:-1], "missing"),
        (lambda ms: [*ms, ms[-1]], "does not name"),
        (lambda ms: [*ms, named("extra")], "does not name"),
        (lambda ms: ms[1:], "manifest"),
        (lambda ms: with_manifest(ms, format=2), "format 2"),
        (lambda ms: with_manifest(ms, store="oracle"), "manifest"),
        (lambda ms: [(ms[0][0], b"{"), *ms[1:]], "manifest"),
        (lambda ms: [*ms[:-1], named(ms[-1][0].name, b"", tarfile.SYMTYPE, "/etc/passwd")], "not the file"),
        (lambda ms: [*ms[:-1], named(ms[-1][0].name, b"", tarfile.LNKTYPE, MANIFEST)], "not the file"),
        *[(lambda ms, n=n: [*with_manifest(ms, files={n: ENTRY}), named(n)], "no name of a backup") for n in EVIL],
    ],
)
def test_an_archive_that_was_changed_is_refused_and_nothing_is_left(copied, tmp_path, change, words):
    rewrite(copied, change)
    home = tmp_path / "home"
    with pytest.raises(ArchiveError, match=words):
        restore(copied, Settings(home=home))
    assert {p.name for p in home.iterdir()} == {"home.lock", "backup.lock"}
    assert not (tmp_path / "evil").exists()


def test_an_archive_of_a_damaged_store_is_refused(copied, tmp_path):
    def damaged(members):
        at = next(n for n, (member, _) in enumerate(members) if member.name == "store.sqlite")
        member, data = members[at]
        data = data[:4096] + b"\xff" * (len(data) - 4096)
        entry = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        return with_manifest([*members[:at], (member, data), *members[at + 1 :]], files={member.name: entry})

    rewrite(copied, damaged)
    with pytest.raises(ArchiveError, match="store in the archive is damaged"):
        restore(copied, Settings(home=tmp_path / "home"))


@pytest.mark.parametrize("cut", [0, 100, 700, 0.5, 0.95])
def test_an_archive_that_was_cut_off_is_refused(copied, tmp_path, cut):
    whole = copied.read_bytes()
    copied.write_bytes(whole[: int(cut * len(whole)) if isinstance(cut, float) else cut])
    with pytest.raises(ArchiveError):
        restore(copied, Settings(home=tmp_path / "home"))


def test_a_store_of_a_newer_version_is_refused(used, tmp_path):
    with used.store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'later'"))
    back_up(used.settings, tmp_path / "b.tar")
    with pytest.raises(StoreError, match="newer version"):
        restore(tmp_path / "b.tar", Settings(home=tmp_path / "home"))


def test_the_commands(used, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IPL_HOME", str(used.settings.home))
    out = str(tmp_path / "c.tar")
    assert main(["backup", out]) == 0
    assert "4 photos" in capsys.readouterr().out
    assert main(["backup", out]) == 2
    assert main(["restore", out]) == 2
    assert "--force" in capsys.readouterr().err
    assert main(["restore", out, "--home", str(tmp_path / "new")]) == 0
    assert "4 listings and 4 photos" in capsys.readouterr().out
    assert main(["restore", str(tmp_path / "nowhere.tar"), "--home", str(tmp_path / "new2")]) == 2
    monkeypatch.setenv("IPL_HOME", str(tmp_path / "empty"))
    assert main(["backup", str(tmp_path / "d.tar")]) == 1
    assert "no store" in capsys.readouterr().err


def test_postgresql_without_its_programs_is_one_sentence(used, tmp_path, monkeypatch):
    monkeypatch.setattr("app.store.backup.postgres.shutil.which", lambda name: None)
    with pytest.raises(BackupError, match="pg_dump"):
        back_up(Settings(home=used.settings.home, store="postgresql://nobody@127.0.0.1:1/x"), tmp_path / "p.tar")


@pytest.mark.postgres
def test_the_store_on_postgresql_comes_back(build, url, tmp_path, photos):
    services = build(store=url)
    me = services.sellers.named("me").id
    draft = list(services.draft_writer.start(me, photos))[-1].draft_id
    services.publisher.publish(me, draft, key="k")
    before, files = rows_of(services.store), photos_of(services)
    assert back_up(services.settings, tmp_path / "p.tar").lost == ()
    services.store.engine.dispose()
    settings = Settings(home=tmp_path / "other", store=url)
    with pytest.raises(TargetExists, match="holds tables"):
        restore(tmp_path / "p.tar", settings)
    with pytest.raises(ArchiveError, match="IPL_STORE"):
        restore(tmp_path / "p.tar", Settings(home=tmp_path / "third"))
    with pytest.raises(StoreError, match="cannot be used"):
        restore(tmp_path / "p.tar", Settings(home=tmp_path / "third", store="postgresql://nobody@127.0.0.1:1/x"))
    listing = before["listings"][0][0]
    services.publisher.change(me, listing, {"title": "Later"})
    assert rows_of(services.store) != before
    services.store.engine.dispose()
    restore(tmp_path / "p.tar", settings, force=True)
    again = build(store=url)
    assert rows_of(again.store) == before
    assert {p.stem: p.read_bytes() for p in settings.media_folder.glob("??/*.jpg")} == files
    assert os.environ.get("PGPASSWORD") is None


def test_a_damaged_store_is_not_saved_and_the_good_archive_stays(used, archive, monkeypatch, capsys):
    before = archive.read_bytes()
    used.close()
    damage(used.settings.home, "listings")
    monkeypatch.setenv("IPL_HOME", str(used.settings.home))
    assert main(["backup", str(archive), "--force"]) == 1
    said = capsys.readouterr().err
    assert "damaged" in said
    assert "./ipl restore" in said
    assert archive.read_bytes() == before
    assert main(["backup", str(archive.with_name("new.tar"))]) == 1
    assert not archive.with_name("new.tar").exists()
    assert main(["restore", str(archive), "--force"]) == 0  # which is what the sentence says


def test_without_its_photos_nothing_replaces_the_good_archive(used, archive, monkeypatch, capsys):
    before = archive.read_bytes()
    used.close()
    used.settings.media_folder.rename(used.settings.home / "elsewhere")
    used.settings.media_folder.mkdir()  # as a mount point is without its disk
    monkeypatch.setenv("IPL_HOME", str(used.settings.home))
    assert main(["backup", str(archive), "--force"]) == 1
    said = capsys.readouterr().err
    assert "4 photos" in said
    assert "IPL_MEDIA" in said
    assert said.count("\n") == 1
    assert archive.read_bytes() == before
    other = archive.with_name("other.tar")
    assert main(["backup", str(other)]) == 1  # the rest is saved where nothing is replaced
    assert "4 photos" in capsys.readouterr().err
    restored = restore(other, Settings(home=archive.parent / "new"))
    assert (restored.listings, restored.photos) == (4, 0)
    assert [p for p in archive.parent.iterdir() if p.name.endswith(".part")] == []
