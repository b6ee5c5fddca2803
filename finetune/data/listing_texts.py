"""Listings of one's own as texts to learn: title and description in their words, cut to what the prompt says.

The prompt is the one that serves (``listing.say.compose``), and what a target says has to pass the check that serves
(``checked``). What a photo seldom tells (a brand, a fibre) seldom stands in a prompt, and is then in no target.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, NamedTuple

from finetune.data.tasks import LISTING, Task
from listing.decide.claims import FIBRES, NAME, Claim
from listing.decide.settle import settle
from listing.details import detail_forms, load_details
from listing.lexicon import load_lexicon, plain, words
from listing.request import DraftRequest
from listing.say.marks import capital, listed
from listing.say.model_text import MAX_TITLE, listing_prompt, says_only
from listing.say.render import render
from listing.schema import TextField
from listing.taxonomy import CategoryNode, Taxonomy, load_taxonomy

SPARSE, FEW = 0.3, 3  # share of prompts with so few claims beside the colour
DROP = 0.2  # of the claims of the other prompts
LIKELY = 0.5  # of the claims are stated as likely
LEFT_OUT = 0.15  # of the claims that no text states stay in the prompt: a writer uses what it is given
KIND = ("category", NAME)
READ_ONLY, READ = ("brand", "size", "text"), 0.3  # what only print says, and how many of such claims a prompt has
EXAMPLES = 0.3  # share of prompts with texts of other listings
MIN_TITLE, MIN_WORDS, MAX_WORDS = 2, 4, 40  # words
WORD = re.compile(r"[^\W_][\w'’]*")
SENTENCES = re.compile(r"(?<=[.!?])\s+")
# Words that claim nothing: the frame of a sentence.
FRAME = words("function") | {
    *("a", "an", "as", "at", "both", "by", "have", "in", "is", "it", "its", "of", "on", "or", "pair", "selling"),
    *("side", "sides", "some", "them", "to", "up", "i"),
}
_JOINTS = re.compile(r"(,? (?:with|has|have|featuring|features|made (?:of|from)) |,? and |, )")
_IT = re.compile(r"(?:It|They)$|(?:It|They) (?:has|have)\b")
_VERBS = {"it": "has", "they": "have"}
_PARTICIPLE = re.compile(r"(?:ed|en)$")
_DOUBLE = re.compile(r"\b([\w-]+)(?: \1\b)+", re.I)
_PRIVATE = re.compile(r"^(?:I am selling (?:this|these)|This is an?|These are) ")
_SPEAKS = re.compile(r":|\b(?:this|these|that|it|its|you|your|we|our|is|are|was|will|can)\b", re.I)


class ClaimSpan(NamedTuple):
    """Words of a text that say a claim: characters ``start`` to ``end``."""

    start: int
    end: int
    claim: tuple[str, str]


@dataclass(frozen=True)
class AllowedClaims:
    """Claims that a text may make of an item: its name and (attribute, value) pairs."""

    name: str
    node: CategoryNode
    claims: frozenset[tuple[str, str]]


def listing_task(listing: Mapping[str, Any], taxonomy: Taxonomy, rng: Random, others: list[str]) -> Task | None:
    """The prompt of some of a listing's claims, and its texts as far as they say these; None: nothing is left.

    others: texts of the listings before it, which some prompts show; its own and the renderer's are added, so that the
    model learns to keep to the seller's words whatever it is shown.
    """
    node = taxonomy.categories[listing["category"]]
    sentences = _about(listing["description"], node)
    claims = _drawn(_claims(listing, sentences, node, taxonomy), rng)
    item = settle(claims, taxonomy)
    allowed = AllowedClaims(
        item.noun, node, frozenset((c.attribute, c.value) for c in [*item.facts.values(), *item.details])
    )
    title, description = claimed_part(listing["title"], allowed), _description(sentences, allowed)
    rendered = render(claims, taxonomy)
    if len(description.split()) < MIN_WORDS or plain(description.rstrip(".")) == plain(title):
        description = capital(_PRIVATE.sub("", rendered.description))
    fits = MIN_TITLE <= len(title.split()) <= MAX_TITLE and plain(description.rstrip(".")) != plain(title)
    if not fits or len(_nouns(title, node)) > 1:  # "Men's T-shirt Black T-shirt"
        return None
    texts: dict[TextField, str] = {"title": title, "description": description}
    if not all(says_only(text, name, claims, taxonomy) for name, text in texts.items()):
        return None
    examples = rng.sample(others, min(2, len(others))) if rng.random() < EXAMPLES else []
    stated = {p.claim for text in (title, description) for p in claim_spans(text, allowed)}
    claims = [c for c in claims if c.attribute in KIND or (c.attribute, c.value) in stated or rng.random() < LEFT_OUT]
    sellers_text = f"{listing['title']}. {listing['description']}"
    examples = [text for text in examples if text != sellers_text]  # it would hold the answer
    others += [sellers_text, f"{rendered.title}. {rendered.description}"]
    prompt = listing_prompt(settle(claims, taxonomy), "", examples, DraftRequest(photos=()))
    return Task(LISTING, prompt, f"{title}\n{description}")


def _about(text: str, node: CategoryNode) -> list[str]:
    """The sentences that begin with the item; the others are advice and praise."""

    def begins(sentence: str) -> bool:
        head = _JOINTS.split(sentence)[0]
        return bool(_IT.match(head) or (_nouns(head, node) and not _SPEAKS.search(head)))

    return [s for line in text.splitlines() for s in SENTENCES.split(" ".join(line.split())) if begins(s)]


def _description(sentences: Sequence[str], allowed: AllowedClaims) -> str:
    """Whole sentences, each of which states something new; the item by the name that it has there."""
    out, stated = "", set[tuple[str, str]]()
    for whole in sentences:
        names = _nouns(_JOINTS.split(whole)[0], allowed.node)
        here = replace(allowed, name=max(names, key=len, default=allowed.name))
        sentence = claimed_part(whole, here)
        claims = {p.claim for p in claim_spans(sentence, here)} - {(NAME, here.name)}
        if claims - stated and (out or not _IT.match(sentence)) and len(f"{out} {sentence}".split()) <= MAX_WORDS:
            out, stated = f"{out} {sentence}.".strip(), stated | claims
    return out


def _claims(
    listing: Mapping[str, Any], sentences: Sequence[str], node: CategoryNode, taxonomy: Taxonomy
) -> list[Claim]:
    """All that the listing states and a text may say."""
    attributes = listing.get("attributes") or {}
    spoken = [a for a in taxonomy.in_text() if a.name in node.attributes and attributes.get(a.name)]
    allowed = [a for a in spoken if not a.values or attributes[a.name] in {*a.values} - {*FIBRES, *a.unspoken}]
    facts = [Claim(a.name, str(attributes[a.name])[:60]) for a in allowed]
    details = [d for d in load_details().read(". ".join(sentences)) if detail_forms()[d].fits(node)]
    name = max(_nouns(listing["title"], node), key=len, default=node.phrase)
    kind = [] if name == node.phrase else [Claim(NAME, name)]
    return [Claim("category", node.name), *kind, *facts, *(Claim("detail", d) for d in details)]


def _nouns(text: str, node: CategoryNode) -> list[str]:
    """The words of a text that name an item of this kind."""
    nouns = load_lexicon(load_taxonomy()).nouns
    matches = [m[0] for m in load_lexicon(load_taxonomy()).noun_words.finditer(text.lower())]
    return [w for w in matches if node.name in (nouns.get(plain(w)) or nouns.get(plain(w).removesuffix("s")) or ())]


def _drawn(claims: Sequence[Claim], rng: Random) -> list[Claim]:
    """As sparse and as sure as the claims of a photo are."""
    named = [c for c in claims if c.attribute in KIND]
    rest = [c for c in claims if c not in named and (c.attribute not in READ_ONLY or rng.random() < READ)]
    colour = [c for c in rest if c.attribute == "colour" and rng.random() > DROP / 2]
    rest = [c for c in rest if c.attribute != "colour" and rng.random() > DROP]
    if rng.random() < SPARSE:
        rest = rng.sample(rest, min(FEW, len(rest)))
    return [*named, *(replace(c, status="check" if rng.random() < LIKELY else "certain") for c in [*colour, *rest])]


def claimed_part(text: str, allowed: AllowedClaims) -> str:
    """A sentence of a catalogue, words before a noun and a list behind it, without what no claim covers.

    Words go from before the noun, items from the list. "" where it does not begin with the item.
    """
    head, *rest = _JOINTS.split(text.strip(" .!-*"))
    out = head if _IT.match(head) else _without(head, allowed)
    if not _IT.match(out) and (_SPEAKS.search(out) or not any(p.claim[0] == NAME for p in claim_spans(out, allowed))):
        return ""
    items, opener = [], ""
    for joint, item in zip(rest[::2], rest[1::2], strict=True):
        opener = joint if joint.strip(" ,") not in ("", "and") else opener
        if "made" not in opener and not opener.strip(" ,").startswith("and") and _is_item(item, allowed):
            items.append(item.strip())
    if items:
        out += f" {_VERBS.get(out.lower(), 'with')} {listed(items)}"
    return capital(_DOUBLE.sub(r"\1", _in_taxonomy_colours(out, allowed)))


def _is_item(item: str, allowed: AllowedClaims) -> bool:
    """True where claims cover all of a list's item, and it ends in a noun: in no colour, and in no bare participle."""
    spans = claim_spans(item, allowed)
    ends = bool(spans) and spans[-1].claim[0] not in ("colour", "colour2") and not _PARTICIPLE.search(item.strip())
    return ends and not unclaimed_words(item, allowed) and not _SPEAKS.search(item)


def _in_taxonomy_colours(text: str, allowed: AllowedClaims) -> str:
    """A shade in the taxonomy's words, as the prompt says it; large where it was."""
    for span in reversed(claim_spans(text, allowed)):
        words, (attribute, value) = text[span.start : span.end], span.claim
        if attribute in ("colour", "colour2") and plain(words) not in (plain(value), f"{value} blue"):
            colour = value.replace("-", " ")
            text = text[: span.start] + (colour.title() if words.istitle() else colour) + text[span.end :]
    return text


def _without(words: str, allowed: AllowedClaims) -> str:
    """Without foreign words, and without what only joined them to others."""
    gone = {m.start() for m in unclaimed_words(words, allowed)}
    tokens = [m for m in re.finditer(r"\S+", words) if not any(m.start() <= at < m.end() for at in gone)]
    out: list[str] = []
    for token, follows in zip(tokens, [*tokens[1:], None], strict=False):
        joins = follows is not None and words[token.end() : follows.start()].isspace() and (out or not token.start())
        if joins or ((word := WORD.search(token[0].lower())) and word[0] not in FRAME):
            out.append(token[0])
    return " ".join(out).strip(" ,&-")


def claim_spans(text: str, allowed: AllowedClaims) -> list[ClaimSpan]:
    """Spans that state a claim of ``allowed`` or name the item, without overlaps, the longest first."""
    lexicon, low = load_lexicon(load_taxonomy()), text.lower()
    matches: list[tuple[re.Match[str], tuple[str, str]]] = []
    for match in lexicon.phrases.finditer(low):
        for attribute, values in lexicon.meaning(match[0]).items():
            names = ("colour", "colour2") if attribute == "colour" else (attribute,)
            matches += [(match, (n, v)) for n in names for v in values if (n, v) in allowed.claims]
    for attribute, value in allowed.claims:
        if attribute == "detail":
            matches += [(m, (attribute, value)) for m in load_details().patterns[value].finditer(low)]
        elif attribute in ("text", "brand"):
            matches += [(m, (attribute, value)) for m in re.finditer(rf"\W?{re.escape(value.lower())}\W?", low)]
    name = re.escape(plain(allowed.name)).replace(r"\ ", r"[\s-]")
    matches += [(m, (NAME, allowed.name)) for m in re.finditer(rf"\b{name}\b", low)]
    every = [ClaimSpan(_edge(text, m.start(), -1), _edge(text, m.end(), 1), claim) for m, claim in matches]
    chosen: list[ClaimSpan] = []
    for span in sorted(every, key=lambda p: (p.start - p.end, *p)):
        if all(span.end <= other.start or other.end <= span.start for other in chosen):
            chosen.append(span)
    return sorted(chosen)


def _edge(text: str, at: int, step: int) -> int:
    """The next boundary of a word from ``at`` on, so that no claim is half a word."""
    while 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum():
        at += step
    return at


def unclaimed_words(text: str, allowed: AllowedClaims) -> list[re.Match[str]]:
    """The words of meaning in a text that no claim of ``known`` covers."""
    spans, meant = claim_spans(text, allowed), [m for m in WORD.finditer(text) if m[0].lower() not in FRAME]
    return [m for m in meant if not any(p.start < m.end() and m.start() < p.end for p in spans)]
