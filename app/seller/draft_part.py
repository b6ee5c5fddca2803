"""Values of the page's draft part: a ``DraftView`` turned into the plain values that the template names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from app import templates
from app.seller import words
from app.seller.pictures import crop
from app.seller.session import SellerSession
from app.views import TEXT_FIELDS, WRITING, DraftState, DraftView, likely_candidates
from listing.decide.claims import LIKELY, name_of, sayable, to_check
from listing.decide.settle import Item, item_of
from listing.details import detail_forms
from listing.request import TONES
from listing.revise import statement_of, with_statement
from listing.say.ask import AWAY, OFFERS_AT_ONCE, statable
from listing.say.check import LEFT_OUT
from listing.say.plan import stated_claims
from listing.say.render import can_be_shorter
from listing.schema import AttributeValue, Candidate, Category, Draft, Evidence, Listing, PhotoRef, Quality, Span
from listing.taxonomy import load_taxonomy

FOLDER = Path(__file__).parent / "templates"
ASKED = ("outside-known", "outside-tuned")  # what the card of the category says already
MAX_QUESTIONS = 2  # at a time, with that on the kind; any other is a fact of the list
_HIDDEN = Markup('<span aria-hidden="true">{}</span>')
_CHECK = Markup(
    '<mark class="check" role="button" tabindex="0" aria-label="{words}: please check" aria-expanded="false" '
    'aria-controls="{panel}" data-open="{panel}" data-start="{start}" data-end="{end}">{words}</mark>'
)


def render(name: str, **values: Any) -> str:
    """The template ``NAME.html`` filled with values."""
    return templates.render(FOLDER / f"{name}.html", **values)


def marked(text: str, checks: Iterable[tuple[Span, str]]) -> Markup:
    """The text with every span to check in a ``<mark>`` that opens its panel (its id).

    The text itself stands in the field behind it. Spans outside the text or across another are passed over.
    """
    parts, at = Markup(), 0
    for start, end, panel in sorted((span.start, span.end, panel) for span, panel in checks):
        if at <= start < end <= len(text):
            check = _CHECK.format(words=text[start:end], start=start, end=end, panel=panel)
            parts += _HIDDEN.format(text[at:start]) + check
            at = end
    return parts + _HIDDEN.format(text[at:] + "\u200b")


def draft_html(
    view: DraftView,
    comparables: Sequence[tuple[Listing, str | None]],
    retrieval: bool,
    *,
    session: SellerSession | None = None,
    same_as: Sequence[Listing] = (),
) -> str:
    """The draft, complete or still arriving. ``comparables``: listings of ``price.basis``, with their pictures.

    ``session``: that of the page, for its notices and what can be undone. ``same_as``: listings of the seller with the
    same photos.
    """
    session, written = session or SellerSession(), view.draft if view.state == DraftState.READY else None
    category, checks = _category(view), _checks(view)
    asked = any(q.attribute == "category" for q in view.questions)
    ask_category = category is not None and (category["unnamed"] or asked or not category["in_range"])
    # The card of the category asks for it already, with all that may be it.
    questions = [q for q in view.questions if not (ask_category and q.attribute == "category")]
    questions = questions[: MAX_QUESTIONS - ask_category]
    displayed = {q.attribute for q in questions}
    flags = [f for f in view.flags if f.field not in TEXT_FIELDS and f.code != AWAY]
    open_checks = [check for check in checks if check["can_go"] or not ask_category]
    return render(
        "draft",
        view=view,
        words=words,
        key=_key,
        busy=view.state in WRITING,
        session=session,
        errors=defaultdict(lambda: None, {notice.at: notice for notice in session.notices}),
        category=category,
        ask_category=ask_category,
        categories=sorted({words.category_label(name) for name in load_taxonomy().categories}),
        facts=[_fact(a, view) for a in view.attributes if a.name not in displayed],
        questions=questions,
        texts=[_text(view, field, checks) for field in TEXT_FIELDS],
        checks=checks,
        open_checks=open_checks,
        untaught=not ask_category and any(f.code == "outside-tuned" for f in flags),
        left_out=_left_out(view),
        offers=written.offers[:OFFERS_AT_ONCE] if written is not None else [],
        name_of=name_of,
        details=dict.fromkeys(o.label for o in statable(written, _item(written))) if written is not None else (),
        same_as=same_as,
        remarks=[f.message for f in flags if not (ask_category and f.code in ASKED)],
        tones=TONES,
        can_be_shorter=_long(view),
        comparables=comparables,
        price_note=words.price_note(view.price, retrieval),
        quality=view.quality or Quality(score=0),
        bottom=_bottom(view, ask_category, len(open_checks)),
    )


def _key(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)


def _category(view: DraftView) -> dict[str, Any] | None:
    """The category and what else it may be: value, and whether it is the one."""
    category = view.category
    if category is None:
        return None
    chosen = "category" in view.locked
    return {
        "in_range": category.in_range or chosen,
        "unnamed": not chosen and (category.value in load_taxonomy().groups or 0 < category.confidence < LIKELY),
        "chosen": chosen,
        "candidates": [(c.value, c.value == category.value) for c in _candidates(view, category)],
    }


def _candidates(view: DraftView, category: Category) -> list[Candidate]:
    """The likely candidates; of a group whatever of it the question on the category offers, and not the group."""
    groups = load_taxonomy().groups if "category" not in view.locked else {}
    likely = [c for c in likely_candidates(category) if c.value not in groups]
    asked = [q.choices for q in view.questions if q.attribute == "category" and category.value is not None]
    others = {choice for choices in asked for choice in choices} - {c.value for c in likely}
    shown = [*likely, *(c for c in category.candidates if c.value in others)]
    last = {words.category_label(c.value): c for c in shown}  # a group may be called like a leaf of it
    return [c for c in shown if last[words.category_label(c.value)] is c]


def _fact(fact: AttributeValue, view: DraftView) -> dict[str, Any]:
    attribute = _attribute(fact.name, view)
    guess = fact.value is None and fact.status == "unsupported" and fact.name not in to_check(view.draft)
    asked = next((q.choices for q in view.questions if q.attribute == fact.name), [])
    return {
        "name": fact.name,
        "value": fact.value or fact.suggestion or "",
        "mark": words.mark(fact),
        "suggestion": fact.suggestion if guess else None,
        "why": words.reason(fact),
        "locked": fact.locked,
        "sure": words.how_sure(fact),
        "choices": [] if attribute is None else list(attribute.seller_choices) or asked,
        "proofs": [_proof(e, fact.status == "contradicted", view.photos) for e in fact.evidence],
    }


def _checks(view: DraftView) -> list[dict[str, Any]]:
    """Claims of the texts that are to be checked, each with the values that it may have instead."""
    marked = _marked_spans(view)
    rows = []
    for name, value in to_check(view.draft).items():
        mine = [span for span in marked if name_of(span) == name]
        kind = mine[0].attribute or ""
        rows.append(
            {
                "name": name,
                "value": value,
                "fields": {span.field for span in mine},
                "label": words.claim_label(kind),
                "reads": _stated_claims(view, [span for span in mine if span.value in value.split(", ")]),
                "denial": _denial(mine[0], _reads(view, mine[0])),
                "choices": _choices(view, name, mine),
                "can_go": kind != "category",
            }
        )
    return rows


def _denial(span: Span, reads: str) -> str:
    """The chip by which a claim goes, as a seller would say it: "no pockets", but "not for women", "not zipped"."""
    kind, value = span.attribute or "", span.value
    if kind == "audience":
        return f"not for {'a baby' if value == 'baby' else value}"
    form, attribute = detail_forms().get(value), load_taxonomy().attributes.get(kind)
    nouns = [form.behind] if kind == "detail" and form is not None else []
    nouns += attribute.forms[value].behind if attribute is not None and value in attribute.forms else []
    bare = re.sub(r"^an? ", "", reads)
    texts = [text for noun in nouns for text in ([noun] if isinstance(noun, str) else noun.values())]
    texts = [text.translate({ord(mark): None for mark in "<>"}) for text in texts]
    return f"{'no' if any(text.endswith(bare) for text in texts) else 'not'} {bare}"


def _item(draft: Draft) -> Item:
    return item_of(draft.category.value, load_taxonomy())


def _choices(view: DraftView, name: str, spans: Sequence[Span]) -> list[dict[str, str]]:
    """Values that a claim may have instead, none that the texts say already; of categories only the likely ones."""
    kind, said = spans[0].attribute or "", {span.value for span in view.draft.spans} if view.draft else set()
    others = dict.fromkeys(other for span in spans for other in span.alternatives if other not in said)
    if kind == "category" and view.category:
        likely = {c.value for c in likely_candidates(view.category)}
        others = {other: None for other in others if not likely or other in likely}
    attribute = load_taxonomy().attributes.get(name)
    return [{"value": o, "label": words.claim_value(kind, o)} for o in others if sayable(attribute, o)]


def _marked_spans(view: DraftView) -> list[Span]:
    return [span for span in view.draft.spans if span.status == "check"] if view.draft is not None else []


def _reads(view: DraftView, span: Span) -> str:
    """The words of a span as they read within a sentence."""
    text = str(getattr(view, span.field))[span.start : span.end]
    attribute = load_taxonomy().attributes.get(span.attribute or "")
    as_written = attribute is not None and not attribute.values  # a name, a print, a size: written as it is
    return text if as_written else text[:1].lower() + text[1:]


def _stated_claims(view: DraftView, spans: Sequence[Span]) -> str:
    """Words of the spans, each once, and none that is a part of another one."""
    words = list(dict.fromkeys(_reads(view, span) for span in spans))
    return ", ".join(each for each in words if not any(each in other for other in words if other != each))


def _attribute(name: str, view: DraftView) -> Any:
    taxonomy = load_taxonomy()
    here = taxonomy.schema_of(taxonomy.node(view.category.value if view.category else None))
    return next((a for a in here if a.name == name), taxonomy.attributes.get(name))


def _proof(evidence: Evidence, contradicted: bool, photos: Sequence[PhotoRef]) -> dict[str, Any]:
    title, line = words.proof_words(evidence, contradicted)
    place = evidence.photo
    proof = {"title": title, "words": line, "colour": words.colour_code(evidence), "crop": None, "alt": ""}
    if place is None or not 0 <= place < len(photos):
        return proof
    return {**proof, "crop": crop(photos[place], evidence.box), "alt": f"Part of photo {place + 1}"}


def _text(view: DraftView, field: str, checks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    text = str(getattr(view, field))
    panels = {check["name"]: f"w-{field}-{_key(check['name'])}" for check in checks}
    open_ = [(span, panels[name_of(span)]) for span in _marked_spans(view) if span.field == field]
    busy = view.state in WRITING
    if busy and not text and field == "title" and view.category is not None and view.category.value:
        text = words.category_label(view.category.value)  # as far as it is decided, where the title will stand
    return {
        "field": field,
        "label": words.sentence(field),
        "text": text,
        "version": view.field_version(field),
        "marked": marked(text, () if busy else open_),
        "checks": [check for check in checks if field in check["fields"]],
        "locked": field in view.locked,
        "flags": [f.message for f in view.flags if f.field == field and f.code != LEFT_OUT],
    }


def _left_out(view: DraftView) -> list[str]:
    """Words that went from a model's text, each once; none that would add no word to it as the seller's own."""
    draft, taxonomy = view.draft if view.state == DraftState.READY else None, load_taxonomy()
    if draft is None:
        return []
    said = {*re.findall(r"\w+", f"{draft.title} {draft.description}".lower())}
    gone = dict.fromkeys(flag.message for flag in view.flags if flag.code == LEFT_OUT)
    after = ((words, with_statement(draft, statement_of(draft, words, taxonomy), taxonomy)) for words in gone)
    return [words for words, text in after if not said.issuperset(re.findall(r"\w+", text.lower()))]


def _long(view: DraftView) -> bool:
    """True where the text can be shorter: not a second time, and not in the seller's words."""
    if view.draft is None or view.tone == "shorter" or "description" in view.locked:
        return False
    return can_be_shorter(view.description, stated_claims(view.draft), _item(view.draft))


def _bottom(view: DraftView, ask_category: bool, open_checks: int) -> str:
    """What is left to do; its count is that of the words that the page asks about."""
    if ask_category or view.category is None:
        return "Say what it is, so that buyers find it."
    if open_checks:
        return f"{words.counted(open_checks, 'word is', 'words are')} not confirmed."
    return "Everything in it was seen in your photos, read on a label, or told by you."
