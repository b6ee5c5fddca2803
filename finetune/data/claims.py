"""Claims about an item as they are asked back: clauses of a text that are true of it, and planted ones that are not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from random import Random

from finetune.data.tasks import CLAIMS, Task
from listing import prompts
from listing.decide.claims import FIBRES, Claim
from listing.decide.settle import settle
from listing.languages import ENGLISH
from listing.say.clauses import claim_of, joints, sentences
from listing.say.marks import find_spans
from listing.say.render import write
from listing.taxonomy import Taxonomy

PLANTED, MOST = 3, 12  # attributes with another value, and claims in a prompt
SURE = 0.95


def claims_task(
    category: str, facts: Mapping[str, str], texts: Sequence[str], taxonomy: Taxonomy, rng: Random
) -> list[Task]:
    """The prompt that asks claims of an item back, and its JSON; none where no clause is left.

    facts: attribute -> value that is right. texts: true ones of it; without any, the renderer's.
    """
    node = taxonomy.categories[category]
    spoken = [a for a in taxonomy.in_text() if a.name in node.attributes and a.values and not a.many]
    known = {a.name: facts[a.name] for a in spoken if facts.get(a.name) in {*a.values} - {*FIBRES, *a.unspoken}}
    own = [Claim("category", category), *(Claim(n, v) for n, v in known.items())]
    true = set(_clauses(texts) if texts else _stating(own, own, taxonomy))
    if not true:
        return []
    false = {rng.choice(joints().never)}
    for name in rng.sample(sorted(known), min(PLANTED, len(known))):
        values = {*taxonomy.attributes[name].values} - {known[name], *FIBRES, *taxonomy.attributes[name].unspoken}
        if values:
            planted = Claim(name, rng.choice(sorted(values)))
            other = [planted if claim.attribute == name else claim for claim in own]
            false |= {*_stating([planted], other, taxonomy)} - true
    judged = [*((line, prompts.YES) for line in sorted(true)), *((line, prompts.NO) for line in sorted(false))]
    rng.shuffle(judged)
    judged = judged[:MOST]
    answer = {str(n): {"there": there, "sure": SURE} for n, (_, there) in enumerate(judged, 1)}
    return [Task(CLAIMS, prompts.claims([line for line, _ in judged]), json.dumps(answer))]


def _stating(which: Sequence[Claim], claims: Sequence[Claim], taxonomy: Taxonomy) -> list[str]:
    """The clauses of the rendered text of ``claims`` that state one of ``which``."""
    item = settle(claims, taxonomy)
    text = write(item)
    clauses = _clauses([text.title, text.description])
    return [words for words in clauses if find_spans({"title": words, "description": ""}, item, which)]


def _clauses(texts: Iterable[str]) -> list[str]:
    """Each clause as it is asked."""
    parts = [part for text in texts for sentence in sentences(text) for part in sentence.parts]
    return list({claim.lower(): claim for part in parts if (claim := claim_of(part, ENGLISH))}.values())
