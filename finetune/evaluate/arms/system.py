"""The whole system: multimodal model, classifier, neighbours, pixels, legible text and checks, as a draft has them.

The functions are the pipeline's own; only the photos' opinions come from the caches. Thresholds and weights are
cross-fitted: each half of the senders is judged with the constants of the other half.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from finetune.data.photosets import ATTRIBUTES
from finetune.evaluate.arms.material import Material, Row
from finetune.evaluate.arms.mllm import with_hints
from finetune.evaluate.arms.statement import NO_CATEGORY, Statement
from finetune.evaluate.calibrate import PRECISION, halves, sources, threshold
from finetune.evaluate.measures import judge
from listing.decide.category import CategoryRule, decide
from listing.observe.networks.colour_pixels import PixelView
from listing.observe.neighbours import Neighbours
from listing.decide import verify
from listing.decide.pool import Calibration, Distribution, best, combine
from listing.decide.item_form import Said
from listing.decide.item_form import category_of as form_category
from listing.decide.questions import Reading, visible
from listing.decide.visual_facts import SURE_TOWERS, pixel_colour
from listing.prompts import UNKNOWN
from listing.schema import AttributeValue, Category
from listing.taxonomy import Taxonomy

FITTED = (*ATTRIBUTES, "colour2")
DEFAULT = Calibration().default.threshold
AskAgain = Callable[[Row, Row, str], Mapping[str, Any]]


def system(material: Material, rag: bool) -> list[Statement]:
    """What a draft would state of each photo, with or without past listings."""

    def hinted(row: Row, said: Row, category: str) -> Mapping[str, Any]:
        return with_hints(material, "tuned", row, said["mllm"], category=category)

    return system_statements(material, hinted if rag else None, neighbours=rag)


def system_statements(material: Material, ask_again: AskAgain | None, neighbours: bool) -> list[Statement]:
    """Statements; ``again`` asks the model once more when the category is known (hints)."""
    taxonomy = material.taxonomy
    said = material.predictions("tuned")
    out = []
    for row, prediction, seen, rule in zip(material.rows, said, material.image_views, material.rules, strict=True):
        near = material.neighbourhood.found(row, None) if neighbours else Neighbours()
        if prediction.get("form"):
            form = Said(categories=prediction["mllm"].get("category", {}))
            category = form_category(form, near.categories, len(near.neighbours), rule, taxonomy)
        else:
            category = category_of(prediction, seen, taxonomy, near.categories)
        if category.value is None:
            out.append(Statement(NO_CATEGORY, {}, {}, category.confidence))
            continue
        asked = prediction
        tuned = taxonomy.categories[category.value].tuned
        if ask_again is not None and tuned and not prediction.get("form"):
            asked = {**prediction, "mllm": ask_again(row, prediction, category.value)}
        facts, guesses = attribute_facts(asked, seen, category.value, rule, taxonomy)
        candidates = [(c.value, c.confidence) for c in category.candidates]
        out.append(Statement(category.value, facts, guesses, category.confidence, candidates))
    return out


def category_of(
    said: Row, seen: Row, taxonomy: Taxonomy, near: Distribution | None = None, rule: CategoryRule | None = None
) -> Category:
    """The category as a draft decides it; the model is heard where the towers are not sure."""
    heard = {"classifier": said["classifier"].get("label", {}), "imagenet": seen["imagenet"], "neighbours": near or {}}
    if max(heard["classifier"].values(), default=0.0) < SURE_TOWERS:
        heard["mllm"] = said["mllm"].get("category", {})
    return decide(heard, taxonomy, garment=seen["garment"], rule=rule)


def attribute_facts(
    said: Row, seen: Row, category: str, rule: Calibration, taxonomy: Taxonomy
) -> tuple[dict[str, str], dict[str, tuple[str, float]]]:
    """(attribute -> stated value, attribute -> (likeliest value, probability))."""
    node = taxonomy.categories[category]
    shares = said["pixels"].get("colour", {})
    pixels = [PixelView(0, shares, contradicted=tuple(said["contradicted"]))] if shares else []
    facts: dict[str, AttributeValue] = {}
    guesses: dict[str, tuple[str, float]] = {}
    for attribute in visible(node, taxonomy) if node.tuned or said.get("form") else []:
        views, weights = sources(said, attribute), rule.of(attribute.name).weights
        # A model without a calibration is heard by itself; what a calibration gives no weight at all was not asked.
        found = combine(views, weights) or (views.get("mllm") if any(weights.values()) else None)
        if not found:
            continue
        fact = verify.visible_fact(Reading(attribute, found, views, 0), rule, pixels)
        facts[attribute.name] = fact
        if verify.repeats(fact, facts.get("colour")):
            facts[attribute.name] = verify.not_known(attribute)
        value, p = best(found)
        if value not in (UNKNOWN, attribute.absent):
            guesses[attribute.name] = (value, p)
    if "colour" not in facts and (colour := pixel_colour(pixels)) is not None:
        facts["colour"] = colour
    stated = {name: fact.value for name, fact in facts.items() if fact.value is not None}
    return {**stated, **{n: v for n, v in seen["read"].items() if n in node.attributes}}, guesses


def thresholded(rows: Sequence[Row], statements: Sequence[Statement]) -> list[Statement]:
    """An arm's statements cut at thresholds that are cross-fitted on its own guesses: what it is sure of.

    What has no guess, and what is not scored (the visible condition), keeps the default threshold.
    """
    out = list(statements)
    one, two = halves(rows)
    for train, test in ((one, two), (two, one)):
        least = {name: _threshold([rows[i] for i in train], [statements[i] for i in train], name) for name in FITTED}
        for i in test:
            said = statements[i]
            kept = {
                name: value
                for name, value in said.facts.items()
                if name not in said.guesses or said.guesses[name][1] >= least.get(name, DEFAULT)
            }
            out[i] = replace(said, facts=kept)
    return out


def _threshold(rows: Sequence[Row], statements: Sequence[Statement], name: str) -> float:
    stated = []
    for row, said in zip(rows, statements, strict=True):
        if name in said.guesses and (counts := judge(row, name, said.guesses[name][0])) is not None:
            stated.append((said.guesses[name][1], counts.right))
    return threshold(stated, PRECISION)
