"""Details that exclude each other are decided together: one item has one kind of legs, of hem, of toes."""

from __future__ import annotations

from collections.abc import Mapping

# Of 4,408 annotated photos hardly any shows two of a line.
EXCLUSIVE = tuple(
    frozenset(line.split(", "))
    for line in (
        "elastic waist, fixed waistband with fly",
        "elastic waist, button fly",
        "elastic waist, five-pocket cut",
        "elastic waist, belt loops",
        "straight legs, skinny legs, wide legs, flared legs, tapered legs",
        "high heel, low heel, flat sole",
        "classic collar, polo collar, stand-up collar, lapels, drawstring hood",
        "full zip, half zip, open front, buttons down the front, button placket, one button, double-breasted",
        "cap sleeves, puff sleeves, flared sleeves, rolled sleeves",
        "mini length, knee-length, maxi length, cropped",
        "long cut, cropped",
        "fitted cut, loose cut",
        "curved hem, straight hem, raw hem",
        "curved hem, straight hem, ribbed hem",
        "large check, small check",
        "wide stripes, thin stripes",
        "horizontal stripes, vertical stripes",
        "white sole, dark sole, coloured sole",
        "round toe, pointed toe, open toe",
        "fine knit, chunky knit",
        "chest pocket, two chest pockets",
        "straight skirt, flared skirt",
        "pencil cut, flared skirt",
        "dark buttons, white buttons, metal buttons",
        "thin straps, wide straps",
        "lace-up, slip-on, velcro straps",
        "ankle height, low cut",
    )
)


def together(probabilities: Mapping[str, float]) -> dict[str, float]:
    """The probabilities, with those of what excludes each other lowered to a sum of 1 where they exceed it."""
    totals = [(group, sum(probabilities.get(phrase, 0.0) for phrase in group)) for group in EXCLUSIVE]
    return {
        phrase: p / max([1.0, *(total for group, total in totals if phrase in group)])
        for phrase, p in probabilities.items()
    }
