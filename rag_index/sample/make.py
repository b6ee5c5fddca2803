"""Make the sample source again: ``python -m rag_index.sample.make --data DIR --image DIR --text DIR``.

DIR of ``--data`` holds ``annotations.jsonl`` and the photos it names. Written beside this file: ``listings.jsonl.gz``
and ``vectors.safetensors``.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rag_index.encoders import Encoders

HERE = Path(__file__).parent
ATTRIBUTES = ("colour", "colour2", "pattern", "sleeve", "neckline", "closure", "material", "audience", "brand", "text")
NOTHING = frozenset({None, "", "n/a", "unknown"})


def sample_facts(row: Mapping[str, Any]) -> dict[str, str]:
    """Facts that the photo shows: no guesses, nothing that does not apply."""
    facts = {name: row[name] for name in ATTRIBUTES if name not in row["guess"] and row.get(name) not in NOTHING}
    cues = [cue for cue in row["condition"] if cue != "none-visible"]
    return {**facts, **({"condition": ", ".join(cues)} if cues else {})}


def sample_rows(folder: Path, left_out: frozenset[str]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """(photo, listing) of every usable annotation whose sender is not left out."""
    for line in (folder / "annotations.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        text = f"{row['title']}\n{row['description']}"
        facts = sample_facts(row)
        if str(row["sender_id"]) in left_out or not row["label_ok"]:
            continue
        yield (
            folder / row["image"],
            {
                "listing_id": f"sample-{Path(row['image']).stem.replace('-', '')[:16]}",
                "seller_id": f"sample-{row['sender_id']}",
                "category": row["label"],
                "attributes": facts,
                "text": text,
            },
        )


def main() -> None:
    """Write both files."""
    import imagehash
    from PIL import Image
    from safetensors.numpy import save_file

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--image", required=True, help="folder with the tuned tower")
    parser.add_argument("--text", required=True, help="folder of the text model")
    args = parser.parse_args()
    encoders = Encoders(args.image, args.text)
    left_out = frozenset((HERE / "left_out_senders.txt").read_text(encoding="utf-8").split())
    rows, vectors = [], []
    for path, row in sample_rows(args.data, left_out):
        with Image.open(path) as opened:
            photo = opened.convert("RGB")
        rows.append({**row, "phash": str(imagehash.phash(photo))})
        vectors.append(encoders.image_vectors([photo])[0])
    tensors = {
        "image": np.stack(vectors).astype(np.float16),
        "text": encoders.text_vectors([row["text"] for row in rows]).astype(np.float16),
    }
    save_file(tensors, HERE / "vectors.safetensors", metadata={"encoders": encoders.info.model_dump_json()})
    body = "".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows).encode()
    (HERE / "listings.jsonl.gz").write_bytes(gzip.compress(body, 9, mtime=0))  # no time inside: same input, same bytes
    print(f"{len(rows)} listings of {len({row['seller_id'] for row in rows})} senders")


if __name__ == "__main__":
    main()
