"""Right colour of things that are not garments, as stated and as best guess, on the photos of ``ikea_300.txt``.

    python -m benchmarks.drafts.ikea_colours

The rule for the truth was written before any colour was looked at. The photo set's own `colour` is taken where each of
its parts between commas is one of the plain words in ``WORDS``; every other string ("Birch", "Clear glass", "Mobacka
red") is left out. A value is right when one of the parts allows it, as a second colour counts as right elsewhere; a
shade that lies between two names allows both.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from PIL import Image

from benchmarks.drafts.ikea_300 import model_folder, test_ids, wilson
from finetune.data.photosets import data_root
from listing.observe.networks.colour_pixels import pixel_view
from listing.observe.networks.foreground import WEIGHTS, Foreground, usable
from listing.decide.visual_facts import pixel_colour

PLAIN = ("black", "white", "grey", "beige", "brown", "red", "pink", "orange", "yellow", "green", "blue", "purple")
WORDS: dict[str, tuple[str, ...]] = {
    **{name: (name,) for name in (*PLAIN, "multicolour")},
    "off-white": ("white", "beige"),
    "light grey": ("grey",),
    "dark grey": ("grey",),
    "grey-brown": ("grey", "brown", "beige"),
    "black-brown": ("black", "brown"),
    "dark brown": ("brown",),
    "dark red": ("red", "burgundy"),
    "light green": ("green",),
    "dark green": ("green", "olive"),
    "medium blue": ("blue",),
    "light blue": ("light-blue",),
    "dark blue": ("navy", "blue"),
    "turquoise": ("light-blue", "blue", "green"),
    "lilac": ("purple",),
    "silver-colour": ("silver", "grey"),
    "gold-colour": ("gold", "yellow"),
}


def allowed(colour: str) -> frozenset[str]:
    """The values that the photo set's `colour` allows; none where it is not all plain words."""
    parts = [part.strip().lower() for part in colour.split(",")]
    return frozenset(v for part in parts for v in WORDS[part]) if all(p in WORDS for p in parts) else frozenset()


def truths(folder: Path) -> list[tuple[Path, frozenset[str]]]:
    """(photo, allowed values) of those of the 300 whose colour is plain."""
    rows = pd.read_parquet(folder / "listings.parquet", columns=["id", "image", "colour"]).sort_values("id")
    fixed = set(test_ids())
    found = [
        (folder / str(row.image), allowed(str(row.colour or "")))
        for row in rows.itertuples(index=False)
        if row.id in fixed
    ]
    return [(path, values) for path, values in found if values]


def main() -> None:
    foreground = Foreground(model_folder() / WEIGHTS)
    cases = truths(data_root() / "ikea_interior")
    stated: list[bool] = []
    guessed: list[bool] = []
    wrong: dict[tuple[str, str], int] = {}
    for path, values in cases:
        with Image.open(path) as image:
            photo = image.convert("RGB")
        mask = foreground.mask(photo)
        fact = pixel_colour([pixel_view(photo, 0, mask if usable(mask) else None)])
        if fact is None:
            continue
        value = fact.value or fact.suggestion or ""
        guessed.append(value in values)
        if fact.value is not None:
            stated.append(value in values)
            if value not in values:
                pair = (value, " or ".join(sorted(values)))
                wrong[pair] = wrong.get(pair, 0) + 1
    for name, right in (("stated", stated), ("best guess", guessed)):
        low, high = wilson(sum(right), len(right))
        print(f"{name:10} {sum(right)} of {len(right)} right: {sum(right) / len(right):.3f} [{low:.3f}, {high:.3f}]")
    print(f"stated on {len(stated) / len(cases):.2f} of {len(cases)} photos; wrong:", end=" ")
    print(", ".join(f"{n} x {a} for {b}" for (a, b), n in sorted(wrong.items(), key=lambda pair: -pair[1])))


if __name__ == "__main__":
    main()
