"""Title and description of an arm's statements, before the pipeline's checks and after them.

Before: decoded from everything that the arm holds for likeliest. After: decoded from what passed its thresholds, then
checked sentence by sentence (``listing.text.checked``). Arms that do not decode (template, copier) have one text for
both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.evaluate.arms.material import Material, Row
from finetune.evaluate.arms.statement import Statement
from finetune.evaluate.arms.system import thresholded
from finetune.evaluate.arms.yardsticks import nearest_listings
from listing import prompts
from listing.facts import verify
from listing.facts.ensemble import Calibration
from listing.schema import Candidate, Category, Evidence
from listing.taxonomy import Taxonomy
from listing.text import text_policy, write
from listing.text.checked import Subject, checked_description, checked_title

TEXTS = 100  # photos whose texts are judged
SLOTS = {  # what the template says of a fact; the rest by its value alone
    "brand": "by {}", "closure": "closes with {}", "audience": "for {}", "size": "size {}", "text": 'with "{}"',
    "sleeve": "{} sleeves", "neckline": "{} neck",
}  # fmt: skip
Job = tuple[Statement, Mapping[str, str], "TextFacts"]  # the statement, everything likeliest, what is told
Writer = Callable[[Material, Sequence[Statement], Sequence[int]], list["Draft"]]


@dataclass(frozen=True)
class Text:
    """Title, description, and the facts they were made from."""

    title: str
    description: str
    facts: Mapping[str, str]

    @property
    def whole(self) -> str:
        """Both in one."""
        return f"{self.title}\n{self.description}"


@dataclass(frozen=True)
class TextFacts:
    """What a served text is written of: the thing's name in ``taxonomy``, and facts."""

    category: str
    facts: Mapping[str, str]
    taxonomy: Taxonomy


@dataclass(frozen=True)
class Draft:
    """The texts about one photo."""

    category: str
    before: Text
    after: Text


def chosen(rows: Sequence[Row], count: int = TEXTS) -> list[int]:
    """Numbers of the photos whose texts are judged: the first by a hash of their names, the same in every run."""
    order = sorted(range(len(rows)), key=lambda i: hashlib.sha256(Path(rows[i]["image"]).name.encode()).digest())
    return sorted(order[:count])


def text_facts(facts: Mapping[str, str], taxonomy: Taxonomy) -> dict[str, str]:
    """The facts that a text may use, in the prompts' order."""
    stated = [verify.read_fact(n, v, Evidence(source="mllm"), 1.0) for n, v in facts.items()]
    return text_policy.text_values(stated, taxonomy)


def decoded(backend: Any, category: str, facts: Mapping[str, str], taxonomy: Taxonomy) -> Text:
    """What the model writes of the facts, as it stands."""
    if category not in taxonomy.categories:
        return Text("", "", {})
    node, shown = taxonomy.categories[category], text_facts(facts, taxonomy)
    title = "".join(write.write_title(backend, node, shown))
    description = "".join(write.write_description(backend, node, shown, "plain"))
    return Text(" ".join(title.split()), " ".join(description.split()), shown)


def checked_text(text: Text, category: str, taxonomy: Taxonomy) -> Text:
    """The text after the pipeline's checks of claims; plain words stand in for what they do not let pass."""
    if category not in taxonomy.categories:
        return text
    subject = Subject(taxonomy.categories[category], text.facts, taxonomy)
    title, _ = checked_title(text.title, subject)
    description, _ = checked_description(text.description, subject)
    return Text(title, description, text.facts)


def by_model(model: str) -> Writer:
    """An arm of the multimodal model by itself."""

    def write(material: Material, statements: Sequence[Statement], numbers: Sequence[int]) -> list[Draft]:
        taxonomy = material.taxonomy
        sure = thresholded(material.rows, statements)
        jobs = [
            (statements[i], statements[i].facts, TextFacts(statements[i].category, sure[i].facts, taxonomy))
            for i in numbers
        ]
        return drafted(material.models[model], jobs, taxonomy)

    return write


def by_system(material: Material, statements: Sequence[Statement], numbers: Sequence[int]) -> list[Draft]:
    """The whole system; before its checks everything likeliest counts as a fact, after them what a text may say."""
    jobs = []
    for i in numbers:
        likely = {name: value for name, (value, _) in statements[i].guesses.items()}
        checked = facts_for_text(statements[i], material.rules[i], material.taxonomy)
        jobs.append((statements[i], {**likely, **statements[i].facts}, checked))
    return drafted(material.models["tuned"], jobs, material.taxonomy)


def facts_for_text(said: Statement, rule: Calibration, taxonomy: Taxonomy) -> TextFacts:
    """What the pipeline would tell its text of a statement (``listing.text.text_policy``)."""
    if said.category not in taxonomy.categories:
        return TextFacts(said.category, said.facts, taxonomy)
    facts = []
    for name, value in said.facts.items():
        guess, p = said.guesses.get(name, (None, 1.0))
        facts.append(verify.read_fact(name, value, Evidence(source="mllm" if guess == value else "ocr"), p))
    sure = said.sure if said.sure is not None else 1.0
    likely = said.candidates or [(said.category, sure)]
    candidates = [Candidate(value=name, confidence=p) for name, p in likely]
    category = Category(value=said.category, confidence=sure, candidates=candidates, in_range=True)
    node, known = text_policy.subject(category, taxonomy)
    kept = text_policy.sure_facts(facts, taxonomy, rule)
    return TextFacts(node.name, {fact.name: fact.value for fact in kept if fact.value is not None}, known)


def drafted(backend: Any, jobs: Sequence[Job], taxonomy: Taxonomy) -> list[Draft]:
    """Drafts of jobs; all texts are decoded together first."""
    tasks = [(said.category, facts, taxonomy) for said, facts, _ in jobs]
    tasks += [(after.category, after.facts, after.taxonomy) for *_, after in jobs]
    pairs = [
        (known.categories[name], text_facts(facts, known)) for name, facts, known in tasks if name in known.categories
    ]
    backend.write_many([prompts.title_prompt(*pair) for pair in pairs], write.TITLE_TOKENS)
    backend.write_many([prompts.description_prompt(*pair) for pair in pairs], write.DESCRIPTION_TOKENS)
    return [
        Draft(
            said.category,
            decoded(backend, said.category, everything, taxonomy),
            checked_text(decoded(backend, after.category, after.facts, after.taxonomy), after.category, after.taxonomy),
        )
        for said, everything, after in jobs
    ]


def by_template(material: Material, statements: Sequence[Statement], numbers: Sequence[int]) -> list[Draft]:
    """The system's facts in a fixed form."""
    out = []
    for i in numbers:
        said = statements[i]
        node, facts = material.taxonomy.categories.get(said.category), text_facts(said.facts, material.taxonomy)
        thing = node.phrase if node else "item"
        title = " ".join(w for w in (facts.get("brand", ""), facts.get("colour", ""), thing) if w)
        slots = ", ".join([f"Item: {thing}", *(SLOTS.get(n, "{}").format(v) for n, v in facts.items())])
        text = Text(title[:1].upper() + title[1:], f"{slots}.", facts)
        out.append(Draft(said.category, text, text))
    return out


def by_copying(material: Material, statements: Sequence[Statement], numbers: Sequence[int]) -> list[Draft]:
    """The nearest past listing's own text."""
    near = nearest_listings(material)
    out = []
    for i in numbers:
        title, _, description = (near[i]["nearest"] or {"text": ""})["text"].partition("\n")
        text = Text(title, description, dict(statements[i].facts))
        out.append(Draft(statements[i].category, text, text))
    return out


WRITERS: dict[str, Writer] = {
    "base": by_model("base"),
    "tuned": by_model("tuned"),
    "system": by_system,
    "template": by_template,
    "copy-nearest": by_copying,
}
