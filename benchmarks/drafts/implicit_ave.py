"""Closed attributes of ``implicit_ave`` (ACL 2024 Findings), read from the photo alone.

    python -m benchmarks.drafts.implicit_ave

The set's own protocol: each photo has one attribute whose options are given, and one of them is right (micro-F1 is
accuracy where each is answered once). An option is as likely as the likeliest of our answers that mean it; attributes
for which we have no answers at all count as not answered. 95 % intervals by bootstrap over photos.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from benchmarks.common import arguments
from benchmarks.drafts.photos import draft_of
from finetune.data.photosets import data_root
from finetune.evaluate.measures import interval
from listing.decide.decision import Decision
from listing.home import ipl_home
from listing.pipeline import build_pipeline

# attribute -> option -> our answers ("attribute: value"; of details the phrase alone), written before any was drafted
MEANS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "Sleeve Style": {
        "3/4 Sleeve": ("sleeve: three-quarter",),
        "Long Sleeve": ("sleeve: long",),
        "Short Sleeve": ("sleeve: short", "cap sleeves"),
        "Sleeveless": ("sleeve: sleeveless", "wide straps"),
        "Strappy": ("thin straps", "crossed straps"),
    },
    "Neckline": {
        "Button Down": ("buttons down the front", "classic collar"),
        "Crew Neck": ("neckline: crew",),
        "Halter": ("neckline: halter",),
        "Henley": ("button placket",),
        "Polo": ("polo collar",),
        "Scoop Neck": ("neckline: scoop", "wide neckline"),
        "Square Neck": ("neckline: square",),
        "Strapless": ("neckline: off-shoulder",),
        "Turtleneck": ("neckline: turtleneck",),
        "V-Neck": ("neckline: v-neck",),
    },
    "Length": {
        "Capri": ("cropped",),
        "Long Dress/Gown": ("maxi length", "long cut"),
        "Midi": ("knee-length",),
        "Mini/Short": ("mini length",),
    },
    "Heel Height": {"Flat": ("flat sole",), "High Heel": ("high heel",), "Low Heel": ("low heel",)},
    "Toe Style": {"Pointed Toe": ("pointed toe",), "Round Toe": ("round toe",)},
    "Pattern": {
        "Camouflage": ("pattern: camouflage", "camouflage print"),
        "Leopard": ("pattern: animal", "animal print"),
        "Floral": ("pattern: floral", "flower print"),
        "Paisley": ("paisley",),
        "Plaid": ("pattern: checked", "large check", "small check"),
        "Polka Dot": ("pattern: polka-dot", "dots"),
        "Stripe": ("pattern: striped", "horizontal stripes", "vertical stripes"),
    },
}


def answer(decision: Decision, options: Mapping[str, tuple[str, ...]]) -> str | None:
    """The likeliest option; None where nothing that means one of them is possible."""
    possible = {
        phrase if name == "detail" else f"{name}: {phrase}": p for (name, phrase), p in decision.possible.items()
    }
    shares = {option: max(possible.get(word, 0.0) for word in words) for option, words in options.items()}
    likeliest = max(shares, key=lambda option: shares[option])
    return likeliest if shares[likeliest] > 0 else None


def main() -> None:
    """Draft each photo and print the accuracy of each attribute."""
    arguments(__doc__).parse_args()
    folder = data_root() / "implicit_ave"
    table = pd.read_csv(folder / "eval.csv")
    pipeline = build_pipeline(None, False, ipl_home())
    seen = [name in MEANS for name in table.attribute_names]
    right = np.zeros(len(table))
    for i, row in enumerate(table.itertuples()):
        if seen[i]:
            draft = draft_of(pipeline, folder / "images" / row.images)
            decision = Decision(draft.observations, 1, pipeline.parts.rules)
            right[i] = answer(decision, MEANS[row.attribute_names]) == row.attribute_values
    for name in (*MEANS, None):
        chosen = table.attribute_names == name if name else np.array(seen)
        part = right[chosen]
        low, high = interval(
            [{"sender_id": i} for i in range(len(part))], lambda index, of=part: float(of[index].mean())
        )
        print(f"{name or 'all of these':13} {len(part):4} {part.mean():.3f} [{low:.3f}, {high:.3f}]")
    print(f"of all {len(table)}, the rest as wrong: {right.mean():.3f}")


if __name__ == "__main__":
    main()
