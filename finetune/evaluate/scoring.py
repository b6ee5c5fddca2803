"""One arm's measures with intervals: closed choices, and free text beside the annotated one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from finetune.data.photosets import ATTRIBUTES
from finetune.evaluate.arms.statement import Statement
from finetune.evaluate.drafting import Text
from finetune.evaluate.measures import (
    calibration_error,
    category_macro_f1,
    count,
    distinct_2,
    interval,
    judge,
    mean_words,
    rouge_l,
    scores_of,
    share,
)  # fmt: skip
from finetune.evaluate.style import StyleClassifier
from finetune.evaluate.target_texts import annotated_facts
from listing.lexicon import load_lexicon
from listing.taxonomy import Taxonomy
from listing.text import ground

Row = Mapping[str, Any]
DRAWS = 1000


def closed(rows: Sequence[Row], statements: Sequence[Statement], draws: int = DRAWS) -> dict[str, Any]:
    """Category and attributes of one arm; ``intervals`` are 95 %, by bootstrap over senders."""
    truth, said = np.array([row["label"] for row in rows]), np.array([s.category or "none" for s in statements])
    right = truth == said
    counts = count(rows, [dict(s.facts) for s in statements])
    guesses = _guesses(rows, statements)

    def error(index: Sequence[int]) -> float:
        found = [pair for i in index for pair in guesses[i]]
        return calibration_error([p for p, _ in found], [ok for _, ok in found])

    def sure(index: Sequence[int]) -> float:
        known = [i for i in index if statements[i].sure is not None]
        return calibration_error([statements[i].sure or 0.0 for i in known], [bool(right[i]) for i in known])

    def of(name: str) -> Callable[[list[int]], float]:
        return lambda index: float(scores_of(counts[index].sum(0))[name])

    def category_f1(index: list[int]) -> float:
        return category_macro_f1(truth[index], said[index])

    everything = list(range(len(rows)))
    scores = scores_of(counts.sum(0))
    measures: dict[str, Callable[[list[int]], float]] = {
        "category_accuracy": lambda index: float(right[index].mean()),
        **{name: of(name) for name in ("micro_f1", "macro_f1", "precision", "recall")},
        "category_ece": sure,
        "attribute_ece": error,
    }
    intervals = {name: interval(rows, measure, draws) for name, measure in measures.items()}
    intervals["category_macro_f1"] = interval(rows, category_f1, min(draws, 200))
    return {
        **{name: measure(everything) for name, measure in measures.items()},
        "category_macro_f1": category_f1(everything),
        "by_attribute": scores["by_attribute"],
        "brands": brands(rows, statements),
        "colours": colours(rows, statements),
        "intervals": intervals,
    }


def _guesses(rows: Sequence[Row], statements: Sequence[Statement]) -> list[list[tuple[float, bool]]]:
    """By photo: (probability, right) of each likeliest value, stated or not."""
    out = []
    for row, said in zip(rows, statements, strict=True):
        judged = [(p, judge(row, n, value)) for n, (value, p) in said.guesses.items() if n in ATTRIBUTES]
        out.append([(p, bool(counts.right)) for p, counts in judged if counts is not None])
    return out


def brands(rows: Sequence[Row], statements: Sequence[Statement]) -> dict[str, int]:
    """Brands stated, and how many of them are not the annotated one."""
    said = [(row["brand"], s.facts["brand"]) for row, s in zip(rows, statements, strict=True) if s.facts.get("brand")]
    wrong = sum(not truth or str(truth).casefold() != value.casefold() for truth, value in said)
    return {"stated": len(said), "wrong": wrong}


def colours(rows: Sequence[Row], statements: Sequence[Statement]) -> dict[str, Any]:
    """Best guesses of the main colour on photos whose colour is no guess, and the wrong ones that occur twice or more.

    ``stated``: share of these photos for which it stands in the draft; ``second``: how often a second colour is the
    best guess, and how often it then is one of the item's colours.
    """
    known = [(row, s) for row, s in zip(rows, statements, strict=True) if "colour" not in row["guess"]]
    best = [(row, s.guesses.get("colour", ("", 0.0))[0]) for row, s in known]
    wrong = Counter((row["colour"], value) for row, value in best if value and value not in _colours_of(row))
    other = [(row, s.guesses["colour2"][0]) for row, s in known if "colour2" in s.guesses]
    return {
        "photos": len(known),
        "main": share(sum(value == row["colour"] for row, value in best), len(known)),
        "main_or_second": share(sum(value in _colours_of(row) for row, value in best), len(known)),
        "stated": share(sum("colour" in s.facts for _, s in known), len(known)),
        "second": {"guessed": len(other), "right": sum(value in _colours_of(row) for row, value in other)},
        "confusions": {f"{true} as {said}": n for (true, said), n in wrong.most_common() if n > 1},
    }


def _colours_of(row: Row) -> tuple[str | None, str | None]:
    return row["colour"], row["colour2"]


def free(
    rows: Sequence[Row], texts: Sequence[Text], style: StyleClassifier | None, taxonomy: Taxonomy, draws: int = DRAWS
) -> dict[str, Any]:
    """Texts of one arm; ``automatic_...`` are judged by the annotation with the program's own claim finder."""
    titles = np.array([rouge_l(t.title, row["title"]) for t, row in zip(texts, rows, strict=True)])
    described = np.array([rouge_l(t.description, row["description"]) for t, row in zip(texts, rows, strict=True)])
    descriptions = [t.description for t in texts]
    found = [automatic(text, row, taxonomy) for text, row in zip(texts, rows, strict=True)]
    sums = np.array([[f[k] for k in ("claims", "wrong", "covered", "known")] for f in found], float)
    contradicted = np.array([f["contradicted"] > 0 for f in found])
    measures: dict[str, Callable[[list[int]], float]] = {
        "rouge_l_title": lambda index: float(titles[index].mean()),
        "rouge_l_description": lambda index: float(described[index].mean()),
        "automatic_h_ins": lambda index: share(*sums[index].sum(0)[[1, 0]].tolist()),
        "automatic_h_doc": lambda index: float(contradicted[index].mean()),
        "automatic_coverage": lambda index: share(*sums[index].sum(0)[[2, 3]].tolist()),
    }
    if style is not None:
        ours = np.array(style.platform(descriptions))
        measures["platform_voice"] = lambda index: float(ours[index].mean())
    everything = list(range(len(texts)))
    return {
        **{name: measure(everything) for name, measure in measures.items()},
        "distinct_2": distinct_2(descriptions),
        "words": mean_words(descriptions),
        "intervals": {name: interval(rows, measure, draws) for name, measure in measures.items()},
    }


def automatic(text: Text, row: Row, taxonomy: Taxonomy) -> dict[str, int]:
    """Claims of both texts against the annotation: all, wrong, contradicted; and annotated facts: known and told.

    A claim about a guessed attribute is not counted: the annotation cannot judge it.
    """
    facts, lexicon = annotated_facts(row, taxonomy), load_lexicon()
    ocr = [facts["text"]] if "text" in facts else []
    found = [
        c for t in (text.title, text.description) for c in ground.verify(t, facts, row["label"], taxonomy, ocr=ocr)
    ]
    judged = [c for c in found if not set(lexicon.meaning(c.text)) & set(row["guess"])]
    supported = [c for c in judged if c.verdict == "supported"]
    covered = {name for name in facts if any(_states(c, name, facts[name]) for c in supported)}
    thing = any(c.kind == "category" for c in supported)
    return {
        "claims": len(judged),
        "wrong": len(judged) - len(supported),
        "contradicted": sum(c.verdict == "contradicted" for c in judged),
        "covered": len(covered) + thing,
        "known": len(facts) + 1,
    }


def _states(claim: ground.Claim, name: str, value: str) -> bool:
    if name in ("brand", "text"):
        return claim.kind in ("brand", "text", "name") and claim.text.casefold() in value.casefold()
    return value in load_lexicon().meaning(claim.text).get("colour" if name == "colour2" else name, ())
