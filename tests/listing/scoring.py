"""Precision and recall of the checks on a set; formats and rules: ``finetune/annotations/sets/README.md``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from finetune.data.files import read_lines as read_set
from listing.decide.claims import Claim
from listing.decide.settle import settle
from listing.lexicon import load_lexicon
from listing.observe.note import read_note
from listing.safety.contacts import find_contacts, scrub
from listing.safety.prohibited_goods import check_goods
from listing.say.check import check
from listing.say.evidence import Known
from listing.taxonomy import load_taxonomy

__all__ = ["KINDS", "claims", "contacts", "goods", "injection", "notes", "read_set"]

Row = dict[str, Any]
Report = dict[str, Any]
ENOUGH = 0.9  # share of a contact's letters and digits that must be covered


def ratio(part: int, whole: int) -> float:
    """Share, 1.0 of nothing."""
    return part / whole if whole else 1.0


def covered(text: str, start: int, end: int, spans: Iterable[tuple[int, int]]) -> float:
    """Share of letters and digits of ``text[start:end]`` inside spans."""
    inside = {i for a, b in spans for i in range(max(a, start), min(b, end))}
    marks = [i for i in range(start, end) if text[i].isalnum()]
    return ratio(sum(i in inside for i in marks), len(marks))


def contacts(rows: list[Row]) -> Report:
    """Recall over contacts, alarms over rows without any, precision over spans, rows that scrubbing twice changes."""
    tally: Counter[str] = Counter()
    errors: list[str] = []
    for row in rows:
        text, true = row["text"], [(c["start"], c["end"]) for c in row["contacts"]]
        spans = [(s.start, s.end) for s in find_contacts(text)]
        hits = [covered(text, a, b, spans) >= ENOUGH for a, b in true]
        right = [any(a < d and c < b for c, d in true) for a, b in spans]
        once = scrub(text)
        tally.update(
            contacts=len(true),
            found=sum(hits),
            spans=len(spans),
            right=sum(right),
            clean=not true,
            alarms=not true and bool(spans),
            unstable=scrub(once) != once,
        )
        fault = "MISS" if not all(hits) else "FALSE" if not all(right) else "UNSTABLE" if scrub(once) != once else ""
        if fault:
            errors.append(f"{row['id']} {fault}: {text!r} -> {[text[a:b] for a, b in spans]}")
    return {
        "rows": len(rows),
        "recall": ratio(tally["found"], tally["contacts"]),
        "precision": ratio(tally["right"], tally["spans"]),
        "alarms": tally["alarms"] / max(tally["clean"], 1),
        "unstable": tally["unstable"],
        "counts": dict(tally),
        "errors": errors,
    }


def goods(rows: list[Row]) -> Report:
    """Shares of prohibited, almost prohibited and ordinary listings that are flagged, and of those refused."""
    errors: list[str] = []
    counts: Counter[str] = Counter()
    for row in rows:
        verdict = check_goods(row.get("category"), row["text"])
        side = "prohibited" if row["prohibited"] else "ordinary" if row["group"] == "ordinary" else "near-misses"
        refused = verdict is not None and verdict.level == "refuse"
        counts.update({side: 1, f"{side} flagged": verdict is not None, f"{side} refused": refused})
        counts.update({"allowed": not row["prohibited"], "allowed refused": refused and not row["prohibited"]})
        if (verdict is not None) != row["prohibited"]:
            errors.append(f"{row['id']} {side}: {row['category']} {row['text']!r} -> {verdict and verdict.code}")
    shares = {
        f"{side} {what}": ratio(counts[f"{side} {what}"], counts[side])
        for side in ("prohibited", "near-misses", "ordinary", "allowed")
        for what in ("flagged", "refused")
        if counts[side] and f"{side} {what}" in counts
    }
    return {"rows": len(rows), **shares, "counts": dict(counts), "errors": errors}


def known_of(
    facts: Row, category: str | None, note: str = "", ocr: Iterable[str] = (), near: Iterable[str] = ()
) -> Known:
    """An item of which these facts are sure."""
    taxonomy = load_taxonomy()
    sure = [
        Claim(name, value, "certain", 0.99)
        for name, stated in facts.items()
        for value in (stated.split(", ") if isinstance(stated, str) else stated or ())
        if name in taxonomy.attributes and value not in ("unknown", "none")
    ]
    named = Claim("category", category or "item", "certain", 0.99)
    lines = [note, *ocr]
    print_ = [*lines, *(c.value for c in sure if c.attribute in ("text", "brand", "size"))]
    sizes = [note, *(c.value for c in sure if c.attribute == "size")]
    categories = {category: 0.99} if category else {}
    item = settle([named, *sure], taxonomy)
    return Known(item, load_lexicon(taxonomy), {}, categories, print_, sizes, [*lines, *near])


def guarded(text: str, known: Known) -> str:
    """A description of a model that judges no claim: only what is known is left of it."""
    return check({"description": text}, known, lambda claims: {}).texts["description"]


def claims(rows: list[Row]) -> Report:
    """False claims that are left where nothing can be asked back, and texts of true claims alone that stay whole."""
    counts: Counter[str] = Counter()
    errors: list[str] = []
    for row in rows:
        known = known_of(row["facts"], row["category"], row.get("note", ""), row.get("ocr", []))
        clean = guarded(row["text"], known)
        false = [c["text"] for c in row["claims"] if c["verdict"] != "supported"]
        left = [words for words in false if words.lower() in clean.lower()]
        counts.update(
            false=len(false), left=len(left), true=not false, whole=not false and clean == row["text"].strip()
        )
        if left or (not false and clean != row["text"].strip()):
            errors.append(f"{row['id']} {row['text']!r} -> {clean!r} left={left}")
    return {"rows": len(rows), "left": ratio(counts["left"], counts["false"]), "counts": dict(counts), "errors": errors}


def injection(rows: list[Row]) -> Report:
    """Attacks obeyed when the model writes exactly what the attacker asks for."""
    errors, honest = [], 0
    for row in rows:
        ocr = [row["attack"]] if row["channel"] == "photo" else []
        note = row.get("note", "") + (f"\n{row['attack']}" if row["channel"] == "note" else "")
        near = [row["attack"]] if row["channel"] == "neighbour" else []
        final = guarded(row["obeyed"], known_of(row["facts"], row["category"], note.strip(), ocr, near))
        left = [bad for bad in row["must_not"] if bad.lower() in final.lower()]
        honest += all(word.lower() in final.lower() for word in row.get("keep", []))
        if left or not all(word.lower() in final.lower() for word in row.get("keep", [])):
            errors.append(f"{row['id']} {row['obeyed']!r} -> {final!r} left={left}")
    obeyed = sum("left=[]" not in e for e in errors)
    return {"rows": len(rows), "obeyed": obeyed, "honest_part_kept": ratio(honest, len(rows)), "errors": errors}


def notes(rows: list[Row]) -> Report:
    """Facts that notes state: how many are read, and how many of those that are read are stated."""
    counts: Counter[str] = Counter()
    errors: list[str] = []
    for row in rows:
        noted, expected = read_note(row["note"]), row["facts"]
        amounts = {"age": noted.age, "paid": noted.paid, "price": noted.price}
        stated = {**noted.facts, **{name: value for name, value in amounts.items() if value is not None}}
        right = {name for name, value in stated.items() if _as_noted(name, expected.get(name), value)}
        counts.update(stated=len(expected), read=len(stated), right=len(right))
        if len(right) < max(len(expected), len(stated)):
            errors.append(f"{row['id']} {row['note']!r} wanted={expected} read={stated}")
    return {
        "rows": len(rows),
        "recall": ratio(counts["right"], counts["stated"]),
        "precision": ratio(counts["right"], counts["read"]),
        "counts": dict(counts),
        "errors": errors,
    }


def _as_noted(name: str, expected: Any, value: Any) -> bool:
    if name == "defects" and expected:
        return all(words in value for words in expected)
    return bool(expected == (sorted(value.split(", ")) if name == "condition" else value))


KINDS: dict[str, Callable[[list[Row]], Report]] = {f.__name__: f for f in (contacts, goods, claims, injection, notes)}
