"""Errors of the two thresholds that tell the same photo, edited, from another garment.

``python -m benchmarks.rag_index.near_duplicates --data DIR --image DIR [--photos N]``; DIR of ``--data`` holds
annotated photos, DIR of ``--image`` the tuned tower. Photos are those of senders that neither the tower nor the sample
has seen.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from benchmarks.common import arguments
from finetune.data.files import read_lines
from rag_index import SAMPLE_FOLDER, Encoders, Rules

Edit = Callable[[Image.Image], Image.Image]


def recompressed(photo: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=40)
    return Image.open(buffer).convert("RGB")


def cropped(share: float) -> Edit:
    """Cut ``share`` of width and height off, half at each side."""
    low, high = share / 2, 1 - share / 2
    return lambda p: p.crop((int(p.width * low), int(p.height * low), int(p.width * high), int(p.height * high)))


EDITS: dict[str, Edit] = {
    "JPEG quality 40": recompressed,
    "half size": lambda p: p.resize((p.width // 2, p.height // 2)),
    "brighter by 15 %": lambda p: ImageEnhance.Brightness(p).enhance(1.15),
    "cropped by 5 %": cropped(0.05),
    "cropped by 10 %": cropped(0.10),
    "turned by 3 degrees": lambda p: p.rotate(3, fillcolor=(128, 128, 128)),
    "mirrored": ImageOps.mirror,
}


def edited(paths: list[Path], encoders: Encoders, rules: Rules) -> None:
    """Share of edited photos that hash, cosine or both recognise."""
    photos = [Image.open(p).convert("RGB") for p in paths]
    vectors, hashes = encoders.image_vectors(photos), [imagehash.phash(p) for p in photos]
    print(f"{'the same photo':<22}{'hash':>8}{'cosine':>8}{'either':>8}{'median cosine':>15}")
    for name, edit in EDITS.items():
        copies = [edit(p) for p in photos]
        cosines = (vectors * encoders.image_vectors(copies)).sum(1)
        near = np.array([a - imagehash.phash(c) <= rules.max_hamming for a, c in zip(hashes, copies, strict=True)])
        close = cosines > rules.max_cosine
        shares = f"{near.mean():>8.2f}{close.mean():>8.2f}{(near | close).mean():>8.2f}"
        print(f"{name:<22}{shares}{np.median(cosines):>15.3f}")


def different(paths: list[Path], encoders: Encoders, rules: Rules) -> None:
    """Pairs of different garments that would be taken for duplicates: within the sample, and new photos against it."""
    from safetensors.numpy import load_file

    rows = read_lines(SAMPLE_FOLDER / "listings.jsonl.gz")
    sample = load_file(SAMPLE_FOLDER / "vectors.safetensors")["image"].astype(np.float32)
    bits = np.array([int(r["phash"], 16) for r in rows], np.uint64)
    sellers = np.array([r["seller_id"] for r in rows])
    upper = np.triu_indices(len(rows), 1)
    cosines, distances = (sample @ sample.T)[upper], np.bitwise_count(bits[:, None] ^ bits[None])[upper]
    same = (sellers[:, None] == sellers[None])[upper]
    photos = [Image.open(p).convert("RGB") for p in paths]
    new_bits = np.array([int(str(imagehash.phash(p)), 16) for p in photos], np.uint64)
    parts = {
        "sample, same sender": (cosines[same], distances[same]),
        "sample, other sender": (cosines[~same], distances[~same]),
        "new photo and sample": (
            (encoders.image_vectors(photos) @ sample.T).ravel(),
            np.bitwise_count(new_bits[:, None] ^ bits[None]).ravel(),
        ),
    }
    print(f"\n{'different garments':<22}{'pairs':>10}{'hash':>8}{'cosine':>8}{'highest cosine':>16}")
    for name, (cosine, distance) in parts.items():
        taken = f"{(distance <= rules.max_hamming).sum():>8}{(cosine > rules.max_cosine).sum():>8}"
        print(f"{name:<22}{len(cosine):>10,}{taken}{cosine.max():>16.3f}")


def left_out_photos(folder: Path, count: int) -> list[Path]:
    """Up to ``count`` photos, evenly spread, of the senders that are not in the sample."""
    left_out = frozenset((SAMPLE_FOLDER / "left_out_senders.txt").read_text(encoding="utf-8").split())
    rows = read_lines(folder / "annotations.jsonl")
    photos = [folder / row["image"] for row in rows if str(row["sender_id"]) in left_out]
    return photos[:: max(1, len(photos) // count)][:count]


def main() -> None:
    """Print both tables."""
    parser = arguments(__doc__, photos=100)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--image", required=True)
    args = parser.parse_args()
    rules, encoders = Rules(), Encoders(args.image, args.image)
    print(f"thresholds: hash <= {rules.max_hamming} bits, cosine > {rules.max_cosine}")
    paths = left_out_photos(args.data, args.photos)
    edited(paths, encoders, rules)
    different(paths, encoders, rules)


if __name__ == "__main__":
    main()
