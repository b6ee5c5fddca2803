"""The multimodal model by itself: its likelihoods of closed answers, and nothing of classifier, pixels or checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from finetune.data.tasks import annotated_answer
from finetune.evaluate.arms.material import Material, Row
from finetune.evaluate.arms.statement import Statement, likeliest, single_source
from finetune.evaluate.questions import all_questions, named
from listing.backends.base import ChoiceQuestion
from listing.facts.ensemble import best
from listing.facts.questions import questions, visible
from listing.taxonomy import Taxonomy

EXAMPLES = 3
Answers = Mapping[str, Mapping[str, float]]


def zero_shot(model: str, material: Material, rag: bool) -> list[Statement]:
    """Every question as it is served; with retrieval, similar listings' values stand in the question."""
    said = material.predictions(model)
    if not rag:
        return [single_source(row, "mllm", material.taxonomy) for row in said]
    rows = zip(material.rows, said, strict=True)
    answers = [with_hints(material, model, row, prediction["mllm"]) for row, prediction in rows]
    return [likeliest(a["category"], a, material.taxonomy) for a in answers]


def few_shot(model: str, material: Material, rag: bool) -> list[Statement]:
    """Three answered questions of the same kind, in words alone, stand before each question."""
    taxonomy = material.taxonomy
    shots = exemplars(material.train, taxonomy)
    out = []
    for row in material.rows:
        asked = [with_examples(q, shots) for q in all_questions(taxonomy)]
        answers = named(material.models[model].ask(row["image"], asked), taxonomy)
        if rag:
            answers = with_hints(material, model, row, answers, lambda q: with_examples(q, shots))
        out.append(likeliest(answers["category"], answers, taxonomy))
    return out


def with_hints(
    material: Material,
    model: str,
    row: Row,
    answers: Answers,
    dress: Callable[[ChoiceQuestion], ChoiceQuestion] = lambda question: question,
    category: str | None = None,
    hints: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """The answers, asked again where similar listings (or ``hints``) state a value; these never vote on the category.

    ``dress`` is done to a question before it is asked; ``category`` None takes the likeliest of ``answers``.
    """
    name = category or best(answers["category"])[0]
    node = material.taxonomy.categories[name]
    told = material.neighbourhood.found(row, name).hints() if hints is None else hints
    hinted = [a for a in visible(node, material.taxonomy) if not a.instance and a.name in told]
    if not node.tuned or not hinted:
        return dict(answers)
    asked = [dress(question) for question in questions(hinted, told)]
    return {**answers, **material.models[model].ask(row["image"], asked)}


def exemplars(train: Sequence[Row], taxonomy: Taxonomy, seed: int = 0) -> dict[str, list[str]]:
    """Question -> three different right answers of training photos."""
    rng = Random(seed)
    rows = [row for row in train if row.get("label_ok", True)]
    rng.shuffle(rows)
    found: dict[str, list[str]] = {}
    for row in rows:
        node = taxonomy.categories[row["label"]]
        answers = {"category": node.phrase}
        for attribute in visible(node, taxonomy):
            if (answer := annotated_answer(row, attribute)) is not None:
                answers[attribute.name] = answer
        for name, answer in answers.items():
            have = found.setdefault(name, [])
            if len(have) < EXAMPLES and answer not in have:
                have.append(answer)
    return found


def with_examples(question: ChoiceQuestion, shots: Mapping[str, Sequence[str]]) -> ChoiceQuestion:
    """The question behind its answered examples."""
    plain = question.prompt.partition(" Similar listings say")[0]
    lines = [f"{plain} {answer}" for answer in shots.get(question.name, ())]
    return ChoiceQuestion(question.name, "\n".join([*lines, question.prompt]), question.answers)
