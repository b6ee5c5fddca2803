"""Hallucination of free text, claim by claim: a sheet of drafts for a person to label, and the score of the labels.

A sheet is JSONL, one draft a line (``SheetRow``). The program proposes the spans of claims; the person gives each its
verdict by the photo and the annotation, adds claims that were missed, and deletes what is no claim:

- ``supported``: the photo or the annotation shows it;
- ``contradicted``: they show something else;
- ``unverifiable``: they do not show it either way.

H_ins is the share of claims that are not supported, H_doc the share of drafts with a contradicted claim. Saying nothing
lowers both, so coverage stands beside them: the share of annotated facts that supported claims tell.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from finetune.errors import DataError
from finetune.evaluate.arms.material import Material, Row
from finetune.evaluate.drafting import Draft
from finetune.evaluate.measures import interval, share
from finetune.evaluate.target_texts import annotated_facts
from listing.lexicon import load_lexicon
from listing.taxonomy import Taxonomy
from listing.text.ground import find_claims

ARMS = ("base", "tuned")
When = Literal["before", "after"]
MOMENTS: tuple[When, ...] = ("before", "after")


class ClaimLabel(BaseModel):
    """Characters ``span`` of the text ``before`` or ``after`` the checks say something.

    fact: the attribute it speaks of (``category`` for the thing itself), or None. verdict: None until it is labelled.
    """

    model_config = ConfigDict(extra="forbid")

    text: When
    span: tuple[int, int]
    words: str
    fact: str | None = None
    verdict: Literal["supported", "contradicted", "unverifiable"] | None = None


class SheetRow(BaseModel):
    """One draft. ``known``: names of the annotated facts, ``category`` among them. Texts: title, line break, rest."""

    model_config = ConfigDict(extra="forbid")

    id: str
    image: str
    sender_id: int | str
    arm: str
    known: list[str]
    before: str
    after: str
    claims: list[ClaimLabel]

    @property
    def labelled(self) -> bool:
        """Whether every claim has a verdict (a draft without claims counts when its texts are empty)."""
        return all(claim.verdict is not None for claim in self.claims) and (bool(self.claims) or not self.before)


def write_sheet(material: Material, file: Path, count: int, arms: Sequence[str] = ARMS) -> None:
    """Drafts of the arms about the same ``count`` photos, arm by arm for each photo, verdicts open."""
    from finetune.evaluate.evaluation import drafts_of

    made = {arm: drafts_of(material, arm, count) for arm in arms}
    photos, _ = made[arms[0]]
    with file.open("w", encoding="utf-8") as out:
        for number, photo in enumerate(photos):
            for arm in arms:
                row = sheet_row(photo, arm, made[arm][1][number], material.taxonomy)
                out.write(row.model_dump_json() + "\n")


def sheet_row(photo: Row, arm: str, draft: Draft, taxonomy: Taxonomy) -> SheetRow:
    """A draft with proposed claims."""
    image = Path(photo["image"]).name
    texts: dict[When, str] = {"before": draft.before.whole, "after": draft.after.whole}
    return SheetRow(
        id=f"{arm}/{image}", image=image, sender_id=photo["sender_id"], arm=arm, **texts,
        known=["category", *annotated_facts(photo, taxonomy)],
        claims=[claim for when, text in texts.items() for claim in proposed(text, when)],
    )  # fmt: skip


def proposed(text: str, when: When) -> list[ClaimLabel]:
    """The claims that the program finds in the lines of a text (title, description)."""
    lexicon = load_lexicon()
    out, start = [], 0
    for part in text.split("\n"):
        for claim in find_claims(part):
            meaning = lexicon.meaning(claim.text)
            fact = claim.kind if claim.kind in ("category", "brand", "text") else next(iter(meaning), None)
            span = (start + claim.start, start + claim.end)
            out.append(ClaimLabel(text=when, span=span, words=claim.text, fact=fact))
        start += len(part) + 1
    return out


def read_labels(file: Path) -> list[SheetRow]:
    """Drafts of a labelled sheet, those without any label left out; DataError where a line cannot be used."""
    if not file.is_file():
        raise DataError(f"There is no file {file}; write one with --drafts FILE and label its claims.")
    rows = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = SheetRow.model_validate(json.loads(line))
        except ValueError as error:  # pydantic's is one
            reason = str(error).splitlines()[-1].strip()
            raise DataError(f"{file}, line {number} is no draft with claims ({reason}).") from error
        for claim in row.claims:
            if getattr(row, claim.text)[slice(*claim.span)] != claim.words:
                raise DataError(f"{file}, line {number}: span {list(claim.span)} is not {claim.words!r}.")
        if row.labelled:
            rows.append(row)
        elif any(claim.verdict is not None for claim in row.claims):
            missing = sum(claim.verdict is None for claim in row.claims)
            raise DataError(f"{file}, line {number}: {missing} claims of {row.id} have no verdict yet.")
    if not rows:
        raise DataError(f"{file} holds no labelled draft yet.")
    return rows


def score(rows: Sequence[SheetRow], when: When) -> dict[str, Any]:
    """H_ins, H_doc and coverage (0..1) of drafts, with 95 % intervals over senders."""
    # columns: claims, unsupported ones, contradicted drafts, covered facts, known facts
    sums = np.array([_counts(row, when) for row in rows], float)
    groups = [{"sender_id": row.sender_id} for row in rows]

    def ratio(part: int, whole: int) -> Any:
        return lambda index: share(float(sums[index, part].sum()), float(sums[index, whole].sum()))

    measures = {"h_ins": ratio(1, 0), "h_doc": lambda index: float(sums[index, 2].mean()), "coverage": ratio(3, 4)}
    everything = list(range(len(rows)))
    return {
        "drafts": len(rows),
        "claims": int(sums[:, 0].sum()),
        **{name: measure(everything) for name, measure in measures.items()},
        "intervals": {name: interval(groups, measure) for name, measure in measures.items()},
    }


def _counts(row: SheetRow, when: When) -> tuple[int, int, int, int, int]:
    claims = [claim for claim in row.claims if claim.text == when]
    covered = {claim.fact for claim in claims if claim.verdict == "supported"} & set(row.known)
    contradicted = any(claim.verdict == "contradicted" for claim in claims)
    wrong = sum(claim.verdict != "supported" for claim in claims)
    return len(claims), wrong, int(contradicted), len(covered), len(row.known)


def label_report(rows: Sequence[SheetRow], out: Path | None = None) -> list[str]:
    """One line an arm, before and after the checks; written to ``out`` as JSON where it is given."""
    arms = list(dict.fromkeys(row.arm for row in rows))
    scores = {arm: {w: score([r for r in rows if r.arm == arm], w) for w in MOMENTS} for arm in arms}
    if out is not None:
        out.write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")
    lines = []
    for arm, moments in scores.items():
        for when, found in moments.items():
            if not found["claims"]:  # this text was not labelled
                continue
            ends = {name: "{:.3f}, {:.3f}".format(*both) for name, both in found["intervals"].items()}
            shown = "  ".join(f"{name} {found[name]:.3f} [{both}]" for name, both in ends.items())
            lines.append(f"{arm:8} {when:7} {found['drafts']} drafts, {found['claims']} claims  {shown}")
    return lines
