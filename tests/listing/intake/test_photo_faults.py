"""Every bad photo is refused with one sentence, whatever its bytes are."""

from __future__ import annotations

import os
import random
import re
import zlib
from pathlib import Path

import pytest
from PIL import Image

from listing.intake.photos import PhotoError, PhotoLimits, intake
from tests.listing.intake.files import chunk, encoded, png

FUZZED = 300


def jpeg(size: tuple[int, int] = (120, 90), kind: str = "JPEG", **options: object) -> bytes:
    return encoded(Image.radial_gradient("L").resize(size).convert("RGB"), kind, **options)


def png_header(width: int, height: int, body: bytes = b"") -> bytes:
    """A PNG that says it is so large; its pixels are ``body``."""
    return png((width, height, 8, 2, 0, 0, 0), body)


def refusal(source: bytes | Path | str, **limits: int) -> PhotoError:
    with pytest.raises(PhotoError) as caught:
        intake([source], PhotoLimits(**limits))
    message = str(caught.value)
    assert re.fullmatch(r"[^\n]{10,220}\.", message), message
    return caught.value


def animated(kind: str) -> bytes:
    frames = [Image.new("RGB", (80, 80), colour) for colour in ("red", "green", "blue")]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"Dear buyer, this is a text.", "not_an_image", id="text"),
        pytest.param(b"%PDF-1.7\n" + b"0" * 500, "not_an_image", id="pdf"),
        pytest.param(animated("GIF"), "not_an_image", id="gif"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not_an_image", id="svg"),
        pytest.param(b"", "empty", id="zero-bytes"),
        pytest.param(jpeg()[:700], "damaged", id="truncated-jpeg"),
        pytest.param(jpeg(kind="PNG")[:-400], "damaged", id="truncated-png"),
        pytest.param(jpeg(kind="WEBP")[:-100], "damaged", id="truncated-webp"),
        pytest.param(png_header(30_000, 30_000), "too_many_pixels", id="30000-square"),
        pytest.param(png_header(9_000, 9_000, zlib.compress(bytes(1 << 22))), "too_many_pixels", id="bomb"),
        pytest.param(animated("WEBP"), "animated", id="animated-webp"),
        pytest.param(animated("PNG"), "animated", id="animated-png"),
        pytest.param(jpeg((3, 3)), "too_small", id="tiny"),
        pytest.param(jpeg((6000, 40)), "too_small", id="thread"),
    ],
)
def test_bad_content(data: bytes, code: str, tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(data)
    assert refusal(file).code == code
    assert "photo.jpg" in str(refusal(file))
    assert "photo 1" in str(refusal(data))


def test_a_bomb_in_a_text_chunk() -> None:
    bomb, good = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(80_000_000), 9)), jpeg(kind="PNG")
    assert refusal(good[:33] + bomb + good[33:]).code == "damaged"


def test_200_megabytes_are_not_read(tmp_path: Path) -> None:
    file = tmp_path / "huge.jpg"
    with file.open("wb") as handle:
        handle.write(jpeg())
        handle.truncate(200_000_000)  # sparse: costs no disk
    error = refusal(file)
    assert error.code == "too_large"
    assert "25 MB" in str(error)
    assert refusal(jpeg(), bytes=100).code == "too_large"


def test_limits_by_configuration() -> None:
    assert refusal(jpeg((200, 200)), pixels=39_999).code == "too_many_pixels"
    assert intake([jpeg((200, 200))], PhotoLimits(pixels=40_000))


@pytest.mark.parametrize("count", [0, 9])
def test_number_of_photos(count: int) -> None:
    with pytest.raises(PhotoError) as caught:
        intake([jpeg()] * count)
    assert caught.value.code == ("no_photo" if count == 0 else "too_many_photos")


def test_one_bad_photo_refuses_all() -> None:
    with pytest.raises(PhotoError, match="photo 2"):
        intake([jpeg(), b"nothing", jpeg()])


def test_unreadable_paths(tmp_path: Path) -> None:
    folder = tmp_path / "x.jpg"
    folder.mkdir()
    dangling = tmp_path / "gone.jpg"
    dangling.symlink_to(tmp_path / "nowhere.jpg")
    loop = tmp_path / "loop.jpg"
    loop.symlink_to(loop)
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    for path in (folder, dangling, loop, pipe, tmp_path / "missing.jpg", "a\0b.jpg", "n" * 5000, "/dev/zero"):
        assert refusal(path).code == "unreadable"


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permission bits do not stop root, so the refusal is put in by hand."""
    file = tmp_path / "photo.jpg"
    file.write_bytes(jpeg())

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert refusal(file).code == "unreadable"


def test_broken_exif_does_not_cost_the_photo() -> None:
    exif = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(range(200))
    photo = intake([jpeg(exif=exif)])[0]
    assert photo.image.size == (120, 90)


def _fuzzed(number: int, seeds: list[bytes]) -> bytes:
    rng = random.Random(number)
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice([1, 3, 10, 60])):
        action, at = rng.randrange(4), rng.randrange(len(data))
        if action == 0:
            data[at] = rng.randrange(256)
        elif action == 1:
            del data[at : at + rng.randrange(1, 40)]
        elif action == 2:
            data[at:at] = rng.randbytes(rng.randrange(1, 40))
        else:
            data[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"])
        if len(data) < 2:
            break
    return bytes(data[: rng.randrange(1, len(data) + 1)] if rng.random() < 0.2 else data)


def test_fuzzed_files_never_crash() -> None:
    """Only a clean photo or a PhotoError comes out of 300 damaged files of all formats."""
    exif = Image.Exif()
    exif[0x0112] = 6
    seeds = [
        jpeg(exif=exif),
        jpeg(progressive=True),
        jpeg(kind="PNG"),
        jpeg(kind="WEBP"),
        jpeg(kind="WEBP", lossless=True),
        jpeg(kind="HEIF"),
        animated("PNG"),
    ]
    outcomes = {"refused": 0, "clean": 0}
    for number in range(FUZZED):
        try:
            photo = intake([_fuzzed(number, seeds)])[0]
        except PhotoError:
            outcomes["refused"] += 1
        else:
            assert photo.image.mode == "RGB"
            assert photo.image.info == {}
            outcomes["clean"] += 1
    assert sum(outcomes.values()) == FUZZED
    assert min(outcomes.values()) > 10  # the damage was neither too little nor too much to mean anything
