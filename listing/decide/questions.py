"""Attributes that the photos show: closed choices scored by the MLLM, heard together with the other sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from listing import prompts
from listing.backends.base import Backend, ChoiceQuestion
from listing.observe.networks.colour_pixels import PixelView
from listing.decide.pool import Calibration, Distribution, best, combine, over_photos
from listing.request import Photo
from listing.taxonomy import Attribute, CategoryNode, Taxonomy


@dataclass(frozen=True)
class Reading:
    """What the sources say of one attribute: the combined distribution, each source's own, and the clearest photo.

    photo: None where the model saw several at once.
    """

    attribute: Attribute
    probabilities: Distribution
    sources: Mapping[str, Distribution]
    photo: int | None = None


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
    others: Mapping[str, Mapping[str, Distribution]],
) -> list[Reading]:
    """One reading per visible attribute that the calibration hears something on, in the schema's order.

    Args:
        trust: how well each photo shows the item (0..1); one of 0 is not asked.
        classifier: the tower's own opinions, one mapping per photo.
        hints: retrieval's candidates by attribute; never for instance-level attributes.
        others: what further sources say, by attribute and source.
    """
    attributes = [a for a in visible(node, taxonomy) if any(calibration.of(a.name).weights.values())]
    # What the calibration gives no weight beside the towers costs a question and changes nothing.
    heard = [a for a in attributes if calibration.of(a.name).weights.get("mllm") or not _seen(a, classifier)]
    asked = questions(heard, hints)
    answers = [
        backend.score(photo.image, asked) if asked and share else {} for photo, share in zip(photos, trust, strict=True)
    ]
    readings = []
    for attribute in attributes:
        name = attribute.name
        views = {i: answer[name] for i, answer in enumerate(answers) if name in answer}
        sources = dict(others.get(name, {}))
        if views:
            sources["mllm"] = over_photos(list(views.values()), [trust[i] for i in views])
        if _seen(attribute, classifier):
            heads = [within(view[name], attribute) for view in classifier]
            sources["classifier"], views = over_photos(heads, trust), views or dict(enumerate(heads))
        if reading := weigh(attribute, sources, calibration):
            value, _ = best(reading.probabilities)
            clearest = max(views, key=lambda i: (trust[i] * views[i].get(value, 0.0), -i), default=None)
            readings.append(replace(reading, photo=clearest))
    return readings


def _seen(attribute: Attribute, classifier: Sequence[Mapping[str, Distribution]]) -> bool:
    """Whether the towers answer the question on every photo."""
    return bool(classifier) and all(attribute.name in view for view in classifier)


def weigh(attribute: Attribute, sources: Mapping[str, Distribution], calibration: Calibration) -> Reading | None:
    """All sources as one reading; None where no source that is heard speaks."""
    combined = combine(sources, calibration.of(attribute.name).weights) or dict(sources.get("mllm", {}))
    return Reading(attribute, combined, sources) if combined else None


def pixel_shares(view: PixelView, attribute: str) -> Distribution:
    """What a photo's pixels say of an attribute; nothing but of colours."""
    return {"colour": view.shares, "colour2": view.second}.get(attribute, {})


def within(distribution: Distribution, attribute: Attribute) -> dict[str, float]:
    """The distribution over the answers that the attribute has here; all else ("n/a") counts as unknown."""
    kept = {value: distribution.get(value, 0.0) for value in attribute.answers}
    kept[prompts.UNKNOWN] += sum(p for value, p in distribution.items() if value not in kept)
    total = sum(kept.values())
    return {value: p / total for value, p in kept.items()} if total > 0 else kept
