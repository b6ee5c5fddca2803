"""Attributes that the photos show: closed choices scored by the MLLM, heard together with the other sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from listing import prompts
from listing.backends.base import Backend, ChoiceQuestion
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
    pixels: Sequence[Distribution] = (),
) -> list[Reading]:
    """One reading per visible attribute, in the schema's order; none of what the calibration hears nobody on.

    Args:
        trust: how well each photo shows the item (0..1).
        classifier: the tower's own opinions, one mapping per photo.
        hints, neighbours: retrieval's candidates and votes by attribute; never for instance-level attributes.
        pixels: colour names by the pixels of the photos that show the item best; heard for the colour alone.
    """
    attributes = [a for a in visible(node, taxonomy) if any(calibration.of(a.name).weights.values())]
    # What the calibration gives no weight beside the towers costs a question and changes nothing.
    heard = [a for a in attributes if calibration.of(a.name).weights.get("mllm") or not _seen(a, classifier)]
    asked = questions(heard, hints)
    answers = [backend.score(photo.image, asked) if asked else {} for photo in photos]
    readings = []
    for attribute in attributes:
        name = attribute.name
        sources: dict[str, Distribution] = {}
        views = [answer[name] for answer in answers if name in answer]
        if views:
            sources["mllm"] = over_photos(views, trust)
        if _seen(attribute, classifier):
            heads = [within(view[name], attribute) for view in classifier]
            sources["classifier"], views = over_photos(heads, trust), views or heads
        if pixels and name == "colour":
            sources["pixels"] = within(over_photos(pixels, [1.0] * len(pixels)), attribute)
        if not attribute.instance and name in neighbours:
            sources["neighbours"] = neighbours[name]
        combined = combine(sources, calibration.of(name).weights) or dict(next(iter(sources.values())))
        value, _ = best(combined)
        clearest = max(range(len(photos)), key=lambda i: (trust[i] * views[i].get(value, 0.0), -i))
        readings.append(Reading(attribute, combined, sources, clearest))
    return readings


def _seen(attribute: Attribute, classifier: Sequence[Mapping[str, Distribution]]) -> bool:
    """Whether the towers answer the question on every photo."""
    return bool(classifier) and all(attribute.name in view for view in classifier)


def within(distribution: Distribution, attribute: Attribute) -> dict[str, float]:
    """The distribution over the answers that the attribute has here; all else ("n/a") counts as unknown."""
    kept = {value: distribution.get(value, 0.0) for value in attribute.answers}
    kept[prompts.UNKNOWN] += sum(p for value, p in distribution.items() if value not in kept)
    total = sum(kept.values())
    return {value: p / total for value, p in kept.items()} if total > 0 else kept
