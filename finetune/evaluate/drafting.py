"""Title and description of an arm's statements, before the pipeline's checks and after them.

Before: decoded from everything that the arm holds for likeliest. After: decoded from what passed its thresholds, then
checked sentence by sentence (``listing.text.write``); of the whole system, rendered from what it may say. Arms that do
not decode (template, copier) have one text for both.
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
from finetune.evaluate.cached_model import first_line
from listing import prompts
from listing.decide import verify
from listing.decide.pool import Calibration
from listing.schema import Candidate, Category, Evidence
from listing.taxonomy import Taxonomy
from listing.text.claims import MAX_VALUE_LENGTH, Claim, claims_of
from listing.text.render import render
from listing.text.write import checked

TEXTS = 100  # photos whose texts are judged
SLOTS = {  # what the template says of a fact; the rest by its value alone
    "brand": "by {}", "closure": "closes with {}", "audience": "for {}", "size": "size {}", "text": 'with "{}"',
    "sleeve": "{} sleeves", "neckline": "{} neck",
}  # fmt: skip
TITLE_TOKENS, DESCRIPTION_TOKENS = 28, 96
Job = tuple[Statement, Mapping[str, str], Mapping[str, str]]  # the statement, everything likeliest, what is told
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
    return {
        a.name: " ".join(value.replace('"', " ").split())[:MAX_VALUE_LENGTH]
        for a in taxonomy.in_text()
        if (value := facts.get(a.name)) and value not in a.unspoken
    }


def decoded(backend: Any, category: str, facts: Mapping[str, str], taxonomy: Taxonomy) -> Text:
    """What the model writes of the facts, as it stands."""
    if category not in taxonomy.categories:
        return Text("", "", {})
    node, shown = taxonomy.categories[category], text_facts(facts, taxonomy)
    asked = {
        prompts.title_prompt(node, shown): TITLE_TOKENS,
        prompts.description_prompt(node, shown): DESCRIPTION_TOKENS,
    }
    lines = [first_line("".join(backend.write((), prompt, max_tokens=most))) for prompt, most in asked.items()]
    title, description = (" ".join(line.split()) for line in lines)
    return Text(title, description, shown)


def checked_text(text: Text, category: str, taxonomy: Taxonomy) -> Text:
    """The text after the pipeline's checks of claims; the rendered one stands in for what they do not let pass."""
    if category not in taxonomy.categories:
        return text
    claims = [Claim("category", category), *(Claim(name, value) for name, value in text.facts.items())]
    plain = render(claims, taxonomy, key=text.whole)
    title, _ = checked(text.title, "title", claims, taxonomy)
    description, _ = checked(text.description, "description", claims, taxonomy)
    return Text(title or plain.title, description or plain.description, text.facts)


def by_model(model: str) -> Writer:
    """An arm of the multimodal model by itself."""

    def write(material: Material, statements: Sequence[Statement], numbers: Sequence[int]) -> list[Draft]:
        taxonomy = material.taxonomy
        sure = thresholded(material.rows, statements)
        return drafted(
            material.models[model],
            [(statements[i], statements[i].facts, sure[i].facts) for i in numbers],
            taxonomy,
        )

    return write


def by_system(material: Material, statements: Sequence[Statement], numbers: Sequence[int]) -> list[Draft]:
    """The whole system; before its checks everything likeliest is told by the model, after them what may be said."""
    likely = [{**{name: value for name, (value, _) in s.guesses.items()}, **s.facts} for s in statements]
    jobs = [(statements[i], likely[i], statements[i].facts) for i in numbers]
    return [
        Draft(draft.category, draft.before, rendered(statements[i], material.rules[i], material.taxonomy, str(i)))
        for i, draft in zip(numbers, drafted(material.models["tuned"], jobs, material.taxonomy), strict=True)
    ]


def rendered(said: Statement, rule: Calibration, taxonomy: Taxonomy, key: str) -> Text:
    """What the pipeline would write of a statement."""
    if said.category not in taxonomy.categories:
        return Text("", "", {})
    facts = []
    for name, value in said.facts.items():
        guess, p = said.guesses.get(name, (None, 1.0))
        facts.append(verify.read_fact(name, value, Evidence(source="mllm" if guess == value else "ocr"), p))
    sure = said.sure if said.sure is not None else 1.0
    likely = said.candidates or [(said.category, sure)]
    candidates = [Candidate(value=name, confidence=p) for name, p in likely]
    category = Category(value=said.category, confidence=sure, candidates=candidates, in_range=True)
    claims = claims_of(category, facts, [], taxonomy, rule)
    text = render(claims, taxonomy, key=key)
    return Text(text.title, text.description, {c.attribute: c.value for c in claims if c.attribute != "category"})


def drafted(backend: Any, jobs: Sequence[Job], taxonomy: Taxonomy) -> list[Draft]:
    """Drafts of jobs; all texts are decoded together first."""
    tasks = [(said.category, facts) for said, *both in jobs for facts in both]
    pairs = [
        (taxonomy.categories[name], text_facts(facts, taxonomy)) for name, facts in tasks if name in taxonomy.categories
    ]
    backend.write_many([prompts.title_prompt(*pair) for pair in pairs], TITLE_TOKENS)
    backend.write_many([prompts.description_prompt(*pair) for pair in pairs], DESCRIPTION_TOKENS)
    return [
        Draft(
            said.category,
            decoded(backend, said.category, everything, taxonomy),
            checked_text(decoded(backend, said.category, sure, taxonomy), said.category, taxonomy),
        )
        for said, everything, sure in jobs
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
