"""Attributes that the photos show: closed choices scored by the MLLM, heard together with the other sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from listing import prompts
from listing.backends.base import Backend, ChoiceQuestion
from listing.evidence.colour import PixelView
from listing.facts.ensemble import Calibration, Distribution, best, combine, over_photos
from listing.request import Photo
from listing.taxonomy import Attribute, CategoryNode, Taxonomy


@dataclass(frozen=True)
class Reading:
    """What the sources say of one attribute: the combined distribution, each source's own, and the clearest photo."""

    attribute: Attribute
    probabilities: Distribution
    sources: Mapping[str, Distribution]
    photo: int


def visible(node: CategoryNode, taxonomy: Taxonomy) -> list[Attribute]:
    """Attributes of the category with closed values that a photo can show."""
    return [a for a in taxonomy.schema(node.name) if a.values and a.can_be("seen")]


def questions(attributes: Sequence[Attribute], hints: Mapping[str, Sequence[str]]) -> list[ChoiceQuestion]:
    """The closed questions; ``hints`` are neighbours' values by attribute, to confirm or to reject."""
    return [
        ChoiceQuestion(a.name, prompts.attribute_question(a, [] if a.instance else hints.get(a.name, ())), a.answers)
        for a in attributes
    ]


def read(
    photos: Sequence[Photo],
    trust: Sequence[float],
    node: CategoryNode,
    taxonomy: Taxonomy,
    backend: Backend,
    calibration: Calibration,
    *,
    classifier: Sequence[Mapping[str, Distribution]],
    hints: Mapping[str, Sequence[str]],
    neighbours: Mapping[str, Distribution],
    pixels: Sequence[PixelView] = (),
) -> list[Reading]:
    """One reading per visible attribute, in the schema's order.

    Args:
        trust: how well each photo shows the item (0..1).
        classifier: the tower's own opinions, one mapping per photo.
        hints, neighbours: retrieval's candidates and votes by attribute; never for instance-level attributes.
        pixels: of the photos that show the item best; heard for its two colours alone.
    """
    attributes = visible(node, taxonomy)
    asked = questions(attributes, hints)
    answers = [backend.score(photo.image, asked) for photo in photos]
    readings = []
    for attribute in attributes:
        views = [answer[attribute.name] for answer in answers]
        heads = [within(view[attribute.name], attribute) for view in classifier if attribute.name in view]
        sources: dict[str, Distribution] = {"mllm": over_photos(views, trust)}
        if len(heads) == len(photos):
            sources["classifier"] = over_photos(heads, trust)
        if shares := [view for view in (pixel_shares(view, attribute.name) for view in pixels) if view]:
            sources["pixels"] = within(over_photos(shares, [1.0] * len(shares)), attribute)
        if not attribute.instance and attribute.name in neighbours:
            sources["neighbours"] = neighbours[attribute.name]
        combined = combine(sources, calibration.of(attribute.name).weights) or dict(sources["mllm"])
        value, _ = best(combined)
        clearest = max(range(len(photos)), key=lambda i: (trust[i] * views[i].get(value, 0.0), -i))
        readings.append(Reading(attribute, combined, sources, clearest))
    return readings


def pixel_shares(view: PixelView, attribute: str) -> Distribution:
    """What a photo's pixels say of an attribute; nothing but of colours."""
    return {"colour": view.shares, "colour2": view.second}.get(attribute, {})


def within(distribution: Distribution, attribute: Attribute) -> dict[str, float]:
    """The distribution over the answers that the attribute has here; all else ("n/a") counts as unknown."""
    kept = {value: distribution.get(value, 0.0) for value in attribute.answers}
    kept[prompts.UNKNOWN] += sum(p for value, p in distribution.items() if value not in kept)
    total = sum(kept.values())
    return {value: p / total for value, p in kept.items()} if total > 0 else kept
