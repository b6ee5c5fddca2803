"""The form about one item: what a model that sees all photos is asked at once, and its answers by our names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image

from listing import prompts
from listing.backends.base import Filled, Form, FormBackend, Words
from listing.observe.networks.details import load_details
from listing.decide.pool import Calibration, Distribution, combine, damped
from listing.safety.contacts import scrub
from listing.safety.injection import instruction_like
from listing.schema import Candidate, Category, Detail
from listing.taxonomy import Attribute, Taxonomy

CATEGORY, DETAILS = "category", "details"
MAX_WORDS, MAX_LENGTH = 6, 60
_MIN_CANDIDATE = 0.02  # of a category's probability, to be named


@dataclass(frozen=True)
class Said:
    """What a model says of an item. ``categories``: by name, ``prompts.NO_CATEGORY`` among them.

    attributes: distributions over all answers of closed attributes. words: brand, size, text, type, as the model reads
    or calls them. details: None where it was never taught to name any.
    """

    categories: Distribution = field(default_factory=dict)
    attributes: Mapping[str, Distribution] = field(default_factory=dict)
    words: Mapping[str, Words] = field(default_factory=dict)
    details: Sequence[Detail] | None = None


def item_form(taxonomy: Taxonomy, category: str | None = None) -> Form:
    """The form over the whole tree, or about a thing of the seller's category alone."""
    nodes = [taxonomy.categories[category]] if category else taxonomy.leaves()
    attributes = prompts.form_attributes(nodes, taxonomy)
    closed = [a for a in attributes if a.values]
    choices: dict[str, Sequence[str]] = {a.name: a.answers for a in closed}
    also = {a.name: _other_words(a) for a in closed}
    if category is None:
        leaves = prompts.leaf_answers(taxonomy)
        choices = {CATEGORY: (*leaves.values(), prompts.NO_CATEGORY), **choices}
        also[CATEGORY] = {
            words: leaves[node.name] for node in reversed(nodes) for words in (*node.synonyms, node.phrase, node.name)
        }
    words = [a.name for a in attributes if not a.values]
    return Form(prompts.form(taxonomy, category), choices, also, words, DETAILS)


def _other_words(attribute: Attribute) -> dict[str, str]:
    """What a phrase means, where it means one value alone."""
    meant: dict[str, set[str]] = {}
    for value, phrases in attribute.phrases.items():
        for phrase in phrases if value in attribute.values else ():
            meant.setdefault(phrase, set()).add(value)
    return {phrase: values.pop() for phrase, values in meant.items() if len(values) == 1}


def ask(
    images: Sequence[Image.Image], backend: FormBackend, taxonomy: Taxonomy, category: str | None = None
) -> Said | None:
    """What the model says of the item that all photos show; None where it cannot fill in a form."""
    filled = backend.fill(images, item_form(taxonomy, category))
    return None if filled is None else said(filled, taxonomy)


def said(filled: Filled, taxonomy: Taxonomy) -> Said:
    """A filled form by our names; what holds contact data or orders, or is no short phrase, is left out."""
    names = {words: name for name, words in prompts.leaf_answers(taxonomy).items()}
    categories = {names.get(words, words): p for words, p in filled.choices.get(CATEGORY, {}).items()}
    attributes = {name: shares for name, shares in filled.choices.items() if name != CATEGORY}
    words = {name: w for name, w in filled.words.items() if _usable(w.text)}
    details = None if filled.phrases is None else _details(filled.phrases)
    return Said(categories, attributes, words, details)


def _usable(text: str) -> bool:
    return len(text) <= MAX_LENGTH and text.isprintable() and scrub(text) == text and not instruction_like(text)


def _details(phrases: Iterable[Words]) -> list[Detail]:
    """Our own phrase where one says the same, else the model's."""
    found: dict[str, Detail] = {}
    for phrase in phrases:
        if not _usable(phrase.text) or len(phrase.text.split()) > MAX_WORDS:
            continue
        for name in load_details().read(phrase.text) or [phrase.text.strip(" .").lower()]:
            if name not in found or phrase.sure > found[name].confidence:
                found[name] = Detail(phrase=name, confidence=phrase.sure, photo=phrase.photo)
    return sorted(found.values(), key=lambda d: (-d.confidence, d.phrase))


def category_of(said: Said, votes: Distribution, count: int, calibration: Calibration, taxonomy: Taxonomy) -> Category:
    """The category by the model and, as far as they were measured to be good, the ``votes`` of past listings."""
    opinions = {"mllm": said.categories, "neighbours": damped(votes, said.categories, count)}
    found = combine(opinions, calibration.of(CATEGORY).weights) or dict(said.categories)
    ranked = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
    top, p = ranked[0] if ranked else (prompts.NO_CATEGORY, 0.0)
    known = top in taxonomy.categories
    candidates = [(name, q) for name, q in ranked if name in taxonomy.categories and q >= _MIN_CANDIDATE][:3]
    sources = {}
    for source, opinion in {"mllm": said.categories, "neighbours": votes}.items():
        named = [(-q, name) for name, q in opinion.items() if name in taxonomy.categories]
        if named and (best := min(named))[0] < 0:
            sources[source] = Candidate(value=best[1], confidence=min(1.0, -best[0]))
    return Category(
        value=top if known else None,
        confidence=min(1.0, p) if known else 0.0,
        candidates=[Candidate(value=name, confidence=min(1.0, q)) for name, q in candidates],
        sources=sources,
        in_range=known,
    )
