"""The tower as a sentence-transformers module; names, digests and lengths without loading a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file

from rag_index import SAMPLE_FOLDER, Encoders
from rag_index.encoders import EncoderMissing
from rag_index.tower import pixels

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
