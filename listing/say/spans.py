"""Spans of a text: found in what a model wrote, and changed in place when the seller taps on one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

from listing.observe.networks.details import load_details
from listing.observe.note import read_note
from listing.request import TONES
from listing.say.claims import NAME, SELLERS_OWN, Claim, blend_of
from listing.say.forms import detail_forms, form_for, is_plural
from listing.say.marks import article, span_of
from listing.say.render import CLOSERS, render, sentences_of
from listing.say.statements import split
from listing.schema import Draft, Span, TextField
from listing.taxonomy import Taxonomy, load_taxonomy

Fields = Mapping[TextField, str]
_BEFORE_NOUNS = frozenset({"are", "is", "with", "of", "these", "my"})
_AGREEMENT = (  # (of one thing, of several)
    *(("It has", "They have"), ("it has", "they have"), ("It also has", "They also have"), ("It is", "They are")),
    *(("it is", "they are"), ("It says", "They say"), ("on it", "on them"), ("It looks", "They look")),
    *(("it looks", "they look"), ("It closes", "They close"), ("It works", "They work"), ("It does", "They do")),
    *(
        ("it needs", "they need"),
        ("It needs", "They need"),
        ("pull it on", "pull them on"),
        ("slip it on", "slip them on"),
    ),
)
SENTENCES = ("condition", *SELLERS_OWN)  # said in sentences of their own, so that no single word can be replaced
_WHERE = re.compile(r" (?:at|on|in|with|inside|under) ")
_ARTICLE = re.compile(r"\b(an?) ((?:[\w-]+ )?)$", re.I)  # an adjective may stand between ("a wide boat neck")


def find_spans(fields: Fields, claims: Sequence[Claim], taxonomy: Taxonomy) -> list[Span]:
    """Where the texts say the claims, the longest words first; no two spans overlap."""
    spans: list[Span] = []
    phrases = [(phrase, claim) for claim in claims for phrase in _phrases(claim, claims, taxonomy)]
    phrases.sort(key=lambda entry: -len(entry[0]))
    for field in get_args(TextField):
        for phrase, claim in phrases:
            pattern = re.escape(phrase).replace(r"\ ", r"[\s-]+").replace(r"\-", r"[\s-]")
            for match in re.finditer(rf"(?<!\w){pattern}(?!\w)", fields[field], re.IGNORECASE):
                if not any(s.field == field and s.start < match.end() and match.start() < s.end for s in spans):
                    spans.append(span_of(claim, field, *match.span()))
    return sorted(spans, key=lambda s: (s.field == "description", s.start))


def _phrases(claim: Claim, claims: Sequence[Claim], taxonomy: Taxonomy) -> set[str]:
    """The words that any text may say a claim in."""
    node = taxonomy.node(next(c.value for c in claims if c.attribute == "category"))
    if claim.attribute == "category":
        return {node.phrase, *node.synonyms}
    if claim.attribute == "detail":
        form = detail_forms().get(claim.value)
        words = [form_for(f, node) for f in (form.behind, form.adjective, form.looks)] if form else []
        words += [] if form else [_WHERE.split(claim.value)[0]]  # "thumb loops" of "thumb loops at the cuffs"
        return {claim.value, *(re.sub(r"^an? ", "", w) for w in words if w)}
    phrases = {claim.value, *taxonomy.attributes[claim.attribute].phrases.get(claim.value, ())}
    return {f"size {claim.value}"} if claim.attribute == "size" else phrases


def replace(
    fields: Fields, spans: Sequence[Span], index: int, value: str
) -> tuple[dict[TextField, str], list[Span]] | None:
    """Another value in the place of a span's words, in both texts; the article follows, the other spans move along.

    None where the value has no words that can stand there.
    """
    old = spans[index]
    texts, out = dict(fields), list(spans)
    for i in [i for i, s in enumerate(out) if (s.attribute, s.value) == (old.attribute, old.value)]:
        span = out[i]
        text = texts[span.field]
        words = _words_for(span, text[: span.start], text[span.start : span.end], value)
        if words is None:
            return None
        start, lead = span.start, ""
        before, several = _ARTICLE.search(text[: span.start]), _needs_none(span, words)
        if before and (several or not before[2]):
            start = before.start()
            lead = before[2] if several else f"{article(words)} "
            lead = lead.capitalize() if before[1][0].isupper() else lead
        elif (
            not before and not several and _needs_none(span, text[span.start : span.end]) and _stands_alone(text, span)
        ):
            lead = f"{article(words)} "
        if start == span.start and text[start].isupper():
            lead, words = (lead.capitalize(), words) if lead else ("", words[:1].upper() + words[1:])
        texts[span.field] = text[:start] + lead + words + text[span.end :]
        moved = start + len(lead) + len(words) - span.end
        out = [
            s.model_copy(update={"start": s.start + moved, "end": s.end + moved})
            if s.field == span.field and s.start >= span.end
            else s
            for s in out
        ]
        rest = [v for v in (span.value, *span.alternatives) if v != value]
        update = {"start": start + len(lead), "end": start + len(lead) + len(words)}
        out[i] = span.model_copy(
            update={**update, "value": value, "status": "seller", "confidence": None, "alternatives": rest}
        )
        named = span.field == "description" and span.attribute in (NAME, "category")
        if named and is_plural(words) is not is_plural(text[span.start : span.end]):
            texts["description"], out = _agreeing(texts["description"], out, plural=is_plural(words))
    return texts, out


def _stands_alone(text: str, span: Span) -> bool:
    """Whether no adjective stands before the words, so that an article can."""
    before = text[: span.start].split()
    return span.attribute not in (NAME, "category") or (bool(before) and before[-1].lower() in _BEFORE_NOUNS)


def _agreeing(text: str, spans: Sequence[Span], *, plural: bool) -> tuple[str, list[Span]]:
    """The description, which now speaks of several things or of one, with its verbs and pronouns; spans move along."""
    own = text.partition("\n\n")[0]
    edits: list[tuple[int, int, str]] = []
    if plural and (match := re.match(r"(This is )?an? (\w)", own, re.I)):
        edits.append((0, match.end(), f"These are {match[2]}" if match[1] else match[2].upper()))
    elif plural and own.startswith("This is "):
        edits.append((0, len("This is"), "These are"))
    elif not plural and (match := re.match(r"These are (?!an? )", own)):
        edits.append((0, match.end(), f"This is {article(own[match.end() :])} "))
    elif not plural and own.startswith("These are"):
        edits.append((0, len("These are"), "This is"))
    for one, several in _AGREEMENT:
        old, new = (one, several) if plural else (several, one)
        edits += [(m.start(), m.end(), new) for m in re.finditer(rf"(?<!\w){old}(?!\w)", own)]
    edits.sort()
    for start, end, new in reversed(edits):
        text = text[:start] + new + text[end:]

    def moved(at: int) -> int:
        return at + sum(len(new) - (end - start) for start, end, new in edits if end <= at)

    return text, [
        s.model_copy(update={"start": moved(s.start), "end": moved(s.end)}) if s.field == "description" else s
        for s in spans
    ]


def _words_for(span: Span, before: str, words: str, value: str) -> str | None:
    """How the value is said in the same place of a sentence: before the noun, or behind "with" without its article."""
    taxonomy = load_taxonomy()
    if span.attribute == "category":
        return taxonomy.node(value).phrase
    attribute = taxonomy.attributes.get(span.attribute or "")
    if attribute is None:
        return value
    if span.attribute == "size":
        return f"size {value}"
    if span.attribute == "text":
        return f'"{value}"' if words.startswith('"') else value
    if span.attribute in SENTENCES:
        return None
    old, new = attribute.forms.get(span.value), attribute.forms.get(value)
    lead = "for " if words.lower().startswith("for ") else ""
    if span.attribute == "audience" and (lead or before.lower().endswith("for ")):
        return f"{lead}a {value}" if value == "baby" else f"{lead}{value}"
    if new is not None and (new.before or new.behind):
        stays_before = old is None or words.lower() in old.before or not old.behind
        forms = new.before if stays_before else new.behind
        return re.sub(r"^an? ", "", forms[0]) if forms else None
    return None if new is not None and new.sentence else value.replace("-", " ")


def _needs_none(span: Span, words: str) -> bool:
    """Whether the words are several things, so that no article stands before them."""
    taxonomy = load_taxonomy()
    if span.attribute in (NAME, "category"):
        return is_plural(words)
    attribute = taxonomy.attributes.get(span.attribute or "")
    behind = [w for f in attribute.forms.values() for w in f.behind] if attribute else []
    return words.lower() in behind  # a form without its own article


def confirm(spans: Sequence[Span], index: int | None = None) -> list[Span]:
    """The span, or all that are marked, as the seller's word; the same claim in the other text with it."""
    chosen = None if index is None else (spans[index].attribute, spans[index].value)
    return [
        s.model_copy(update={"status": "seller"})
        if s.status == "check" and (chosen is None or (s.attribute, s.value) == chosen)
        else s
        for s in spans
    ]


def again(draft: Draft, claims: Sequence[Claim]) -> Draft | None:
    """The draft rendered from other claims, in its tone and above its note; None where its text was not rendered."""
    taxonomy, known = load_taxonomy(), said(draft)
    own, blank, note = draft.description.partition("\n\n")
    tone = next((t for t in TONES if own == render(known, taxonomy, key=draft.id, tone=t).description), None)
    if tone is None:
        return None
    text = render(claims, taxonomy, key=draft.id, tone=tone)
    update = {"title": text.title, "description": text.description + blank + note, "spans": text.spans}
    return draft.model_copy(update=update)


def remove(draft: Draft, index: int) -> Draft:
    """The draft without what a span claims: rendered again, or without the sentence where a model wrote it.

    The seller's note, the paragraph behind the description, stays as it is.
    """
    gone = (draft.spans[index].attribute, draft.spans[index].value)
    kept = [c for c in said(draft) if (c.attribute, c.value) != gone]
    left = again(draft, kept) or _without(draft, gone, kept)
    return left.model_copy(update={"details": [d for d in draft.details if ("detail", d.phrase) != gone]})


def _without(draft: Draft, gone: tuple[str | None, str], kept: Sequence[Claim]) -> Draft:
    """The draft without the sentences that say what is gone, in place of an empty text a rendered one."""
    taxonomy = load_taxonomy()
    own, blank, note = draft.description.partition("\n\n")
    text = render(kept, taxonomy, key=draft.id)
    at = [s.start for s in draft.spans if s.field == "description" and (s.attribute, s.value) == gone]
    left = [own[a:b] for a, b in split(own) if not any(a <= start < b for start in at)]
    description = "".join(left).strip() or text.description
    in_title = any(s.field == "title" and (s.attribute, s.value) == gone for s in draft.spans)
    title = text.title if in_title else draft.title
    marks = find_spans({"title": title, "description": description}, kept, taxonomy)
    return draft.model_copy(update={"title": title, "description": description + blank + note, "spans": marks})


def add(draft: Draft, claim: Claim) -> Draft:
    """The draft whose description says one more thing, in a sentence of its own: behind the others, before a closing
    line and the note; as it is where there are no words for it, or the text has them."""
    taxonomy = load_taxonomy()
    named = [c for c in said(draft) if c.attribute in (NAME, "category")]
    sentence, marks = sentences_of(named, [claim], taxonomy) if named else ("", [])
    own, blank, note = draft.description.partition("\n\n")
    if not sentence or claim.value in load_details().named(own):
        return draft
    at = len(own)
    for start, end in reversed(split(own)):
        if own[start:end].strip() not in CLOSERS:
            break
        at = start
    before = own[:at].rstrip()
    before += "." if before[-1:].isalnum() else ""
    start = len(before) + 1 if before else 0
    text = " ".join(part for part in (before, sentence, own[at:].strip()) if part)
    marks = [s.model_copy(update={"start": s.start + start, "end": s.end + start}) for s in marks]
    return draft.model_copy(update={"description": text + blank + note, "spans": [*draft.spans, *marks]})


def said(draft: Draft) -> list[Claim]:
    """The claims that a draft's spans make, and its category."""
    blend = blend_of(draft.attribute("material"))
    noted = read_note(draft.description.partition("\n\n")[2]).facts
    claims = [_claim(span, noted, blend if span.attribute == "material" else "") for span in draft.spans]
    category = draft.category.value
    if category and not any(c.attribute == "category" for c in claims):
        claims.insert(0, Claim("category", category, confidence=draft.category.confidence))
    return list(_first_of_each(claims))


def _first_of_each(claims: Iterable[Claim]) -> Iterable[Claim]:
    return {(c.attribute, c.value): c for c in claims}.values()


def _claim(span: Span, noted: Mapping[str, str], blend: str) -> Claim:
    name, others = span.attribute or "", tuple(span.alternatives)
    read = span.status == "certain" and name in ("size", "material")  # nothing else makes these certain
    told = span.status == "seller" and noted.get(name) == span.value
    return Claim(name, span.value, span.status, span.confidence, others, read, blend if read else "", told)
