"""Task families: what is asked about one annotated photo, and what the right answer is.

Left out of every target: keys under ``guess``, attributes that the category does not have, and visible text or brands
(those are read, not seen). ``unknown`` is an answer like any other. What the photo cannot show is never taught.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from listing import prompts
from listing.taxonomy import Attribute, Taxonomy

FORM, LISTING, CLAIMS = "form", "listing", "claims"


@dataclass(frozen=True)
class Task:
    """One question about a photo and its answer."""

    name: str
    prompt: str
    answer: str


@dataclass(frozen=True)
class TaskPlan:
    """Shares (0..1) of a photo's questions by family, and of hints that are wrong."""

    attributes: int = 99  # asked of one photo at most; short sequences let the category come by more often
    always: tuple[str, ...] = ()  # asked of every photo, beside those; many values need more practice
    hint_share: float = 0.25
    hint_wrong: float = 0.4
    claim_share: float = 0.5
    second_colour_share: float = 0.4
    form: bool = True  # and claims: what every model but the embedded one is asked, about 1,500 tokens


def annotated_answer(row: Mapping[str, Any], attribute: Attribute) -> str | None:
    """The annotated answer to an attribute's question, or None where it may not be taught (a guess)."""
    if attribute.name in row["guess"]:
        return None
    value = row["condition"][0] if attribute.name == "condition" else row.get(attribute.name)
    if value is None:
        return attribute.absent
    if value in attribute.answers:
        return str(value)
    return prompts.UNKNOWN  # "n/a" within a category that has the attribute


def visible_answers(row: Mapping[str, Any], taxonomy: Taxonomy) -> list[tuple[Attribute, str]]:
    """The attributes that a photo can show, each with its annotated answer."""
    asked = [a for a in taxonomy.schema(row["label"]) if a.values and a.can_be("seen")]
    return [(a, answer) for a in asked if (answer := annotated_answer(row, a)) is not None]


def photo_tasks(row: Mapping[str, Any], taxonomy: Taxonomy, plan: TaskPlan, rng: Random) -> list[Task]:
    """Category, attributes (some with hints), one yes/no claim, in random order."""
    tasks = []
    if row.get("label_ok", True):
        tasks.append(Task("category", prompts.CATEGORY, taxonomy.categories[row["label"]].phrase))
    answers = [
        (attribute, answer)
        for attribute, answer in visible_answers(row, taxonomy)
        if attribute.name != "colour2" or rng.random() <= plan.second_colour_share
    ]
    must = [pair for pair in answers if pair[0].name in plan.always]
    others = [pair for pair in answers if pair[0].name not in plan.always]
    for attribute, answer in must + rng.sample(others, min(plan.attributes, len(others))):
        question = prompts.attribute_question(attribute, _hints(attribute, answer, plan, rng))
        tasks.append(Task(attribute.name, question, answer))
    if answers and rng.random() < plan.claim_share:
        tasks.append(_claim(*rng.choice(answers), rng))
    rng.shuffle(tasks)
    return tasks


def annotated_form(row: Mapping[str, Any], taxonomy: Taxonomy) -> list[Task]:
    """The whole form, filled in with what may be taught of the photo; none where the category is in doubt."""
    if not row.get("label_ok", True):
        return []
    answers = {attribute.name: answer for attribute, answer in visible_answers(row, taxonomy)}
    return [form_task(row["label"], answers, taxonomy)]


def form_task(category: str, answers: Mapping[str, str], taxonomy: Taxonomy) -> Task:
    """The form that a model fills in, and its JSON, without the keys that nobody can answer."""
    form = {"category": prompts.leaf_answers(taxonomy)[category], **answers}
    return Task(FORM, prompts.form(taxonomy), json.dumps(form, ensure_ascii=False))


def _hints(attribute: Attribute, answer: str, plan: TaskPlan, rng: Random) -> Sequence[str]:
    """None, one or two values; wrong often enough that the photo must be looked at."""
    if attribute.instance or rng.random() > plan.hint_share:
        return ()
    others = [v for v in attribute.values if v != answer]
    right = rng.random() > plan.hint_wrong and answer in attribute.values
    hints = [answer if right else rng.choice(others)]
    if rng.random() < 0.3:
        hints.append(rng.choice([v for v in others if v not in hints]))
        rng.shuffle(hints)
    return hints


def _claim(attribute: Attribute, answer: str, rng: Random) -> Task:
    true = rng.random() < 0.5 and answer in attribute.values
    value = answer if true else rng.choice([v for v in attribute.values if v != answer])
    return Task("claim", prompts.claim_question(attribute, value), prompts.YES if true else prompts.NO)
