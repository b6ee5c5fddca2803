"""``report.html`` of a shop's version: how often each question is answered right, twenty drafts, and what to mend."""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from finetune.shops.calibrating import Answer, Observed, cross_fitted
from finetune.shops.voice import draft_text
from listing.calibration import Calibration, QuestionCalibration
from listing.decide.decision import Decision
from listing.rules import Rules
from listing.shops.shop import FIGURES
from listing.taxonomy import Taxonomy

FILE = "report.html"
CARDS, SIDE = 20, 240
CONFUSED, SURE_OTHER, SUSPECTS = 3, 0.95, 10
ENOUGH, NAMED = 20, 5  # photos of a kind; kinds that a line names


def write_report(
    version: Path,
    observed: Sequence[Observed],
    questions: Sequence[str],
    taxonomy: Taxonomy,
    base: Calibration,
    remarks: Sequence[str],
    files: Mapping[str, Mapping[str, Path]],
    texts: Mapping[str, str],
    photos: Mapping[str, int],
) -> dict[str, Any]:
    """Write the page, and its figures as JSON; returns the figures.

    files: listing -> digest -> file of its photos. texts: listing -> its own title and, below it, description.
    photos: kind -> how many there are.
    """
    from jinja2 import Environment

    calibration = Calibration.load(version)
    crossed = cross_fitted(observed, questions, taxonomy, base)
    figures = {q: figures_of(crossed[q], calibration.questions.get(q)) for q in questions}
    remarks = [*_unlearned(figures, observed), *_twins(files, observed), *_suspects(crossed["category"]), *remarks]
    steps = [*_few(photos), *_mixed(crossed["category"])]
    rules = Rules(taxonomy, base.model_copy(update={"questions": {**base.questions, **calibration.questions}}))
    cards = [{**_card(o, rules, files), "own": texts[o.listing_id].partition("\n")[0]} for o in observed[:CARDS]]
    page = Environment(autoescape=True).from_string(Path(__file__).with_name("report_page.html").read_text("utf-8"))
    question_rows = [{"name": q, **_as_text(f)} for q, f in figures.items()]
    told = {"remarks": [*steps, *remarks], "cards": cards}
    text = page.render(listings=len(files), sample=len(observed), questions=question_rows, **told)
    (version / FILE).write_text(text, encoding="utf-8")
    plain = {"listings": len(files), "sample": len(observed), "questions": figures, "remarks": remarks, "next": steps}
    (version / FIGURES).write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    return plain


def figures_of(answers: Sequence[tuple[Answer, bool]], question: QuestionCalibration | None) -> dict[str, Any]:
    """Counts and shares of one question; None: nothing was learned of it."""
    count = len(answers)
    wrong = Counter((a.truth, a.value) for a, _ in answers if a.value != a.truth)
    truths = Counter(a.truth for a, _ in answers)
    stated = [a.value == a.truth for a, is_stated in answers if is_stated]
    return {
        "count": count,
        "right": sum(a.value == a.truth for a, _ in answers) / count if count else None,
        "most": max(truths.values()) / count if count else None,
        "stated": len(stated) / count if count else 0.0,
        "stated_right": sum(stated) / len(stated) if stated else None,
        "confused": [f"{t} as {v} ({n})" for (t, v), n in wrong.most_common(CONFUSED)],
        "weights": {name: round(w, 2) for name, w in (question.weights if question else {}).items() if w},
    }


def _as_text(figures: Mapping[str, Any]) -> dict[str, Any]:
    def percent(share: float | None) -> str:
        return "" if share is None else f"{share:.0%}"

    shares = {name: percent(figures[name]) for name in ("right", "most", "stated", "stated_right")}
    weights = ", ".join(f"{name} {w:g}" for name, w in figures["weights"].items())
    return {**figures, **shares, "weights": weights}


def _unlearned(figures: Mapping[str, Mapping[str, Any]], observed: Sequence[Observed]) -> Iterator[str]:
    for question, figure in figures.items():
        if not set(figure["weights"]) - {"general"}:
            yield (
                f"Nothing can be learned of {question}: on listings kept apart, photos tell no more of it than how "
                "frequent each answer is. Drafts go on without what the table says of it; are its rows in order?"
            )


def _few(photos: Mapping[str, int]) -> Iterator[str]:
    """The kinds with too few photos to be known surely, the fewest first."""
    few = sorted((n, kind) for kind, n in photos.items() if n < ENOUGH)
    if few:
        some = ", ".join(f"{kind} ({n})" for n, kind in few[:NAMED])
        more = f" and {len(few) - NAMED} more" if len(few) > NAMED else ""
        yield f"add photos: {len(few)} of {len(photos)} kinds have fewer than {ENOUGH}: {some}{more}"


def _mixed(answers: Sequence[tuple[Answer, bool]]) -> Iterator[str]:
    """The kinds that are taken for each other most."""
    pairs = Counter(tuple(sorted((a.truth, a.value))) for a, _ in answers if a.value != a.truth)
    if often := [f"{one} and {other} ({n})" for (one, other), n in pairs.most_common(CONFUSED) if n > 1]:
        yield f"look at pairs that are mixed up, of {len(answers)} listings: {', '.join(often)}; is each named alike?"


def _twins(files: Mapping[str, Mapping[str, Path]], observed: Sequence[Observed]) -> Iterator[str]:
    """The same photo under several listings: in a shop of single items, a row that was copied."""
    owners: dict[str, list[str]] = {}
    for listing_id, photos in files.items():
        for digest in photos:
            owners.setdefault(digest, []).append(listing_id)
    twins = [ids for ids in owners.values() if len(ids) > 1]
    if twins:
        some = " and ".join(twins[0][:3])
        yield f"{len(twins)} photos stand in several rows, such as those of {some}: keep one of each."


def _suspects(answers: Sequence[tuple[Answer, bool]]) -> Iterator[str]:
    wrong = sorted((a for a, _ in answers if a.value != a.truth and a.p >= SURE_OTHER), key=lambda a: -a.p)
    for a in wrong[:SUSPECTS]:
        yield f"{a.listing_id} says {a.truth}, and its photo looks like {a.value} ({a.p:.0%}): which is right?"


def _card(listing: Observed, rules: Rules, files: Mapping[str, Mapping[str, Path]]) -> dict[str, Any]:
    """One listing's photo and what a draft says of it."""
    decision = Decision(listing.observations, 1, rules)
    stated = {"category": decision.category.value, **{f.name: f.value for f in decision.facts}}
    facts = []
    for name, truth in listing.truths.items():
        value = stated.get(name)
        text = f"{name}: {value or 'not stated'}" + ("" if value in (None, truth) else f" (table: {truth})")
        facts.append({"text": text, "wrong": value not in (None, truth)})
    drafted = draft_text(decision, rules)
    return {
        "listing_id": listing.listing_id,
        "title": drafted.title,
        "description": drafted.description,
        "facts": facts,
        "photo": _thumbnail(files[listing.listing_id]),
    }


def _thumbnail(photos: Mapping[str, Path]) -> str:
    from listing.intake.photos import intake

    image = intake([next(iter(photos.values()))])[0].image
    image.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return base64.b64encode(buffer.getvalue()).decode()
