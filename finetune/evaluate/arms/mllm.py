"""The multimodal model by itself: its likelihoods of closed answers, and nothing of classifier, pixels or checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from finetune.evaluate.arms.material import Material, Row
from finetune.evaluate.arms.statement import NO_CATEGORY, Statement, likeliest, single_source
from listing.decide.pool import best
from listing.decide.questions import questions, visible

Answers = Mapping[str, Mapping[str, float]]


def zero_shot(model: str, material: Material, rag: bool) -> list[Statement]:
    """Every question as it is served; with retrieval, similar listings' values stand in the question."""
    said = material.predictions(model)
    if not rag:
        return [single_source(row, "mllm", material.taxonomy) for row in said]
    rows = zip(material.rows, said, strict=True)
    answers = [
        prediction["mllm"] if prediction.get("form") else with_hints(material, model, row, prediction["mllm"])
        for row, prediction in rows
    ]
    return [likeliest(a.get("category", {}), a, material.taxonomy) for a in answers]


def with_hints(
    material: Material,
    model: str,
    row: Row,
    answers: Answers,
    category: str | None = None,
    hints: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """The answers, asked again where similar listings (or ``hints``) state a value; none votes on the category."""
    name = category or best(answers.get("category") or {NO_CATEGORY: 1.0})[0]
    if name not in material.taxonomy.categories:
        return dict(answers)
    node = material.taxonomy.categories[name]
    told = material.neighbourhood.found(row, name).hints() if hints is None else hints
    hinted = [a for a in visible(node, material.taxonomy) if not a.instance and a.name in told]
    if not node.tuned or not hinted:
        return dict(answers)
    return {**answers, **material.models[model].ask(row["image"], questions(hinted, told))}
