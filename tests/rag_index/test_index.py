"""Encoders, and the index: add, update, remove, search, rebuild; refusals, contact data among them; broken builds."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file

from listing.safety.contacts import sure_contact
from rag_index import (
    SAMPLE_FOLDER,
    BadRecord,
    Encoders,
    Filter,
    IndexBusy,
    IndexMismatch,
    IndexMissing,
    IndexRecord,
    IndexUnreachable,
    ListingIndex,
    build,
)
from rag_index.encoders import EncoderMissing
from rag_index.tower import pixels
from tests.app.support.leftovers import files_with
from tests.rag_index.listings import IMAGE, INFO, make
from tests.servers import Server


def test_round_trip(location: str) -> None:
    two_photos = make(
        1, image_vectors=[make(8).image_vectors[0], make(9).image_vectors[0]], phashes=["0" * 16, "f" * 16]
    )
    photo_only = make(2, text="", text_vector=None)
    text_only = make(3, image_vectors=[], phashes=[])
    assert build([two_photos, photo_only, text_only], location, INFO) == 3
    with ListingIndex.open(location, INFO) as index:
        assert (index.count(), index.photo_count(), index.manifest.count) == (3, 3, 3)
        for record in (two_photos, photo_only, text_only):
            stored = index.get(record.listing_id)
            assert stored is not None
            assert stored.model_dump(exclude={"image_vectors", "text_vector"}) == record.model_dump(
                exclude={"image_vectors", "text_vector"}
            )
            assert np.allclose(np.array(stored.image_vectors), np.array(record.image_vectors), atol=1e-6)
            assert (stored.text_vector is None) == (record.text_vector is None)
        first = index.first_image_vectors(["l3", "l2", "l1", "l99"])
        assert set(first) == {"l1", "l2"}  # one has no photo
        assert np.allclose(first["l1"], two_photos.image_vectors[0], atol=1e-6)
        assert {r.listing_id for r in index.records()} == {"l1", "l2", "l3"}
        assert index.get("l99") is None


def test_adding_again_replaces_and_remove_deletes(location: str) -> None:
    build([make(1, image_vectors=make(1).image_vectors * 2, phashes=["0" * 16] * 2), make(2)], location, INFO)
    with ListingIndex.open(location, INFO) as index:
        index.add([make(1, category="Shoes", price=12.5, currency="EUR")])
        changed = index.get("l1")
        assert changed is not None
        assert (changed.category, changed.price, len(changed.image_vectors)) == ("Shoes", 12.5, 1)
        assert (index.count(), index.photo_count()) == (2, 2)
        assert index.search_images(make(1).image_vectors, 5, Filter(category="Dress"))[0].listing_id == "l2"
        assert index.add([make(5)]) == 1
        assert index.remove(["l1", "never-there"]) == 1
        assert index.get("l1") is None
        assert index.count() == 2


def test_nearest_first_grouped_and_filtered(location: str) -> None:
    records = [make(n) for n in range(40)]
    build(records, location, INFO)
    with ListingIndex.open(location, INFO) as index:
        query = np.array(records[7].image_vectors[0])
        cosines = {r.listing_id: float(query @ np.array(r.image_vectors[0])) for r in records}
        hits = index.search_images([query.tolist()], 10)
        assert [h.listing_id for h in hits] == sorted(cosines, key=lambda i: -cosines[i])[:10]
        assert np.allclose([h.cosine for h in hits], [cosines[h.listing_id] for h in hits], atol=1e-5)
        hats = index.search_images([query.tolist()], 10, Filter("Hat", frozenset({"s7"}), frozenset({"l9"})))
        expected = sorted((r.listing_id for r in records if r.category == "Hat"), key=lambda i: -cosines[i])
        assert [h.listing_id for h in hats] == [i for i in expected if i not in ("l7", "l9")][:10]
        fetched = index.fetch([*hats, *index.search_text(records[3].text_vector or [], 3)])
        assert fetched["l3"].text == "Listing number 3"


def test_far_item_of_a_rare_category_is_found(tmp_path: Path) -> None:
    """More near listings of other categories than are over-fetched must not hide it."""
    dice, centre = np.random.default_rng(0), np.eye(IMAGE)[0]
    near = centre + 0.05 * dice.standard_normal((300, IMAGE))
    crowd = [make(n, category="Hat", image_vectors=[vector.tolist()]) for n, vector in enumerate(near)]
    rare = [make(1000 + n, category="Kite", image_vectors=[(-centre + 0.1 * n).tolist()]) for n in range(3)]
    build([*crowd, *rare], tmp_path / "index", INFO)
    with ListingIndex.open(tmp_path / "index", INFO) as index:
        hits = index.search_images([centre.tolist()], 3, Filter(category="Kite"))
        assert {h.listing_id for h in hits} == {r.listing_id for r in rare}


def test_a_build_that_breaks_off_changes_nothing(location: str) -> None:
    build([make(1)], location, INFO)

    def broken() -> Iterator[IndexRecord]:
        yield from (make(n) for n in range(10, 2500))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(broken(), location, INFO)
    with pytest.raises(BadRecord, match="twice"):
        build([make(4), make(4)], location, INFO)
    with ListingIndex.open(location, INFO) as index:
        assert [r.listing_id for r in index.records()] == ["l1"]


BUILD_AND_DIE = """
import os, sys
from tests.rag_index.listings import INFO, make
from rag_index import build
def records():
    yield from (make(n) for n in range(100, 2300))
    os.kill(os.getpid(), 9)
build(records(), sys.argv[1], INFO)
"""


@pytest.mark.slow
def test_a_killed_build_leaves_the_old_index(tmp_path: Path, repository: Path) -> None:
    folder = tmp_path / "index"
    build([make(1)], folder, INFO)
    died = subprocess.run([sys.executable, "-c", BUILD_AND_DIE, str(folder)], cwd=repository, check=False)
    assert died.returncode == -9
    assert len(list(folder.glob("g-*"))) == 2
    with ListingIndex.open(folder, INFO) as index:
        assert index.count() == 1
    build([make(2)], folder, INFO)
    assert len(list(folder.glob("g-*"))) == 1


OPEN_AND_SAY = """
import sys
from tests.rag_index.listings import INFO, make
from rag_index import ListingIndex
ListingIndex.open(sys.argv[1], INFO)
"""


def test_the_second_process_is_told(tmp_path: Path, repository: Path) -> None:
    folder = tmp_path / "index"
    build([make(1)], folder, INFO)
    second = [sys.executable, "-c", OPEN_AND_SAY, str(folder)]
    with ListingIndex.open(folder, INFO):
        refused = subprocess.run(second, cwd=repository, capture_output=True, text=True, check=False, timeout=120)
        with pytest.raises(IndexBusy):
            build([make(2)], folder, INFO)
    assert refused.returncode == 1
    assert "open in another process" in refused.stderr
    assert subprocess.run(second, cwd=repository, check=False, timeout=120).returncode == 0


@pytest.mark.parametrize(("kind", "change"), [("image", {"revision": "cccc"}), ("text", {"dimensions": 9})])
def test_another_model_is_refused(tmp_path: Path, kind: str, change: dict[str, object]) -> None:
    build([make(1)], tmp_path / "index", INFO)
    other = INFO.model_copy(update={kind: getattr(INFO, kind).model_copy(update=change)})
    with pytest.raises(IndexMismatch, match=f"{kind} model .* build the index again"):
        ListingIndex.open(tmp_path / "index", other)
    moved = INFO.model_copy(update={kind: getattr(INFO, kind).model_copy(update={"model": "elsewhere"})})
    ListingIndex.open(tmp_path / "index", moved).close()


def test_no_index_and_a_foreign_manifest(tmp_path: Path) -> None:
    with pytest.raises(IndexMissing, match="ipl index build"):
        ListingIndex.open(tmp_path / "nothing", INFO)
    assert not (tmp_path / "nothing").exists()
    build([make(1)], tmp_path / "index", INFO)
    manifest = tmp_path / "index" / "manifest.json"
    newer = manifest.read_text().replace('"schema_version": 1', '"schema_version": 2')
    for text, message in ((newer, "format 2"), ("{}", "no readable manifest")):
        manifest.write_text(text)
        with pytest.raises(IndexMismatch, match=message):
            ListingIndex.open(tmp_path / "index", INFO)


@pytest.mark.parametrize(
    "change",
    [
        {"text": "x" * 9000},
        {"image_vectors": [[1.0] * (IMAGE - 1)]},
        {"image_vectors": [[0.0] * IMAGE]},
        {"text_vector": [float("nan")] * 4},
        {"phashes": []},
        {"image_vectors": [], "phashes": [], "text_vector": None},
        {"listing_id": ""},
        {"seller_id": "a\x1fb"},
    ],
)
def test_unusable_records_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    assert_refused(tmp_path, change, None)


@pytest.mark.parametrize(
    "change",
    [
        {"text": "Write me at anna.b@example.com"},
        {"text": "call 0171 234 56 78"},
        {"text": "ring ０１７１２３４５６７８"},
        {"attributes": {"text": "see www.example.com"}},
        {"text": "more on shop-example.com/x"},
        {"text": "+49171 2345678"},
    ],
)
def test_a_forgotten_scrub_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    assert_refused(tmp_path, change, "contact data")


def assert_refused(folder: Path, change: dict[str, object], message: str | None) -> None:
    """By a build and by what adds, which takes nothing of its group; the sentence repeats nothing."""
    with pytest.raises(BadRecord, match=message) as refused:
        build([make(1, **change)], folder / "index", INFO, contact_check=sure_contact)
    assert "example" not in str(refused.value)
    build([make(1)], folder / "index", INFO)
    with ListingIndex.open(folder / "index", INFO, contact_check=sure_contact) as index:
        with pytest.raises(BadRecord, match=message):
            index.add([make(2), make(3, **change)])
        assert index.ids() == {"l1"}


@pytest.mark.server
def test_a_server_killed_amid_adds_loses_nothing(server: Server) -> None:
    build([make(0)], server.url, INFO)
    confirmed = {"l0"}
    index = ListingIndex.open(server.url, INFO)

    def add_until_it_breaks() -> None:
        for n in range(1, 200):
            if n == 60:
                server.kill()
            index.add([make(n)])
            confirmed.add(f"l{n}")

    with pytest.raises(IndexUnreachable, match="does not answer"):
        add_until_it_breaks()
    with pytest.raises(IndexUnreachable):
        ListingIndex.open(server.url, INFO)
    server.start()
    assert index.add([make(n) for n in range(60, 70)]) == 10
    assert {r.listing_id for r in index.records()} == confirmed | {f"l{n}" for n in range(60, 70)}
    for n in (5, 59, 65):
        assert index.search_images(make(n).image_vectors, 1)[0].listing_id == f"l{n}"


@pytest.mark.server
def test_a_servers_database_holds_nothing_after_an_erasure_and_a_vacuum(server: Server) -> None:
    build([make(n) for n in range(20)], server.url, INFO)
    with ListingIndex.open(server.url, INFO) as index, ListingIndex.open(server.url, INFO) as other:
        index.add([make(n, seller_id="victimsellerid") for n in range(40, 60)])
        index.remove([f"l{n}" for n in range(40, 60)])
        assert not index.rebuild(), "it is not done yet"
        assert other.ids() == index.ids() == {f"l{n}" for n in range(20)}
    assert server.process is not None
    server.process.terminate()
    server.process.wait()
    assert files_with(server.folder, "victimsellerid")
    chroma = Path(sysconfig.get_path("scripts")) / "chroma"
    subprocess.run([chroma, "vacuum", "--path", server.folder, "--force"], check=True, capture_output=True)
    # Of its vectors' files Chroma leaves parts unwritten, and so what the server's memory held there.
    assert [name for name in files_with(server.folder, "victimsellerid") if not name.endswith(".bin")] == []


@pytest.mark.server
def test_a_reader_follows_a_rebuild_by_another(server: Server) -> None:
    build([make(1)], server.url, INFO)
    reader = ListingIndex.open(server.url, INFO)
    build([make(2), make(3)], server.url, INFO)
    assert reader.count() == 2
    assert reader.get("l2") is not None


WEIGHTS = SAMPLE_FOLDER.parents[1] / "finetune" / "weights"


@pytest.fixture(scope="module")
def encoders() -> Encoders:
    return Encoders(str(WEIGHTS), str(WEIGHTS))


def noise(seed: int, size: tuple[int, int]) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def test_vectors_do_not_depend_on_the_batch(encoders: Encoders) -> None:
    photos = [noise(0, (300, 200)), noise(1, (50, 400)), Image.new("RGB", (224, 224), "red")]
    together = encoders.image_vectors(photos)
    assert together.shape == (3, 1280)
    assert together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    alone = np.concatenate([encoders.image_vectors([p]) for p in photos])
    assert np.allclose(together, alone, atol=1e-4)
    assert encoders.image_vectors([]).shape == (0, 1280)


def test_same_features_as_the_network_that_was_tuned(encoders: Encoders) -> None:
    network = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0, global_pool="")
    tensors = {
        n[9:]: t.float() for n, t in load_file(WEIGHTS / "tower.safetensors").items() if n.startswith("backbone.")
    }
    network.load_state_dict(tensors, strict=False)
    photo = noise(2, (320, 240))
    with torch.inference_mode():
        features = network.eval()(torch.from_numpy(pixels(photo))[None]).mean((2, 3))[0]
    expected = (features / features.norm()).numpy()
    assert np.allclose(encoders.image_vectors([photo])[0], expected, atol=1e-4)
    square = pixels(Image.new("RGB", (400, 200), "white"))
    assert square.shape == (3, 224, 224)
    assert square[:, 112, 112] == pytest.approx([1, 1, 1], abs=1e-3)
    assert square[:, 5, 112] == pytest.approx([128 / 127.5 - 1] * 3, abs=1e-3), "the whole photo stands on grey"


def test_missing_models(tmp_path: Path) -> None:
    with pytest.raises(EncoderMissing, match="There is no model"):
        _ = Encoders(str(tmp_path / "nothing"), str(WEIGHTS)).info
    with pytest.raises(EncoderMissing, match="no weights"):
        _ = Encoders(str(tmp_path), str(WEIGHTS)).info
