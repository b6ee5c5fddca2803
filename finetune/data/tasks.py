"""Task families: what is asked about one annotated photo, and what the right answer is.

Left out of every target: keys under ``guess``, attributes that the category does not have, and visible text or brands
(those are read, not seen). ``unknown`` is an answer like any other. What the photo cannot show is never taught.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from finetune.data import text_templates
from listing import prompts
from listing.request import TONES
from listing.taxonomy import Attribute, CategoryNode, Taxonomy, load_taxonomy

TITLE_SHARE = 0.4  # of the texts
FORM, LISTING = "form", "listing"
_TEXT_KEYS = tuple(
    a.name for a in load_taxonomy().attributes.values() if a.values and a.can_be("seen") and not a.instance
)


@dataclass(frozen=True)
class Task:
    """One question and its answer. ``photo`` False: the answer follows from the prompt alone.

    ``soft``: share (0..1) of each answer, where the tower was asked instead of a person; ``answer`` is drawn from it.
    """

    name: str
    prompt: str
    answer: str
    photo: bool = True
    soft: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TaskPlan:
    """How often each family is drawn for a photo (shares 0..1), and how often hints are wrong."""

    attributes: int = 99  # asked of one photo at most; short sequences let the category come by more often
    always: tuple[str, ...] = ()  # asked of every photo, beside those; many values need more practice
    hint_share: float = 0.25
    hint_wrong: float = 0.4
    claim_share: float = 0.5
    second_colour_share: float = 0.4
    text_share: float = 0.3  # of the steps: half the photos, each with a text, so that little is padded
    untuned_share: float = 0.15
    drop_fact: float = 0.15


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


def photo_tasks(
    row: Mapping[str, Any],
    taxonomy: Taxonomy,
    plan: TaskPlan,
    rng: Random,
    soft: Mapping[str, Mapping[str, float]] | None = None,
) -> list[Task]:
    """Category, attributes (some with hints), one yes/no claim, in random order; ``soft``: see ``mixing.relabel``."""
    soft = soft or {}
    tasks = []
    node = taxonomy.categories[row["label"]]
    if row.get("label_ok", True):
        tasks.append(Task("category", prompts.CATEGORY, node.phrase, soft=soft.get("category", {})))
    seen = [a for a in taxonomy.schema(node.name) if a.values and a.can_be("seen")]
    known = [
        (attribute, answer)
        for attribute in seen
        if (answer := annotated_answer(row, attribute)) is not None
        and (attribute.name != "colour2" or rng.random() <= plan.second_colour_share)
    ]
    must = [pair for pair in known if pair[0].name in plan.always]
    others = [pair for pair in known if pair[0].name not in plan.always]
    for attribute, answer in must + rng.sample(others, min(plan.attributes, len(others))):
        question = prompts.attribute_question(attribute, _hints(attribute, answer, plan, rng))
        shares = {value: share for value, share in soft.get(attribute.name, {}).items() if value in attribute.answers}
        tasks.append(Task(attribute.name, question, answer, soft=shares))
    if known and rng.random() < plan.claim_share:
        tasks.append(_claim(*rng.choice(known), rng))
    rng.shuffle(tasks)
    return tasks


def annotated_form(row: Mapping[str, Any], taxonomy: Taxonomy) -> list[Task]:
    """The whole form, filled in with what may be taught of the photo; none where the category is in doubt."""
    if not row.get("label_ok", True):
        return []
    seen = [a for a in taxonomy.schema(row["label"]) if a.values and a.can_be("seen")]
    answers = {a.name: answer for a in seen if (answer := annotated_answer(row, a)) is not None}
    return [form_task(row["label"], answers, taxonomy)]


def form_task(category: str, answers: Mapping[str, str], taxonomy: Taxonomy) -> Task:
    """What a model behind a server is asked of an item, and its JSON, without the keys that nobody can answer."""
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


def text_tasks(row: Mapping[str, Any], taxonomy: Taxonomy, plan: TaskPlan, rng: Random) -> list[Task]:
    """A title or a description from facts: what the prompt states is all that the target says."""
    node, facts = _facts(row, taxonomy, plan, rng)
    if rng.random() < TITLE_SHARE:
        return [Task("title", prompts.title_prompt(node, facts), text_templates.title(node, facts, rng), False)]
    tone = rng.choice(TONES)
    prompt = prompts.description_prompt(node, facts, tone)
    return [Task("description", prompt, text_templates.description(node, facts, tone, rng), False)]


def _facts(
    row: Mapping[str, Any], taxonomy: Taxonomy, plan: TaskPlan, rng: Random
) -> tuple[CategoryNode, dict[str, str]]:
    node = taxonomy.categories[row["label"]]
    facts = {k: row[k] for k in _TEXT_KEYS if row[k] and row[k] not in ("n/a", prompts.UNKNOWN)}
    if rng.random() < plan.untuned_share:
        node = rng.choice([n for n in taxonomy.leaves() if not n.tuned])
        facts = {k: v for k, v in facts.items() if k in ("colour", "colour2")}
    facts |= {k: row[k] for k in ("brand", "text") if row[k]}
    if row["condition"][0] != "none-visible":
        facts["condition"] = row["condition"][0]
    facts = {k: v for k, v in facts.items() if rng.random() > plan.drop_fact}
    return node, {k: v.strip('"')[:60] for k, v in facts.items() if k in {a.name for a in taxonomy.schema(node.name)}}
