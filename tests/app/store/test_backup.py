"""Backup and restore: the same rows and photos come back; what is damaged, cut or made by somebody else does not."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import stat
import tarfile
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from app.cli.main import main
from app.feed.items import Projection
from app.services import Services
from app.settings import Settings
from app.store import db
from app.store.backup import archive as archives
from app.store.backup.archive import MANIFEST, TargetExists, back_up
from app.store.backup.photo_files import note_hashes
from app.store.backup.postgres import BackupError
from app.store.backup.restore import ArchiveError, restore
from app.store.db import StoreError, engine_of
from app.store.media import Media, photo_ids
from listing.intake.photos import intake
from tests.app.support.clients import client_of, published
from tests.app.support.restores import leftovers, photos_of, rows_of
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


@pytest.fixture
def empty(request, backend):
    """Settings that name an empty store of the backend's kind."""
    if not backend.settings:
        yield {}
        return
    with request.getfixturevalue("databases").fresh("template1") as url:
        yield {"store": url}


@pytest.mark.stores(both=True)
def test_everything_comes_back_row_by_row_and_photo_by_photo(used, archive, empty, tmp_path):
    home, before, photos = tmp_path / "other" / "home", rows_of(used.store), photos_of(used)
    done = restore(archive, home, Settings(home=tmp_path, **empty))
    assert (done.listings, done.photos) == (4, 4)
    assert not (home / "session.key").exists()
    assert (home / "feed" / "feed.yaml").read_text() == "ranking: []\n"
    assert not list((home / "feed").rglob(".0002*"))
    projection = "feed/projection.safetensors"
    assert (home / projection).read_bytes() == (used.settings.home / projection).read_bytes()
    tables = ("listings", "orders", "photos", "feed_pages", "feed_rows", "sellers")
    assert all(before[name] for name in tables)
    index = FakeIndex()
    again = Services(Settings(home=home, **empty), pipeline=FakePipeline(), index=index)
    try:
        assert rows_of(again.store) == before
        assert photos_of(again) == photos
        assert set(index.entries) == {row[0] for row in before["listings"]}
        assert len(again.feed.feed.catalog) == 3  # one is sold
    finally:
        again.close()
    assert rows_of(used.store) == before


def test_nothing_that_signs_in_is_inside_and_only_the_owner_reads_it(used, archive):
    (used.settings.home / "session.key").write_bytes(b"k" * 32)
    with tarfile.open(archive) as tar:
        names = tar.getnames()
        manifest = json.load(tar.extractfile(MANIFEST))
    assert names[0] == MANIFEST
    assert not [n for n in names if "session" in n or "password" in n or "/." in n]
    assert set(names[1:]) == set(manifest["files"])
    assert archive.stat().st_mode & 0o777 == 0o600
    assert leftovers(used.settings.home, archive.parent) == []


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
            assert written.damaged == ()
    finally:
        stop.set()
        thread.join()
    for turn in range(4):
        settings = Settings(home=tmp_path / f"home{turn}")
        restore(tmp_path / f"{turn}.tar", settings.home, settings)
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
    assert (written.photos, written.damaged) == (3, ())


def test_nothing_is_overwritten(used, archive, made, tmp_path):
    with pytest.raises(TargetExists, match="--force"):
        back_up(used.settings, archive)
    before = rows_of(used.store)
    for place in (used.settings.home, archive):
        with pytest.raises(TargetExists, match="name a new"):
            restore(made, place, used.settings)
    assert rows_of(used.store) == before
    (tmp_path / "empty").mkdir()
    assert restore(made, tmp_path / "empty", used.settings).listings == 4


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
        restore(copied, home, Settings(home=home))
    assert [p.name for p in tmp_path.iterdir()] == ["copied.tar"]


def test_an_archive_of_a_damaged_store_is_refused(copied, tmp_path):
    def damaged(members):
        at = next(n for n, (member, _) in enumerate(members) if member.name == "store.sqlite")
        member, data = members[at]
        data = data[:4096] + b"\xff" * (len(data) - 4096)
        entry = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        return with_manifest([*members[:at], (member, data), *members[at + 1 :]], files={member.name: entry})

    rewrite(copied, damaged)
    with pytest.raises(ArchiveError, match="store in the archive is damaged"):
        restore(copied, tmp_path / "home", Settings(home=tmp_path))


@pytest.mark.parametrize("cut", [0, 100, 700, 0.5, 0.95])
def test_an_archive_that_was_cut_off_is_refused(copied, tmp_path, cut):
    whole = copied.read_bytes()
    copied.write_bytes(whole[: int(cut * len(whole)) if isinstance(cut, float) else cut])
    with pytest.raises(ArchiveError):
        restore(copied, tmp_path / "home", Settings(home=tmp_path))


def test_a_store_of_a_newer_version_is_refused(used, tmp_path):
    with used.store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'later'"))
    back_up(used.settings, tmp_path / "b.tar")
    with pytest.raises(ArchiveError, match="newer version"):
        restore(tmp_path / "b.tar", tmp_path / "home", Settings(home=tmp_path))


def test_the_commands(used, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IPL_HOME", str(used.settings.home))
    out = str(tmp_path / "c.tar")
    assert main(["backup", out]) == 0
    assert "4 photos" in capsys.readouterr().out
    assert main(["backup", out]) == 2
    assert main(["restore", out, "--into", str(used.settings.home)]) == 2
    assert "not empty" in capsys.readouterr().err
    assert main(["restore", out, "--into", str(tmp_path / "new")]) == 0
    said = capsys.readouterr().out
    assert "4 listings and 4 photos" in said
    assert f"IPL_HOME={tmp_path / 'new'}" in said
    assert main(["restore", str(tmp_path / "nowhere.tar"), "--into", str(tmp_path / "new2")]) == 2


def test_a_home_that_is_not_there_is_not_made(tmp_path, monkeypatch, capsys):
    for name, value in (("IPL_HOME", tmp_path / "wrong"), ("IPL_STORE", "postgresql://nobody@127.0.0.1:1/x")):
        monkeypatch.setenv(name, str(value))
        assert main(["backup", str(tmp_path / "d.tar")]) == 1
        assert "check IPL_HOME" in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []


def fifo(path):
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (fifo, "a pipe"),
        (lambda path: path.symlink_to("elsewhere"), "a link"),
        (lambda path: path.mkdir(), "a folder"),
        (lambda path: os.mknod(path, stat.S_IFSOCK), "a pipe or a device"),
    ],
)
def test_only_a_file_is_replaced(used, tmp_path, monkeypatch, capsys, make, words):
    monkeypatch.setenv("IPL_HOME", str(used.settings.home))
    make(tmp_path / "b.tar")
    before = (tmp_path / "b.tar").lstat()
    assert main(["backup", str(tmp_path / "b.tar"), "--force"]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    after = (tmp_path / "b.tar").lstat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)


def test_postgresql_without_its_programs_is_one_sentence(used, tmp_path, monkeypatch):
    monkeypatch.setattr("app.store.backup.postgres.shutil.which", lambda name: None)
    with pytest.raises(BackupError, match="pg_dump"):
        back_up(Settings(home=used.settings.home, store="postgresql://nobody@127.0.0.1:1/x"), tmp_path / "p.tar")


@pytest.mark.postgres
def test_postgresql_comes_back_into_an_empty_database_alone(build, url, databases, tmp_path, photos):
    services = build(store=url)
    me = services.sellers.named("me").id
    draft = list(services.draft_writer.start(me, photos))[-1].draft_id
    services.publisher.publish(me, draft, key="k")
    before = rows_of(services.store)
    back_up(services.settings, tmp_path / "p.tar")
    for store, error, words in (
        (url, TargetExists, "not empty"),
        ("", ArchiveError, "IPL_STORE"),
        ("postgresql://nobody@127.0.0.1:1/x", StoreError, "cannot be opened"),
    ):
        with pytest.raises(error, match=words):
            restore(tmp_path / "p.tar", tmp_path / "new", Settings(home=tmp_path, store=store))
    assert rows_of(services.store) == before
    assert not (tmp_path / "new").exists()
    assert leftovers(tmp_path) == []
    with services.store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'later'"))
    back_up(services.settings, tmp_path / "later.tar")
    with databases.fresh("template1") as empty:
        settings = Settings(home=tmp_path, store=empty)
        with pytest.raises(ArchiveError, match="newer version"):
            restore(tmp_path / "later.tar", tmp_path / "new", settings)
        restore(tmp_path / "p.tar", tmp_path / "new", settings)  # as the database stayed empty
    assert os.environ.get("PGPASSWORD") is None


def some_photo(home):
    return min((home / "media").glob("??/*.jpg"))


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def instead(file, make):
    """Something else stands where a file or a folder was."""
    file.rename(file.with_name("away"))
    make(file)


def run_sql(home, *statements):
    with closing(sqlite3.connect(home / "store.sqlite")) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def zero_page(home, wanted):
    """Zeros for the first page of the store that ``wanted`` takes: (number from 1, bytes) of a page."""
    file = home / "store.sqlite"
    content = bytearray(file.read_bytes())
    size = int.from_bytes(content[16:18])
    at = next(n for n in range(0, len(content), size) if wanted(n // size + 1, content[n : n + size]))
    content[at : at + size] = bytes(size)
    file.write_bytes(content)


def zero_overflow(home):
    """The last page of a long value, whose place in the chain stays right: SQLite's own check finds nothing."""
    long = "json_object('title', replace(hex(zeroblob(6000)), '0', 'y'))"
    run_sql(home, f"UPDATE listings SET published = {long}")
    zero_page(home, lambda _, page: page[:4] == bytes(4) and page[4:104] == b"y" * 100)


def zero_table(home):
    with closing(sqlite3.connect(home / "store.sqlite")) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'orders'").fetchone()[0]
    zero_page(home, lambda number, _: number == root)


def tear_log(home):
    """The log of a killed server, in whose middle some bytes are gone."""
    store, log = home / "store.sqlite", home / "store.sqlite-wal"
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        for number in range(5):
            connection.execute("INSERT INTO feed_numbers (kind, key) VALUES ('torn', ?)", (number,))
            connection.commit()
        contents = {file: file.read_bytes() for file in (store, log)}
    torn = contents[log]
    contents[log] = torn[: len(torn) // 2] + bytes(600) + torn[len(torn) // 2 + 600 :]
    for file, content in contents.items():
        file.write_bytes(content)


CUT_JSON = "UPDATE listings SET attributes = substr(attributes, 1, length(attributes) - 1)"
UNTRIGGER = "DROP TRIGGER listing_trigrams_changed"
DAMAGE = {
    "a photo of 0 bytes": (lambda home: some_photo(home).write_bytes(b""), r"[0-9a-f]{32}\.jpg \(0 bytes\)"),
    "half a photo": (lambda home: os.truncate(some_photo(home), 400), "not what was stored"),
    "a photo of zeros": (lambda home: some_photo(home).write_bytes(bytes(900)), "not what was stored"),
    "a photo is missing": (lambda home: some_photo(home).unlink(), "missing"),
    "a flipped bit": (lambda home: flip(some_photo(home)), "not what was stored"),
    "a photo is a folder": (lambda home: instead(some_photo(home), Path.mkdir), "a folder"),
    "a photo is a pipe": (lambda home: instead(some_photo(home), os.mkfifo), "no file"),
    "no photos": (lambda home: instead(home / "media", Path.mkdir), r"(\.jpg \(missing\).*){4}IPL_MEDIA"),
    "media is a file": (lambda home: instead(home / "media", Path.touch), "is a file.*IPL_MEDIA"),
    "the end of a long value": (zero_overflow, r"listings\.published of ipl-"),
    "a page of a table": (zero_table, "damaged.*--into"),
    "a cut JSON": (lambda home: run_sql(home, UNTRIGGER, CUT_JSON), r"listings\.attributes of ipl-"),
    "bytes that are no text": (lambda home: run_sql(home, "UPDATE sellers SET name = CAST(x'ff' AS TEXT)"), "sellers"),
    "a torn log": (tear_log, "log .*--into"),
    "half a store": (lambda home: os.truncate(home / "store.sqlite", 40_000), "damaged.*--into"),
    "no store at all": (lambda home: (home / "store.sqlite").write_bytes(b"text" * 999), "damaged or no store"),
    "an unreadable store": (lambda home: (home / "store.sqlite-wal").mkdir(), "cannot be read.*rights"),
    "the store is a folder": (lambda home: instead(home / "store.sqlite", Path.mkdir), "no store.*IPL_HOME"),
}


@pytest.mark.parametrize(("damage", "words"), DAMAGE.values(), ids=DAMAGE)
def test_what_is_damaged_is_named_and_the_good_archive_stays(made, tmp_path, monkeypatch, capsys, damage, words):
    home, archive = shutil.copytree(made.parent, tmp_path / "home"), shutil.copy(made, tmp_path / "b.tar")
    damage(home)
    monkeypatch.setenv("IPL_HOME", str(home))
    before = hashlib.sha256(Path(archive).read_bytes()).hexdigest()
    assert main(["backup", str(archive), "--force"]) == 1
    said = capsys.readouterr().err
    assert re.search(words, said), said
    assert said.count("\n") == 1
    assert "unforeseen" not in said
    assert "restore FILE --force" not in said
    assert hashlib.sha256(Path(archive).read_bytes()).hexdigest() == before
    assert leftovers(home, tmp_path) == []


def test_a_store_that_is_locked_is_not_called_damaged(made, tmp_path, monkeypatch, capsys):
    home = shutil.copytree(made.parent, tmp_path / "home")
    for module in (archives, db):
        monkeypatch.setattr(module, "BUSY_SECONDS", 0.1)
    monkeypatch.setenv("IPL_HOME", str(home))
    with closing(sqlite3.connect(home / "store.sqlite", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")
        for arguments in (["backup", str(tmp_path / "new.tar")], ["accounts", "token", "me"]):
            assert main(arguments) == 1
            said = capsys.readouterr().err
            assert "locked" in said
            assert "nothing is wrong" in said
            assert "restore" not in said
        other.execute("ROLLBACK")
    assert main(["backup", str(tmp_path / "new.tar")]) == 0


def test_what_is_left_is_saved_where_nothing_is_replaced(made, tmp_path, monkeypatch, capsys):
    home = shutil.copytree(made.parent, tmp_path / "home")
    flip(some_photo(home))
    monkeypatch.setenv("IPL_HOME", str(home))
    assert main(["backup", str(tmp_path / "new.tar")]) == 1
    assert f"not whole, as something here is damaged: {some_photo(home).name}" in capsys.readouterr().err
    done = restore(tmp_path / "new.tar", tmp_path / "other", Settings(home=home))
    assert (done.listings, done.photos) == (4, 3)


def test_a_store_of_before_gets_its_photos_hashes(build):
    services = use(build())
    with services.store.engine.begin() as connection:
        hashes = dict(connection.execute(text("SELECT id, sha256 FROM photos")).all())
        connection.execute(text("UPDATE photos SET sha256 = NULL"))
    broken = min(hashes)
    os.truncate(services.media.path(broken), 300)
    assert note_hashes(services.store, services.media) == 3
    with services.store.read() as session:
        after = dict(session.execute(text("SELECT id, sha256 FROM photos")).all())
    assert after == {**hashes, broken: None}
    archive = services.settings.home / "b.tar"
    archive.touch()
    with pytest.raises(BackupError, match=rf"{broken}\.jpg \(no whole photo\)"):
        back_up(services.settings, archive, force=True)
