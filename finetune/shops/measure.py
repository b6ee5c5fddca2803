"""Agreement of a shop's drafts with what a table of new listings states, beside each source alone."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import rag_index
from finetune.shops.columns import no_vectors
from finetune.shops.observing import PhotoObserver, by_name, in_a_draft
from finetune.shops.table import Table
from finetune.shops.voice import draft_text
from listing.calibration import Calibration
from listing.decide.decision import Decision
from listing.decide.views import Distribution, best
from listing.observe.heads import FILE, Heads
from listing.observe.past_listings import Neighbours, PastListings
from listing.rules import Rules
from listing.safety.contacts import sure_contact
from listing.shops.catalogue import tools, vocabulary_of
from listing.shops.shop import INDEX, TAXONOMY
from listing.shops.translation import in_shop_words
from listing.taxonomy import DEFAULT_FILE, Taxonomy, load_taxonomy
from rag_index.imports.catalogue import open_catalogue
from rag_index.imports.importer import Import

CATEGORY = "category"
ARMS = ("out of the box", "past listings", "heads", "shop")
DRAWS, FREQUENT = 1000, 20
Row = dict[str, Any]


def measure(
    version: Path, table: Table, cache: Path, home: Path, stamp: str, titles: Path | None = None
) -> dict[str, Row]:
    """Question -> figures of the new listings; ``cache`` keeps what was worked out of their photos.

    Arms: a draft that no shop has taught (each answer as the shop's most frequent word for it), the votes of past
    listings, the heads, and a draft of the shop's. No language model takes part, and no print is read. ``frequent``:
    answers that 20 and more past listings state. titles: a JSONL to write, each listing's category and texts
    beside the drafts'.
    """
    folder, encoders = home / "models" / "ipl-mini", rag_index.default_encoders(home)
    taxonomy, learned, base = load_taxonomy(version / TAXONOMY), Calibration.load(version), Calibration.load(folder)
    rules = Rules(taxonomy, base.model_copy(update={"questions": {**base.questions, **learned.questions}}))
    untaught_rules = Rules(load_taxonomy(DEFAULT_FILE), base)
    pairs = list[Row]()
    observer, heads = PhotoObserver(folder, stamp, cache / "observed.jsonl"), Heads.load(version / FILE)
    vocabulary = vocabulary_of(taxonomy)
    catalogue = open_catalogue(table.path, vocabulary, no_vectors, column_choices=table.given, photos=table.photos)
    importer = Import(
        catalogue,
        tools(),
        encoders,
        cache,
        sure_contact,
        features=observer.features,
        texts=False,
        store_as=Path("/new"),
    )
    importer.prepare()
    rows: dict[str, list[Row]] = {question: [] for question in learned.questions}
    with rag_index.ListingIndex.open(version / INDEX, encoders.info) as index:
        past = PastListings(index, encoders, taxonomy)
        frequent = _frequent(index, learned.questions)
        for record, (_, files, features) in zip(importer.records(), importer.photo_features(), strict=True):
            if not files:
                continue
            observations, neighbours = observer.first_photo(files, past, record, record.image_vectors[0])
            taught = {q: by_name(heads.values[q], heads(features[:1], q)[0]) for q in heads.values}
            decision = Decision(in_a_draft(observations, taxonomy, taught, neighbours), 1, rules)
            untaught = Decision(observations, 1, untaught_rules)
            text, (title, _, description) = draft_text(decision, rules), record.text.partition("\n")
            pairs.append({"listing": record.listing_id, "category": record.category, "drafted": decision.category.value,
                          "title": title, "out of the box": draft_text(untaught, untaught_rules).title,
                          "shop": text.title, "description": description,
                          "shop's description": text.description})  # fmt: skip
            for question, into in rows.items():
                truth = record.category if question == CATEGORY else record.attributes.get(question)
                if truth:
                    alone = (
                        _in_the_shops(untaught, question, taxonomy),
                        _votes(neighbours, question),
                        taught.get(question, {}),
                    )
                    answers = {arm: best(d)[0] if d else None for arm, d in zip(ARMS, alone, strict=False)}
                    limit = learned.of(question).threshold
                    into.append({"truth": truth, **answers, **_answer(decision, question, limit)})
    if titles is not None:
        titles.write_text("".join(json.dumps(pair, ensure_ascii=False) + "\n" for pair in pairs), encoding="utf-8")
    return {question: figures(answers, frequent[question]) for question, answers in rows.items() if answers}


def _in_the_shops(untaught: Decision, question: str, taxonomy: Taxonomy) -> Distribution:
    """The answer of a draft that no shop has taught, over the shop's words for it."""
    if question == CATEGORY:
        value = untaught.category.value
    else:
        fact = next((fact for fact in untaught.facts if fact.name == question), None)
        value = (fact.value or fact.suggestion) if fact else None
    return in_shop_words({value: 1.0}, question, taxonomy) if value else {}


def _votes(neighbours: Neighbours, question: str) -> Distribution:
    return neighbours.categories if question == CATEGORY else neighbours.votes.get(question, {})


def _answer(decision: Decision, question: str, limit: float) -> Row:
    """A draft's likeliest answer, its next ones, and whether it is stated."""
    if question == CATEGORY:
        category = decision.category
        three = [candidate.value for candidate in category.candidates]
        return {"shop": category.value, "three": three, "stated": category.confidence >= limit}
    fact = next((fact for fact in decision.facts if fact.name == question), None)
    if fact is None:
        return {"shop": None, "three": [], "stated": False}
    top = fact.value or fact.suggestion
    return {"shop": top, "three": [top, *fact.alternatives[:2]], "stated": fact.value is not None}


def _frequent(index: rag_index.ListingIndex, questions: Mapping[str, Any]) -> dict[str, set[str]]:
    counts: dict[str, dict[str, int]] = {question: {} for question in questions}
    for record in index.records():
        for question, into in counts.items():
            if value := record.category if question == CATEGORY else record.attributes.get(question):
                into[value] = into.get(value, 0) + 1
    return {question: {v for v, n in values.items() if n >= FREQUENT} for question, values in counts.items()}


def figures(rows: Sequence[Row], frequent: set[str]) -> Row:
    """Shares that are right, with 95 % intervals by bootstrap over listings, and what a shop's drafts state."""
    often = [row for row in rows if row["truth"] in frequent]
    out: Row = {"listings": len(rows), "frequent": len(often)}
    for arm in ARMS:
        out[arm] = interval([row[arm] == row["truth"] for row in rows])
        out[f"{arm}, frequent"] = interval([row[arm] == row["truth"] for row in often])
    stated = [row["shop"] == row["truth"] for row in rows if row["stated"]]
    out["three"] = round(sum(row["truth"] in row["three"] for row in rows) / len(rows), 3)
    out["stated"] = round(len(stated) / len(rows), 3)
    out["right of those"] = round(sum(stated) / len(stated), 3) if stated else None
    out["empty"] = sum(row["shop"] is None for row in rows)
    return out


def interval(values: Sequence[float]) -> list[float]:
    """[mean, lower, upper] of a 95 % interval by bootstrap."""
    if not values:
        return []
    rng, n = random.Random(0), len(values)
    draws = sorted(sum(rng.choices(values, k=n)) / n for _ in range(DRAWS))
    return [round(x, 3) for x in (sum(values) / n, draws[DRAWS // 40], draws[-DRAWS // 40])]
