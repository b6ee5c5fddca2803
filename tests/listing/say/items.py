"""Facts, details and categories for tests of texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from listing.calibration import Calibration, QuestionCalibration
from listing.request import Tone
from listing.say.claims import Claim, claims_of
from listing.say.render import Text, render
from listing.schema import AttributeValue, Candidate, Category, Detail, Draft, Evidence, Quality, Source
from listing.taxonomy import load_taxonomy

TAXONOMY = load_taxonomy()
RULE = QuestionCalibration(weights={"mllm": 1.0}, threshold=0.9)
CALIBRATION = Calibration(default=RULE)


def fact(name: str, value: str, p: float = 0.99, source: Source = "mllm", locked: bool = False) -> AttributeValue:
    """A value where ``p`` passes the threshold, else a suggestion."""
    evidence = [Evidence(source=source)]
    if source in ("ocr", "seller") or p >= RULE.threshold:
        return AttributeValue(
            name=name, value=value, status="supported", confidence=p, evidence=evidence, locked=locked
        )
    return AttributeValue(name=name, suggestion=value, status="unsupported", confidence=p, evidence=evidence)


def category(*names: str, p: float = 0.95) -> Category:
    """The first name with that probability, the others behind it."""
    candidates = [Candidate(value=name, confidence=p / (i + 1)) for i, name in enumerate(names)]
    return Category(value=names[0], confidence=p, candidates=candidates)


def said(
    kind: str | Category,
    facts: Iterable[AttributeValue] = (),
    details: Mapping[str, float] | None = None,
    *,
    p: float = 0.95,
    rule: Calibration = CALIBRATION,
) -> list[Claim]:
    """Everything that may be said of an item with these facts and details."""
    named = category(kind, p=p) if isinstance(kind, str) else kind
    detail_list = [Detail(phrase=phrase, confidence=q) for phrase, q in (details or {}).items()]
    return claims_of(named, list(facts), detail_list, TAXONOMY, rule)


def written(
    kind: str | Category,
    facts: Iterable[AttributeValue] = (),
    details: Mapping[str, float] | None = None,
    *,
    p: float = 0.95,
    key: str = "0",
    tone: Tone = "plain",
) -> Text:
    """The rendered texts of all that."""
    return render(said(kind, facts, details, p=p), TAXONOMY, key=key, tone=tone)


def draft_of(kind: str, text: Text, **changes: object) -> Draft:
    """A draft with these texts."""
    fields = {"title": text.title, "description": text.description, "spans": text.spans, **changes}
    return Draft.model_validate(
        {"id": "0", "photos": [], "category": category(kind), "quality": Quality(score=1), "model": "m", **fields}
    )


def claims(
    kind: str, facts: dict[str, str] | None = None, details: tuple[str, ...] = (), p: float = 0.99
) -> list[Claim]:
    """Everything that is said of an item of which all this is known with probability ``p``."""
    return said(kind, [fact(name, value, p) for name, value in (facts or {}).items()], dict.fromkeys(details, p))


def text(kind: str, facts: dict[str, str] | None = None, details: tuple[str, ...] = (), key: str = "0") -> Text:
    """The rendered texts of such an item."""
    return render(claims(kind, facts, details), TAXONOMY, key=key)


def every_plan(kind: str, facts: dict[str, str] | None = None, details: tuple[str, ...] = ()) -> list[Text]:
    """The texts in many sentence plans."""
    return [text(kind, facts, details, key=str(n)) for n in range(40)]
