"""The check of a text that a model wrote: clause by clause, asked back where no calibrated evidence carries it.

What seller, label, print and calibrated sources say is not asked. Every other clause is one claim of one request with
the photos (chain of verification, arXiv 2309.11495; POPE, 2305.10355). A clause that is denied goes, or its one false
word; never the text with it. What no text may state (``policy.yaml``) goes by rule, and so do orders.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from listing.decide.claims import NAME, SURE, Claim
from listing.languages import ENGLISH
from listing.lexicon import Lexicon, english, load_lexicon, lower, plain
from listing.safety.contacts import scrub
from listing.safety.injection import without_instructions
from listing.say.clauses import Cut, Part, Sentence, bare, claim_of, content, cut, sentences, shorter
from listing.say.marks import MAX_MARKS, find_spans, weight_of
from listing.say.policy import forbidden, is_order, word_set
from listing.say.statements import letters
from listing.schema import Flag, Span, TextField
from listing.taxonomy import Taxonomy

Answers = Mapping[str, tuple[float, float]]  # claim -> probability of "yes" and of "no", by the model's own word
Ask = Callable[[Sequence[str]], Answers]

WRITTEN = 0.85  # prior of a clause that a model wrote of its own accord
YES, NO = 6.0, 1 / 20  # likelihood ratios of a whole "yes" and a whole "no" to a claim, before anybody measured a model
STANDS, DOUBTED = 0.5, 0.9  # from when on a clause stands, and stands without a mark
UNREAD = 0.7  # of print that the model alone reads
CARRIED = 0.9  # from when on calibrated evidence carries a value
NAMED = 0.8  # from when on a category overrules the name that a text gives the thing
UNLIKELY = 0.1  # below it, evidence speaks against a value
MOST_ASKED = 40
LEFT_OUT = "left-out"  # code of the flag of a clause that went
_NAMED = re.compile(r"(?<![.!?:\"“]\s)(?<!^)(?<![\w'’-])[A-Z][\w&'’]*(?:[ -](?:&|of|the|de)?[ ]?[A-Z0-9][\w&'’]*)*")
_QUOTED = re.compile(r"[\"“”„«]([^\"“”„«»]{1,80})[\"“”»]|(?<!\w)['‘]([^'’]{2,60})['’](?!\w)")
_PLACE = re.compile(r"(?:on|in|at|of|around|across|down|along|for|from|to|under|over|inside)\b")
_MAKER = re.compile(r"\b(?:by|from|brand(?: is|:)?|made by|designed by)\s+(?=[A-Z])")
_NECKLINE = re.compile(r"neck|shoulder")
_HEAD_ONLY = ("colour", "pattern")  # of a part ("striped lining") they say nothing of the whole
_WHOLE = ("sleeve", "neckline")
_FAMILIES = (
    *(("navy", "blue", "light-blue"), ("green", "olive"), ("white", "beige"), ("beige", "brown"), ("grey", "silver")),
    *(("red", "burgundy", "pink", "orange"), ("pink", "purple", "burgundy"), ("yellow", "gold", "orange")),
    *(("black", "navy", "grey"), ("white", "grey", "silver"), ("blue", "green"), ("brown", "orange", "burgundy")),
)


@dataclass(frozen=True)
class Known:
    """What is known of an item without its model's text.

    claims: of the settled item, as texts may make them. possible: (attribute, value) -> probability. categories:
    category -> probability. print_: all that was read or stated of print, brand and label. untrusted: the note, print
    and past listings, which may hold orders.
    """

    claims: Sequence[Claim]
    possible: Mapping[tuple[str, str], float]
    categories: Mapping[str, float]
    taxonomy: Taxonomy
    noun: str = ""
    plural: bool = False
    print_: Sequence[str] = ()
    sizes: Sequence[str] = ()
    untrusted: Sequence[str] = ()
    language: str = ENGLISH


@dataclass(frozen=True)
class Statement:
    """A clause of a text: ``words`` at ``start``..``end`` of ``field``, how likely it is, and what became of it."""

    field: TextField
    start: int
    end: int
    words: str
    p: float
    status: Literal["stands", "marked", "removed"] = "stands"
    by: tuple[str, ...] = ()
    reason: str = ""


@dataclass
class Checked:
    """The texts as they may stand, their spans, and what was left out. ``denied``: of what was asked besides."""

    texts: dict[TextField, str]
    spans: list[Span] = field(default_factory=list)
    flags: list[Flag] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    denied: frozenset[str] = frozenset()
    lost: dict[TextField, float] = field(default_factory=dict)  # share of the words that went


@dataclass
class _Clause:
    """A part of a sentence while it is judged."""

    field: TextField
    sentence: int
    number: int
    part: Part
    base: float = WRITTEN
    claim: str = ""
    p: float = 1.0
    by: tuple[str, ...] = ()
    reason: str = ""
    against: tuple[int, int] | None = None  # characters of the word that evidence speaks against
    instead: str = ""  # what may stand in its place


def check(texts: Mapping[TextField, str], known: Known, ask: Ask, besides: Sequence[str] = ()) -> Checked:
    """Both texts of a model without what is denied, forbidden or an order.

    Args:
        texts: by field, as the model wrote them.
        ask: puts claims to the model, in one request; {} where no usable answer came.
        besides: details of the model's form, asked along.
    """
    known = replace(known, print_=[without_instructions(line) for line in known.print_])  # orders support nothing
    both: dict[TextField, str] = {"title": "", "description": "", **texts}
    texts = {name: _without_orders(scrub(text), known) for name, text in both.items()}
    parsed = {name: sentences(text, known.language) for name, text in texts.items()}
    clauses = [
        _Clause(name, s, n, part)
        for name, found in parsed.items()
        for s, sentence in enumerate(found)
        for n, part in enumerate(sentence.parts)
    ]
    sure = [c for c in known.claims if _carries(c)]
    spans = [s for s in find_spans(texts, sure, known.taxonomy) if _says_no_more(s, texts[s.field], known.taxonomy)]
    for clause in clauses:
        _judge_by_evidence(clause, texts[clause.field], spans, known, first=clause.number == 0)
    wanted = list(dict.fromkeys(c.claim for c in clauses if c.claim))
    asked = [*wanted, *(d for d in besides if d not in wanted)][:MOST_ASKED]
    answers = ask(asked) if asked else {}
    for clause in clauses:
        if clause.claim in answers:
            clause.p, clause.by = after(clause.base, answers[clause.claim]), ("claims",)
        elif clause.claim and known.language == ENGLISH:
            read = 0.97 if clause.p >= WRITTEN else clause.p  # less: print that nobody else has read
            told = _told(clause.claim, known)
            clause.p, clause.by = (read, ("evidence",)) if told else (0.0, ("unanswered",))
    denied_ones = [c for c in clauses if c.p < STANDS and c.by == ("claims",) and not c.against]
    finer = _finer(denied_ones, ask, known)
    denied = frozenset(d for d in besides if d in answers and after(WRITTEN, answers[d]) < STANDS)
    return _cut(texts, parsed, clauses, finer, known, denied)


def after(base: float, answer: tuple[float, float]) -> float:
    """The probability of a claim once the model was asked: prior odds times the ratio of its answer."""
    yes, no = answer
    odds: float = base / max(1e-6, 1.0 - base) * YES**yes * NO**no
    return odds / (1.0 + odds)


def _told(claim: str, known: Known) -> bool:
    """True if every word of a claim that can be checked is one of what is known: where a model judges no claims."""
    lines = [known.noun, *known.print_, *(c.value for c in known.claims)]
    lines += [value for (_, value), p in known.possible.items() if p >= STANDS]
    spans = find_spans({"title": claim, "description": ""}, known.claims, known.taxonomy)
    left = "".join(" " if any(s.start <= i < s.end for s in spans) else c for i, c in enumerate(claim))
    told = word_set(lines)
    return all(w in told or w.removesuffix("s") in told for w in word_set([bare(left)]))


def _carries(claim: Claim) -> bool:
    return claim.status == "seller" or (claim.status == "certain" and claim.likelihood >= CARRIED)


def _says_no_more(span: Span, text: str, taxonomy: Taxonomy) -> bool:
    """True if the words are the value's own: "spaghetti straps" say more than "sleeveless", "mint" more than green."""
    attribute = taxonomy.attributes.get(span.attribute or "")
    if attribute is None:
        return True
    forms = attribute.forms.get(span.value)
    own = [span.value, *((*forms.before, *forms.behind) if forms else ())]
    return plain(text[span.start : span.end]) in {plain(re.sub(r"^an? ", "", words)) for words in own} | {
        plain(f"size {span.value}")
    }


def _without_orders(text: str, known: Known) -> str:
    repeatable = word_set([known.noun, *(c.value for c in known.claims), *known.print_])
    untrusted = [line for line in known.untrusted if line]
    kept = (
        str(s)
        for s in sentences(text, known.language)
        if re.search(r"\w", str(s)) and not is_order(str(s), untrusted, repeatable)
    )
    return "".join(kept).strip()


def _judge_by_evidence(clause: _Clause, text: str, spans: Sequence[Span], known: Known, *, first: bool) -> None:
    """What rule, print and calibrated evidence say of a clause; ``claim`` is set where it has to be asked."""
    part = clause.part
    if kind := forbidden(part.text, known.language, known.sizes):
        clause.p, clause.by, clause.reason = 0.0, ("policy",), kind
        return
    printed = _print_in(part, text, known)
    if any(p < STANDS for _, _, p in printed):
        clause.p, clause.by, clause.reason = 0.0, ("print",), "brand"
        return
    if known.language == ENGLISH:
        _against(clause, known, first=first)
    carried = [(s.start, s.end) for s in spans if s.field == clause.field]
    silent = [(start, end) for start, end, _ in printed]
    left = claim_of(part, known.language, [*silent, *carried])
    silent_words = _PRINT_WORDS if printed else frozenset[str]()
    if clause.against is None and not [w for w in content(left, known.language) if w not in silent_words]:
        clause.p = min([0.97, *(p for _, _, p in printed)])
        clause.by = ("evidence",)
        return
    clause.claim = claim_of(part, known.language, silent)
    clause.p = min([clause.base, *(p for _, _, p in printed)])


_PRINT_WORDS = frozenset(("label", "tag", "print", "printed", "reading", "reads", "says", "saying", "brand", "logo"))


def _print_in(part: Part, text: str, known: Known) -> list[tuple[int, int, float]]:
    """Names and print of a part: (start, end, probability that it is so); a maker that nobody read is not believed."""
    found: list[tuple[int, int, float]] = []
    ordinary = load_lexicon(known.taxonomy)
    for match in _QUOTED.finditer(part.text):
        found.append((*_at(part, match.span()), _read(match[0], known, UNREAD)))
    words = re.findall(r"[^\W\d_]{2,}", part.text)
    capitals = len(words) > 2 and 3 * sum(w[0].isupper() for w in words) >= 2 * len(words)  # "Navy Zip Hoodie"
    names = list(_NAMED.finditer(text, part.start, part.end)) if known.language == ENGLISH else []
    brands = list(ordinary.brands.finditer(text, part.start, part.end))
    if known.language != ENGLISH:  # where many a brand is an ordinary word ("bianchi")
        brands = [match for match in brands if match[0][:1].isupper()]
    for match in [*brands, *names]:
        if any(a < match.end() and match.start() < b for a, b, _ in found):
            continue
        if match in names and all(_everyday(w, ordinary, capitals) for w in re.findall(r"[^\W\d_]+", match[0].lower())):
            continue
        maker = match in brands or _MAKER.search(text[: match.start()][-20:])
        found.append((*match.span(), _read(match[0], known, 0.2 if maker else UNREAD)))
    return found


def _everyday(word: str, lexicon: Lexicon, capitals: bool) -> bool:
    """True if a word with a capital is no name; where all words have one, any English word is none."""
    noun = word in lexicon.nouns or word.removesuffix("s") in lexicon.nouns or len(word) == 1
    return noun or word in lexicon.common or bool(lexicon.meaning(word)) or (capitals and word in english())


def _at(part: Part, span: tuple[int, int]) -> tuple[int, int]:
    return part.start + span[0], part.start + span[1]


def _read(words: str, known: Known, else_: float) -> float:
    key = letters(words)
    everything = "".join(letters(line) for line in known.print_)
    return 0.97 if key and (key in everything or _mostly(words, known)) else else_


def _mostly(words: str, known: Known) -> bool:
    """True if most of several words were read: a model reads on where another reader stopped."""
    read = {letters(word) for line in known.print_ for word in line.split()}
    spoken = [letters(word) for word in words.split() if letters(word)]
    return len(spoken) > 1 and 2 * sum(word in read for word in spoken) > len(spoken)


# -- what evidence speaks against -------------------------------------------------------------------------------------


def _against(clause: _Clause, known: Known, *, first: bool) -> None:
    """Find the word of a clause that the other sources make unlikely, and how likely it still is."""
    head = first and clause.sentence == 0
    text, at = lower(clause.part.text), clause.part.start
    lexicon = load_lexicon(known.taxonomy)
    noun = _last_noun(text, lexicon) if head else None
    worst: tuple[float, tuple[int, int], str] | None = None
    sure = max(known.categories.values(), default=0.0) >= NAMED
    if noun is not None and sure and (p := _of_noun(noun[0], known, lexicon)) < UNLIKELY:
        worst = (p, noun.span(), known.noun)
    until = noun.start() if noun is not None else len(text)
    for match in lexicon.phrases.finditer(text):
        inside = head and match.start() < until
        p, instead = _of_value(match[0], known, lexicon, head=inside)
        if p < UNLIKELY and (worst is None or p < worst[0]):
            worst = (p, match.span(), instead)
    if worst is not None:
        clause.base, (start, end), clause.instead = worst
        clause.base, clause.against = max(worst[0], 0.005), (at + start, at + end)


def _last_noun(text: str, lexicon: Lexicon) -> re.Match[str] | None:
    """The name of the thing in an opening: the last one before anything that hangs on it."""
    opening = re.split(r"\b(?:in|on|of|for|from|at|by|with)\b", text)[0]
    return next(reversed(list(lexicon.item_words.finditer(opening))), None)


def _of_noun(noun: str, known: Known, lexicon: Lexicon) -> float:
    """How likely one of the categories is that are called so; 1 of a word that names none."""
    names = lexicon.item_names
    name = plain(noun)
    called = next((names[n] for n in (name, name.removesuffix("s"), name.removesuffix("es")) if n in names), None)
    named = [known.noun, *(c.value for c in known.claims if c.attribute == NAME)]
    if called is None or any(name in plain(other) for other in named):
        return 1.0
    return min(1.0, sum(p for name, p in known.categories.items() if name in called))


def _of_value(words: str, known: Known, lexicon: Lexicon, *, head: bool) -> tuple[float, str]:
    """How likely what a phrase says is, by the other sources; and the value that is known instead.

    1 where nothing sure is known. A shade of a stated family never contradicts it.
    """
    spoken = lexicon.meaning(words)
    names = [name for name in (*_WHOLE, *(_HEAD_ONLY if head else ())) if name in spoken]
    if names == ["neckline"] and not _NECKLINE.search(words):  # a collar, a hood may be there beside any
        return 1.0, ""
    if not names or len(names) < len([n for n in spoken if n != "colour2"]):
        return 1.0, ""
    best, instead = 0.0, ""
    for name in names:
        stated = [c.value for c in known.claims if c.attribute in (name, f"{name}2") and c.likelihood >= CARRIED]
        main = [c.value for c in known.claims if c.attribute == name and c.likelihood >= CARRIED]
        if not main or "multicolour" in main:
            return 1.0, ""
        for value in spoken[name]:
            alike = value in stated or any(value in family and set(stated) & set(family) for family in _FAMILIES)
            p = 1.0 if (alike and name == "colour") or value in stated else _likely(name, value, known)
            best = max(best, p)
        forms = known.taxonomy.attributes[name].forms.get(main[0])
        instead = main[0].replace("-", " ") if name == "colour" else next(iter(forms.before), "") if forms else ""
    return best, instead if head and instead not in ("plain", "") else ""


def _likely(name: str, value: str, known: Known) -> float:
    return max(known.possible.get((name, value), 0.01), known.possible.get((f"{name}2", value), 0.0))


# -- what was denied --------------------------------------------------------------------------------------------------


def _finer(denied: Sequence[_Clause], ask: Ask, known: Known) -> dict[int, tuple[int, int]]:
    """The one word of a denied clause that is false, by its id, where the clause is true without it.

    A clause that is true by the words that can be checked, or without any one of them, was denied by mistake.
    """
    if known.language != ENGLISH:
        return {}
    options = {id(c): shorter(c.claim) for c in denied}
    bares = {id(c): words for c in denied if (words := bare(c.claim)) != c.claim.lower() and words}
    wanted = [*bares.values(), *(claim for tries in options.values() for claim, _ in tries)]
    answers = ask(list(dict.fromkeys(wanted))[:MOST_ASKED]) if wanted else {}
    so = {claim for claim, answer in answers.items() if after(WRITTEN, answer) >= DOUBTED}
    found = {}
    for clause in denied:
        true = [word for claim, word in options[id(clause)] if claim in so]
        if bares.get(id(clause)) in so or len(true) == len(options[id(clause)]) > 1:
            clause.p, clause.by = after(after(WRITTEN, (0.0, 1.0)), (1.0, 0.0)), ("claims", "words")
        elif len(true) == 1:
            place = re.search(rf"(?<!\w){re.escape(true[0])}(?!\w)", lower(clause.part.text))
            if place is not None and not _heads(clause.part.text, place.end()):
                found[id(clause)] = _at(clause.part, place.span())
    return found


def _heads(text: str, end: int) -> bool:
    """True if nothing stands behind a word that it could belong to: without it a phrase has no noun."""
    rest = text[end:].strip()
    return not rest or _PLACE.match(rest) is not None


def _cut(
    texts: Mapping[TextField, str],
    parsed: Mapping[TextField, Sequence[Sentence]],
    clauses: Sequence[_Clause],
    finer: Mapping[int, tuple[int, int]],
    known: Known,
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
                result.statements.append(_statement(clause, "stands"))
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
            result.statements.append(_statement(clause, "removed"))
            result.flags.append(Flag(code=LEFT_OUT, message=words, field=name))
        left = _swapped(text, swaps, gone, known)
        before, now = len(content(text, known.language)), len(content(left, known.language))
        result.texts[name], result.lost[name] = left, 1 - now / before if before else 0.0
    result.spans = _spans(result, clauses, known)
    return result


def _swapped(text: str, swaps: Sequence[tuple[int, int, str]], gone: Cut, known: Known) -> str:
    """The text with other words in the place of some, of the same length for the cut that follows, then cut."""
    if not swaps:
        return cut(text, gone, known.language, plural=known.plural)
    marked = text
    private = {chr(0xE000 + n): words for n, (_, _, words) in enumerate(swaps)}
    for (start, end, _), sign in zip(swaps, private, strict=True):
        marked = marked[:start] + sign * (end - start) + marked[end:]
    left = cut(marked, gone, known.language, plural=known.plural)
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


def _statement(clause: _Clause, status: Literal["stands", "removed"]) -> Statement:
    part = clause.part
    return Statement(
        clause.field, part.start, part.end, part.text, round(clause.p, 3), status, clause.by, clause.reason
    )


def _spans(result: Checked, clauses: Sequence[_Clause], known: Known) -> list[Span]:
    """The spans of the settled claims and of doubtful clauses, at most three of them marked."""
    asked = {letters(c.part.text): c.p for c in clauses if "claims" in c.by}
    spans = []
    for span in find_spans(result.texts, known.claims, known.taxonomy):
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
            spans.append(
                Span(
                    field=clause.field,
                    start=begin,
                    end=start + len(words),
                    attribute="detail",
                    value=value,
                    status="check",
                    confidence=round(clause.p, 3),
                )
            )
    return sorted(limited(spans), key=lambda s: (s.field == "description", s.start))


def limited(spans: Sequence[Span]) -> list[Span]:
    """The spans with marks on three claims at most, those that a buyer makes most of first."""
    claims = {(s.attribute, s.value): s for s in spans if s.status == "check"}
    worth = {key: weight_of(s.attribute or "") * (1 - (s.confidence or 0.0)) for key, s in claims.items()}
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
        return text.rstrip(".") if len(text.split()) <= most_title else " ".join(text.split()[:most_title])
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
