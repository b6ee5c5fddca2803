"""The check of a text that a model wrote: clause by clause, asked back where no calibrated evidence carries it.

What seller, label, print and calibrated sources say is not asked. Every other clause is one claim of one request with
the photos (chain of verification, arXiv 2309.11495; POPE, 2305.10355). A clause that is denied goes, or its one false
word; never the text with it. What no text may state (``policy.yaml``) goes by rule, and so do orders.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from listing.decide.claims import SURE
from listing.decide.marks import MAX_MARKS
from listing.decide.policies import policy
from listing.languages import ENGLISH
from listing.lexicon import lower
from listing.safety.contacts import scrub
from listing.safety.injection import without_instructions
from listing.say.clauses import Cut, Sentence, bare, content, cut, has_no_noun_behind, letters, sentences, shorter
from listing.say.evidence import DOUBTED, STANDS, WRITTEN, Clause, Known, carries, place_of, says_no_more
from listing.say.marks import find_spans
from listing.say.policy import is_order, word_set
from listing.schema import Flag, Span, TextField

Answers = Mapping[str, tuple[float, float]]  # claim -> probability of "yes" and of "no", by the model's own word
Ask = Callable[[Sequence[str]], Answers]

YES, NO = 6.0, 1 / 20  # likelihood ratios of a whole "yes" and a whole "no" to a claim, before anybody measured a model
MOST_ASKED = 40
LEFT_OUT = "left-out"  # code of the flag of a clause that went


@dataclass(frozen=True)
class Statement:
    """A clause of a text: its words, how likely it is, and whether it went."""

    words: str
    p: float
    removed: bool = False


@dataclass
class Checked:
    """The texts as they may stand, their spans, and what was left out. ``denied``: of what was asked besides."""

    texts: dict[TextField, str]
    spans: list[Span] = field(default_factory=list)
    flags: list[Flag] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    denied: frozenset[str] = frozenset()
    lost: dict[TextField, float] = field(default_factory=dict)  # share of the words that went


def check(texts: Mapping[TextField, str], known: Known, ask: Ask, besides: Sequence[str] = ()) -> Checked:
    """Both texts of a model without what is denied, forbidden or an order.

    Args:
        texts: by field, as the model wrote them.
        ask: puts claims to the model, in one request; {} where no usable answer came.
        besides: details of the model's form, asked along.
    """
    known = replace(known, print_=[without_instructions(line) for line in known.print_])  # orders support nothing
    return _Check(known, ask).of({"title": "", "description": "", **texts}, besides)


@dataclass(frozen=True)
class _Check:
    """The check of one item's texts."""

    known: Known
    ask: Ask

    def of(self, both: Mapping[TextField, str], besides: Sequence[str]) -> Checked:
        """See ``check``."""
        known = self.known
        texts = {name: self._without_orders(scrub(text)) for name, text in both.items()}
        parsed = {name: sentences(text, known.language) for name, text in texts.items()}
        clauses = [
            Clause(name, s, n, part)
            for name, found in parsed.items()
            for s, sentence in enumerate(found)
            for n, part in enumerate(sentence.parts)
        ]
        sure = [c for c in known.item.claims if carries(c)]
        item = known.item
        spans = [s for s in find_spans(texts, item, sure) if says_no_more(s, texts[s.field], item.attributes)]
        for clause in clauses:
            known.judge(clause, texts[clause.field], spans, first=clause.number == 0)
        wanted = list(dict.fromkeys(c.claim for c in clauses if c.claim))
        asked = [*wanted, *(d for d in besides if d not in wanted)][:MOST_ASKED]
        answers = self.ask(asked) if asked else {}
        for clause in clauses:
            if clause.claim in answers:
                clause.p = min(clause.most, after(clause.base, answers[clause.claim]))
                clause.by = ("claims",)
            elif clause.claim and known.language == ENGLISH:
                known_too = known.told(clause.claim)
                clause.p = min(0.97, clause.most) if known_too else 0.0
                clause.by = ("evidence",) if known_too else ("unanswered",)
        denied_ones = [c for c in clauses if c.p < STANDS and c.by == ("claims",) and not c.against]
        finer = self._finer(denied_ones)
        denied = frozenset(d for d in besides if d in answers and after(WRITTEN, answers[d]) < STANDS)
        return self._cut(texts, parsed, clauses, finer, denied)

    def _without_orders(self, text: str) -> str:
        repeatable = word_set([self.known.item.noun, *(c.value for c in self.known.item.claims), *self.known.print_])
        untrusted = [line for line in self.known.untrusted if line]
        kept = (
            str(s)
            for s in sentences(text, self.known.language)
            if re.search(r"\w", str(s)) and not is_order(str(s), untrusted, repeatable)
        )
        return "".join(kept).strip()

    def _finer(self, denied: Sequence[Clause]) -> dict[int, tuple[int, int]]:
        """The one word of a denied clause that is false, by its id, where the clause is true without it.

        A clause that is true by the words that can be checked, or without any one of them, was denied by mistake.
        """
        if self.known.language != ENGLISH:
            return {}
        options = {id(c): shorter(c.claim) for c in denied}
        bares = {id(c): words for c in denied if (words := bare(c.claim)) != c.claim.lower() and words}
        wanted = [*bares.values(), *(claim for tries in options.values() for claim, _ in tries)]
        answers = self.ask(list(dict.fromkeys(wanted))[:MOST_ASKED]) if wanted else {}
        so = {claim for claim, answer in answers.items() if after(WRITTEN, answer) >= DOUBTED}
        found = {}
        for clause in denied:
            true = [word for claim, word in options[id(clause)] if claim in so]
            if bares.get(id(clause)) in so or len(true) == len(options[id(clause)]) > 1:
                clause.p, clause.by = after(after(WRITTEN, (0.0, 1.0)), (1.0, 0.0)), ("claims", "words")
            elif len(true) == 1:
                place = re.search(rf"(?<!\w){re.escape(true[0])}(?!\w)", lower(clause.part.text))
                if place is not None and not has_no_noun_behind(clause.part.text, place.end()):
                    found[id(clause)] = place_of(clause.part, place.span())
        return found

    def _cut(
        self,
        texts: Mapping[TextField, str],
        parsed: Mapping[TextField, Sequence[Sentence]],
        clauses: Sequence[Clause],
        finer: Mapping[int, tuple[int, int]],
        denied: frozenset[str],
    ) -> Checked:
        """The texts without what goes, in each field; what may be wrong is marked."""
        result = Checked({}, denied=denied)
        for name, text in texts.items():
            here, gone = [c for c in clauses if c.field == name], Cut()
            swaps: list[tuple[int, int, str]] = []
            for clause in here:
                words = clause.part.text.strip()
                if clause.p >= STANDS or not words:
                    result.statements.append(Statement(clause.part.text, round(clause.p, 3)))
                    continue
                if clause.against and clause.instead and clause.by in (("claims",), ()):
                    swaps.append((*clause.against, clause.instead))
                    words = text[slice(*clause.against)]
                elif clause.against and clause.by in (("claims",), ()):
                    gone.words.append(clause.against)
                    words = text[slice(*clause.against)]
                elif id(clause) in finer:
                    gone.words.append(finer[id(clause)])
                    words = text[slice(*finer[id(clause)])]
                else:
                    gone.parts.setdefault(clause.sentence, set()).add(clause.number)
                result.statements.append(Statement(clause.part.text, round(clause.p, 3), removed=True))
                result.flags.append(Flag(code=LEFT_OUT, message=words, field=name))
            left = self._swapped(text, swaps, gone)
            before, now = len(content(text, self.known.language)), len(content(left, self.known.language))
            result.texts[name], result.lost[name] = left, 1 - now / before if before else 0.0
        result.spans = self._spans(result, clauses)
        return result

    def _swapped(self, text: str, swaps: Sequence[tuple[int, int, str]], gone: Cut) -> str:
        """The text with other words in the place of some, of the same length for the cut that follows, then cut."""
        marked = text
        private = {chr(0xE000 + n): words for n, (_, _, words) in enumerate(swaps)}
        for (start, end, _), sign in zip(swaps, private, strict=True):
            marked = marked[:start] + sign * (end - start) + marked[end:]
        left = cut(marked, gone, self.known.language, plural=self.known.item.plural)
        for sign, words in private.items():
            at = re.search(f"{sign}+", left)
            if at is None:
                continue
            opens = at.start() == 0 or left[: at.start()].rstrip()[-1:] in ".!?"
            shown = words[:1].upper() + words[1:] if opens else words
            before = left[: at.start()]
            if article := re.search(r"\b([Aa])n? $", before):
                before = before[: article.start()] + article[1] + ("n " if shown[:1] in "aeiou" else " ")
            left = before + shown + left[at.end() :]
        return left

    def _spans(self, result: Checked, clauses: Sequence[Clause]) -> list[Span]:
        """The spans of the settled claims and of doubtful clauses, at most three of them marked."""
        asked = {letters(c.part.text): c.p for c in clauses if "claims" in c.by}
        spans = []
        for span in find_spans(result.texts, self.known.item):
            words = letters(result.texts[span.field][span.start : span.end])
            sure = (span.confidence or 0.0) >= SURE and any(words in key and p >= DOUBTED for key, p in asked.items())
            spans.append(span.model_copy(update={"status": "certain"}) if span.status == "check" and sure else span)
        for clause in clauses:
            words = clause.part.text.strip()
            start = result.texts[clause.field].find(words) if STANDS <= clause.p < DOUBTED and words else -1
            taken = any(s.field == clause.field and s.start < start + len(words) and start < s.end for s in spans)
            if start >= 0 and not taken:
                value = re.sub(r"^(?:an?|the) ", "", words)
                begin = start + len(words) - len(value)
                made = {"attribute": "detail", "value": value, "status": "check", "confidence": round(clause.p, 3)}
                spans.append(
                    Span.model_validate({"field": clause.field, "start": begin, "end": start + len(words), **made})
                )
        return sorted(limited(spans), key=lambda s: (s.field == "description", s.start))


def after(base: float, answer: tuple[float, float]) -> float:
    """The probability of a claim once the model was asked: prior odds times the ratio of its answer."""
    yes, no = answer
    odds: float = base / max(1e-6, 1.0 - base) * YES**yes * NO**no
    return odds / (1.0 + odds)


def limited(spans: Sequence[Span]) -> list[Span]:
    """The spans with marks on three claims at most, those that a buyer makes most of first."""
    claims = {(s.attribute, s.value): s for s in spans if s.status == "check"}
    worth = {key: policy(s.attribute or "").weight * (1 - (s.confidence or 0.0)) for key, s in claims.items()}
    chosen = sorted(worth, key=lambda key: -worth[key])[:MAX_MARKS]
    plain_ = [
        s if s.status != "check" or (s.attribute, s.value) in chosen else s.model_copy(update={"status": "certain"})
        for s in spans
    ]
    free = {("detail", s.value) for s in spans if s.attribute == "detail" and s.status == "check"} - set(chosen)
    return [s for s in plain_ if (s.attribute, s.value) not in free]


def trimmed(text: str, field_: TextField, most_title: int = 12, most: int = 80) -> str:
    """Without markdown and a label ("Title:"), no longer than a listing is, no sentence twice."""
    text = " ".join(_LABEL.sub("", text).replace("**", "").split())
    if field_ == "title":
        title = text.rstrip(".") if len(text.split()) <= most_title else " ".join(text.split()[:most_title])
        return title[:1].upper() + title[1:] if title.split(" ")[0].islower() else title  # "iPhone" stays
    kept = ""
    for sentence in map(str, sentences(text)):
        if len((kept + sentence).split()) > most:
            break
        kept += sentence if sentence.strip() not in kept else ""
    return kept.strip()


_LABEL = re.compile(r"^[\s#*_]*(?:(?:title|description|first line|second line|line [12])\s*[:.-][\s*_]*)?", re.I)


def usable(text: str, field_: TextField, language: str = ENGLISH) -> bool:
    """True if enough is left of a text to stand by itself."""
    return len(content(text, language)) >= (2 if field_ == "title" else 3)
