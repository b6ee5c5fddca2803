"""The texts of a model that sees the photos: asked for, asked back claim by claim, and what is left of them."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import get_args

from listing import prompts
from listing.backends.base import Backend, BackendError, Form, FormBackend
from listing.decide.claims import FIRM, Claim
from listing.decide.decision import Decision
from listing.decide.policies import SELLER_ONLY
from listing.decide.settle import Item, settle, without
from listing.details import detail_forms
from listing.languages import ENGLISH, LANGUAGES
from listing.lexicon import Lexicon, load_lexicon, plain
from listing.observe.past_listings import Neighbours
from listing.request import DraftRequest, TextEvent
from listing.safety.injection import instruction_like
from listing.say.check import Answers, Checked, check, trimmed, usable
from listing.say.clauses import joints
from listing.say.evidence import CARRIED, Known
from listing.say.marks import find_spans, shifted, word_count
from listing.say.render import Text, sentences_of
from listing.schema import Span, TextField
from listing.taxonomy import Taxonomy

MAX_TOKENS, MAX_PHOTOS, MAX_TITLE = 240, 4, 12
EXAMPLE_WORDS, EXAMPLES = 60, 2  # of past listings of the same category, shown for their style
ATTEMPTS = 3  # at claims: a reply that fails a control is not used
SURE_ENOUGH = 0.97  # of a control that is true
_LOST = 0.5  # share of a text's words from which on it is written again
YES, NO, CANNOT = "yes", "no", "cannot tell"


@dataclass
class Conversation:
    """A model that is asked about one item: writes, and says of claims whether they are so."""

    backend: Backend
    request: DraftRequest
    key: str
    true: str  # a claim that is surely true
    language: str = ENGLISH

    def ask(self, claims: Sequence[str]) -> Answers:
        """Probability of yes and of no by claim; {} where the model cannot be asked or fails a control each time.

        One claim that is known to be false and one known to be true stand among them, in random places (POPE,
        arXiv 2305.10355).
        """
        if not isinstance(self.backend, FormBackend) or not claims:
            return {}
        words = joints(self.language)
        for attempt in range(ATTEMPTS):
            rng = Random(f"{self.key}|{attempt}|{len(claims)}")
            true = self.true if attempt == 0 and self.language == ENGLISH else words.always
            false = words.never[rng.randrange(len(words.never))]
            lines = list(claims)
            for control in (true, false):
                lines.insert(rng.randrange(len(lines) + 1), control)
            answers = self._judged(lines)
            if answers is None:
                return {}
            if answers.get(true, (0.0, 1.0))[0] > 0.5 and answers.get(false, (1.0, 0.0))[1] > 0.5:
                return {claim: answers[claim] for claim in claims if claim in answers}
        return {}

    def _judged(self, lines: Sequence[str]) -> dict[str, tuple[float, float]] | None:
        assert isinstance(self.backend, FormBackend)
        numbers = {str(n): line for n, line in enumerate(lines, 1)}
        form = Form(prompts.claims(lines), dict.fromkeys(numbers, (YES, NO, CANNOT)), value_key="there")
        try:
            filled = self.backend.fill([photo.image for photo in self.request.photos[:MAX_PHOTOS]], form)
        except BackendError:
            return None
        if filled is None:
            return None
        return {numbers[n]: (d.get(YES, 0.0), d.get(NO, 0.0)) for n, d in filled.choices.items()}


def written(
    rendered: Text,
    known: Known,
    request: DraftRequest,
    key: str,
    backend: Backend,
    examples: Sequence[str],
    *,
    most: int | None = None,
) -> Generator[TextEvent, None, Text]:
    """The model's texts without what is denied or forbidden; the rendered one where too little is left of one.

    examples: texts of past listings. most: words of a description that has to be shorter than the one before.
    """
    item = known.item
    talk = Conversation(backend, request, key, _surely_true(item), request.language)
    firm = without(item, [c for c in item.claims if _doubtful_department(c)])
    asked = listing_prompt(firm, known.note, examples, request)
    result = yield from _once(asked, talk, known, known.free_details, request)
    lost = [s.words.strip() for s in result.statements if s.removed]
    if lost and max(result.lost.values(), default=0.0) > _LOST:
        again = yield from _once(f"{asked}\n{prompts.leave_out(lost)}", talk, known, (), request)
        kept = {**result.texts, **{n: t for n, t in again.texts.items() if again.lost[n] < result.lost[n]}}
        if kept != result.texts:
            result = replace(again, denied=result.denied)
    texts: dict[TextField, str] = {"title": rendered.title, "description": rendered.description}
    spans, flags, writer = list(rendered.spans), [], dict(rendered.writer)
    for name in get_args(TextField):
        text = result.texts.get(name, "")
        repeats = name == "description" and plain(text.rstrip(".")) == plain(texts["title"])
        long = most is not None and name == "description" and word_count(text) > most
        if getattr(request, name) is not None or not usable(text, name, request.language) or repeats or long:
            continue
        texts[name], writer[name] = text, "model"
        spans = [s for s in spans if s.field != name] + [s for s in result.spans if s.field == name]
        flags += [flag for flag in result.flags if flag.field == name]
    if writer["description"] == "model" and request.language == ENGLISH:
        texts["description"], more_spans = _with_stated(texts, item)
        spans += more_spans
    return Text(texts["title"], texts["description"], spans, flags, writer, result.denied)


def _once(
    prompt: str, talk: Conversation, known: Known, details: Sequence[str], request: DraftRequest
) -> Generator[TextEvent, None, Checked]:
    raw = yield from write(talk.backend, request, prompt)
    wanted = {n: trimmed(text, n) for n, text in raw.items() if getattr(request, n) is None}
    return check(wanted, known, talk.ask, details)


def known_of(
    item: Item, decision: Decision, note: str, neighbours: Neighbours, language: str, lexicon: Lexicon
) -> Known:
    """What is known of the item without its model's text."""
    claims = item.claims
    named = decision.views.by("detail", "mllm")
    read = [o for o in decision.views.observations if o.question in ("text", "brand", "size", "material")]
    lines = [o.text or next(iter(o.probabilities), "") for o in read if o.source in ("ocr", "mllm", "seller", "note")]
    print_ = [*lines, note, *(c.value for c in claims if c.attribute in ("text", "brand", "size"))]
    sizes = [c.value for c in claims if c.attribute in ("size", "dimensions", "volume")] + [note]
    return Known(
        item=item,
        lexicon=lexicon,
        possible=decision.possible,
        categories={c.value: c.confidence for c in decision.category.candidates},
        note=note,
        free_details=[phrase for o in named for phrase in o.probabilities if phrase not in detail_forms()],
        print_=print_,
        sizes=sizes,
        untrusted=[note, *lines, *neighbours.texts],
        language=language,
    )


def says_only(text: str, field: TextField, claims: Sequence[Claim], taxonomy: Taxonomy) -> bool:
    """True if a text states nothing but the claims: what a model that is told them may learn to write."""
    item = settle([replace(claim, status="seller") for claim in claims], taxonomy)
    read = [c.value for c in claims if c.attribute in ("text", "brand", "size", "material")]
    forms = [detail_forms()[c.value] for c in claims if c.attribute == "detail" and c.value in detail_forms()]
    words = [words for form in forms for words in form.words(item.node)]
    known = Known(item, load_lexicon(taxonomy), print_=[*read, *words], sizes=read)
    result = check({field: text}, known, lambda claims: {})
    return result.texts[field] == text and all(s.p >= CARRIED for s in result.statements if s.words)


def _surely_true(item: Item) -> str:
    """A claim that is sure and agreed; else one that is true of every photo of a thing."""
    category = next(c for c in item.claims if c.attribute == "category")
    sure = category.status != "check" and category.likelihood >= SURE_ENOUGH
    return item.node.phrase if sure else joints().always


def _doubtful_department(claim: Claim) -> bool:
    """True if it says for whom, and may well be wrong: a listing for the wrong people is worse than one for anybody."""
    return claim.attribute == "audience" and claim.status == "check" and claim.likelihood < FIRM


def _with_stated(texts: Mapping[TextField, str], item: Item) -> tuple[str, list[Span]]:
    """The description and, behind it, what the seller or a label says and the model's text does not."""
    claims = item.claims
    spans = find_spans(texts, item)
    said = {(s.attribute, s.value) for s in spans}
    stated = ("size", "condition", *SELLER_ONLY)
    own = [c for c in claims if c.attribute in stated and (c.status == "seller" or c.from_print)]
    left = [c for c in own if (c.attribute, c.value) not in said and not c.in_sellers_note]
    sentence, more = sentences_of(item, left) if left else ("", [])
    if not sentence:
        return texts["description"], []
    return f"{texts['description']} {sentence}", shifted(more, len(texts["description"]) + 1)


def write(backend: Backend, request: DraftRequest, prompt: str) -> Generator[TextEvent, None, dict[TextField, str]]:
    """The model's texts, streamed: its first line is the title, the next the description."""
    texts: dict[TextField, str] = {"title": "", "description": ""}
    title, description = get_args(TextField)
    field: TextField = title
    photos = [photo.image for photo in request.photos[:MAX_PHOTOS]]
    for piece in backend.write(photos, prompt, max_tokens=MAX_TOKENS):
        for i, line in enumerate(piece.split("\n")):
            if i and texts[field].strip():  # a break behind a word
                if field == description:
                    return texts
                field = description
            text = line if texts[field] else line.lstrip()
            if text:
                texts[field] += text
                yield TextEvent(field=field, text=text)
    return texts


def listing_prompt(item: Item, note: str, examples: Sequence[str], request: DraftRequest) -> str:
    """The prompt of what may be said; no order hidden in print, note or other listings gets into it."""
    lines: dict[bool, list[str]] = {True: [], False: []}
    for claim in [*item.facts.values(), *item.wear, *item.details, *item.free_details]:
        if claim.attribute != "text" and not (claim.in_sellers_note and claim.attribute in ("condition", *SELLER_ONLY)):
            words = claim.value if claim.attribute == "detail" else f"{claim.attribute}: {claim.blend or claim.value}"
            lines[claim.status != "check"].append(words)
    text = item.facts.get("text")
    return prompts.listing_prompt(
        item.noun,
        lines[True],
        lines[False],
        printed=text.value if text else "",
        note="" if instruction_like(note) else note,
        examples=[" ".join(e.split()[:EXAMPLE_WORDS]) for e in examples if not instruction_like(e)][:EXAMPLES],
        tone=request.tone,
        photos=min(len(request.photos), MAX_PHOTOS),
        language="" if request.language == ENGLISH else LANGUAGES[request.language],
    )
