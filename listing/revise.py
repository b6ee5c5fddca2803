"""A press of the seller: their word is observed, and the draft is decided and said again. No photo, network or model.

``revise`` gives the draft as its seller sees it; the draft that was written never changes. What they typed as a text
stays word for word, and is read for facts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from listing.decide.claims import NAME, Claim, name_of, to_check
from listing.decide.decision import decide_again
from listing.decide.settle import item_of, settle
from listing.intake.quality import assess
from listing.observe.seller import TEXTS, Edit, SellerWord, word_of
from listing.observe.typed import SellerStatement, StatementReader, read_texts
from listing.rules import Rules
from listing.say.again import add, say_again, typed_along, with_words
from listing.say.ask import open_offers, statable
from listing.say.edit import placed_spans, says
from listing.say.marks import find_spans
from listing.say.plan import unsaid
from listing.schema import DETAIL, AttributeValue, Draft, Span, TextField
from listing.taxonomy import Taxonomy

_SMALL = frozenset(("a", "an", "and", "are", "at", "has", "have", "is", "it", "the", "they", "with"))


def revise(written: Draft, word: SellerWord, rules: Rules) -> Draft:
    """The draft as its seller sees it."""
    return _Revision(written, word, rules).draft()


@dataclass
class _Revision:
    """One draft with its seller's word. ``program``: it with the program's texts, whatever was typed over them."""

    written: Draft
    word: SellerWord
    rules: Rules
    program: Draft = field(init=False)

    def __post_init__(self) -> None:
        self.word = replace(self.word, read={})
        if self.word.typed and self.written.spans:
            self.word = replace(self.word, read=self._read())
        self.program = self._followed(self.word)

    def _read(self) -> dict[str, str | None]:
        """What the texts that they typed make of facts and details: by what stood there when they typed."""
        typed, word = self.word.typed, self.word
        order = [*word.values]
        last = max(typed, key=order.index)
        then = word.when_typed[last]
        programs = {f: self._followed(word.when_typed[f]) for f in typed if word.when_typed[f].claims != then.claims}
        programs = dict.fromkeys(typed, self._followed(then)) | programs
        texts = {f: programs.get(f, programs[last]).texts[f] for f in TEXTS}
        later = {*order[order.index(last) :], *word.dropped}
        now = {f: text for f, text in then.typed.items() if f in typed}
        return read_texts(programs[last], texts, now, later, {*word.facts}, self.rules.taxonomy, then.aside)

    def _followed(self, word: SellerWord) -> Draft:
        """The draft decided and said again, without the texts that the seller typed."""
        told = word.observations()
        if not told:
            return self.written
        now = decide_again(self.written, told, self.rules)
        edits = {**word.claims, **now.implied}
        if word.values.get("category") not in (None, self.written.category.value):
            # What the photos called it may be of the category that they corrected.
            edits.setdefault(NAME, next((fact.value for fact in now.facts if fact.name == NAME), None))
        said = say_again(self.written, edits, item_of(self.written.category.value, self.rules.taxonomy))
        return said.model_copy(update={"category": now.category, "attributes": now.facts, "details": now.details})

    def draft(self) -> Draft:
        """See ``revise``."""
        program, word, typed = self.program, self.word, self.word.typed
        texts = {**program.texts, **typed}
        placed = placed_spans(program, texts)
        update: dict[str, Any] = {
            "title": texts["title"],
            "description": texts["description"],
            "spans": [*placed, *self._typed_spans(placed)],
            "questions": [q for q in program.questions if q.attribute not in word.locked],
            "writer": {**program.writer, **dict.fromkeys(typed, "seller")},
        }
        draft = program.model_copy(update=update)
        if not word.locked:
            return draft
        item = item_of(draft.category.value, self.rules.taxonomy)
        left = [o for o in open_offers(draft, item) if name_of(o) not in word.locked]
        labels = self.rules.taxonomy.labels(self.rules.taxonomy.node(draft.category.value))
        quality = assess(draft, draft.quality, labels, (program.title, program.description))
        return draft.model_copy(update={"quality": quality, "offers": left})

    def _typed_spans(self, others: Sequence[Span]) -> list[Span]:
        """Where the texts that the seller typed say what they corrected, none of the other spans being there."""
        read = {n: v for n, v in self.word.read.items() if v is not None and not n.startswith(DETAIL)}
        named = Claim("category", self.program.category.value or "")
        if not read or not named.value:
            return []
        fields = {name: self.word.typed.get(name, "") for name in TEXTS}
        claims = [named, *(Claim(n, v, "seller") for n, v in read.items())]
        spans = find_spans(fields, settle(claims, self.rules.taxonomy))
        spans = [s for s in spans if s.attribute != "category"]
        return [s for s in spans if not any(o.field == s.field and o.start < s.end and s.start < o.end for o in others)]


def follow(written: Draft, earlier: Sequence[Edit], edit: Edit, rules: Rules) -> list[Edit]:
    """Edits that follow from an edit after the ``earlier`` ones, by what it does to the texts that the seller typed.

    The program's own texts follow by themselves (``revise``).
    """
    if edit.kind not in ("set", "drop", "undo") or edit.field in (*TEXTS, "price"):
        return []
    present = _Revision(written, word_of(earlier), rules)
    if edit.kind == "undo" and edit.field not in present.word.locked:
        return []
    current = present.draft()
    renamed = edit.field == "category" and edit.value is not None and edit.value != current.category.value
    named = any(span.attribute == NAME and span.status != "seller" for span in current.spans)
    along = [Edit("drop", NAME)] if renamed and named and NAME not in present.word.locked else []
    if not present.word.typed:
        return along
    later = _Revision(written, word_of([*earlier, edit, *along]), rules)
    item = item_of(current.category.value, rules.taxonomy)
    undo = edit.kind == "undo"
    value = _said(later.program, edit.field) if undo else edit.value
    texts = typed_along(present.program, later.program, current, edit.field, value, item)
    texts |= _untouched(earlier, edit.field, current.texts) if undo else {}
    typed = [(f, texts[f]) for f in texts if f in present.word.values and texts[f] != current.texts[f]]
    return [*along, *(Edit("along", field, text) for field, text in typed)]


def _said(draft: Draft, name: str) -> str | None:
    """What a draft's texts say of a field; None where they say nothing."""
    return ", ".join(dict.fromkeys(span.value for span in draft.spans if name_of(span) == name)) or None


def _untouched(earlier: Sequence[Edit], name: str, now: Mapping[TextField, str]) -> dict[TextField, str]:
    """Texts that undoing a press leaves as they were typed: before it, where nothing else changed them, or since."""
    before, since, press = list[Edit](), list[tuple[str, Edit]](), ""
    for edit in earlier:
        press = press if edit.kind == "along" else edit.field  # what goes along is of the press before it
        if edit == Edit("undo", name):
            before, since = [*before, *(each for _, each in since), edit], []
        elif since or edit.field == name:
            since.append((press, edit))
        else:
            before.append(edit)
    others = {edit.field for press, edit in since if press != name}
    typed = {edit.field for _, edit in since if edit.kind == "set"}
    stood = {field: text for field, text in word_of(before).typed.items() if field not in others}
    return {**stood, **{field: text for field, text in now.items() if field in typed}}


def regenerated(new: Draft, old: Draft | None, word: SellerWord, rules: Rules) -> Draft:
    """The draft to keep as *written* after it was written again.

    The pipeline hands back what the seller locked; in these places the program's own earlier words stay, so that the
    seller's are never counted as its own.
    """
    if old is None or not word.locked:
        return new
    typed, locked = word.typed.keys(), word.locked | _Revision(old, word, rules).word.read.keys()
    earlier = {a.name: a for a in old.attributes}
    facts = [earlier.get(a.name, AttributeValue(name=a.name)) if a.name in locked else a for a in new.attributes]
    asked = [q for q in old.questions if q.attribute in word.locked and q not in new.questions]
    update: dict[str, Any] = {f: old.texts[f] for f in typed}
    update["attributes"] = facts
    update["questions"] = [*new.questions, *asked]
    update["flags"] = [f for f in new.flags if f.field not in typed]
    update["spans"] = [s for d in (old, new) for s in d.spans if (s.field in typed) == (d is old)]
    update["category"] = old.category if "category" in word.values else new.category
    update["writer"] = {f: (old if f in typed else new).writer[f] for f in TEXTS}
    return new.model_copy(update=update)


def statement_of(draft: Draft, typed: str, taxonomy: Taxonomy) -> SellerStatement:
    """What the seller says of the item beside its texts."""
    offers = statable(draft, item_of(draft.category.value, taxonomy))
    return StatementReader(draft, offers, taxonomy).read(typed)


def with_statement(draft: Draft, statement: SellerStatement, taxonomy: Taxonomy) -> str:
    """The draft's description with what its texts do not say yet, in our words where there are some for a fact."""
    texts, item = f"{draft.title}\n{draft.description}", item_of(draft.category.value, taxonomy)
    for part, pairs in statement.stated.items():
        if says(texts, part):
            continue
        for claim in unsaid(draft, {name: statement.facts[name] for name, _ in sorted(pairs)}, item):
            draft = add(draft, claim, item)
        if not _covered(draft, statement, part):
            draft = with_words(draft, part, item)
    for part in statement.words:
        draft = with_words(draft, part, item)
    return draft.description


def _covered(draft: Draft, statement: SellerStatement, part: str) -> bool:
    """True if the texts say the part's facts or have its words, and what it says beyond the facts."""
    pairs = statement.stated[part]
    if part not in statement.partly and {(name_of(s), s.value) for s in draft.spans} >= set(pairs):
        return True
    required = set(re.findall(r"\w+", part.lower())) - _SMALL - {name for name, _ in pairs}
    return required <= set(re.findall(r"\w+", f"{draft.title}\n{draft.description}".lower()))


def proven(draft: Draft, taxonomy: Taxonomy) -> Draft:
    """The draft without the facts that are only a guess and that nobody confirmed: none of these is published."""
    marked = to_check(draft)
    facts = [_proven(fact, marked.get(fact.name, ""), taxonomy) for fact in draft.attributes]
    return draft.model_copy(update={"attributes": facts})


def _proven(fact: AttributeValue, marked: str, taxonomy: Taxonomy) -> AttributeValue:
    """A fact without the values that the texts mark, or that a photo alone cannot settle."""
    attribute = taxonomy.attributes.get(fact.name)
    if fact.value is None or attribute is None:
        return fact
    settled = bool({e.source for e in fact.evidence} & {"ocr", "seller"})
    values, guesses = (taxonomy.values_in(fact.name, text) for text in (fact.value, marked))
    left = ", ".join(v for v in values if v not in guesses and (settled or v not in attribute.unsettled))
    if left == fact.value:
        return fact
    update = {"value": left or None, "suggestion": fact.value, "status": "supported" if left else "unsupported"}
    return fact.model_copy(update=update)
