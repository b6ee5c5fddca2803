"""Title and description in the voice of a shop's own texts (``Taxonomy.voice``), filled with an item's facts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from listing.decide.claims import FIRM, LIKELY, Claim
from listing.decide.settle import Item, without
from listing.say.marks import Marker, capital, listed, with_article
from listing.say.phrases import Phrases
from listing.schema import Span
from listing.taxonomy_file import ALL, Voice

CATEGORY = "category"
_SLOT = re.compile(r"\{(\w+)\}")
_OWNERS = frozenset({"has", "have", "with"})  # words before a list of what is on an item
_BESIDE = ("made", "for", "from", "in")  # words before what stands behind the name itself
_OURS = frozenset({"audience", "colour", "colour2", "material", "pattern", "size", "text"})


def shop_title(voice: Voice, item: Item) -> tuple[str, list[Span]] | None:
    """The title and its spans; None where titles are not imitated, or name nothing but the category.

    Every word is likely enough, of a title that would be too short without it likelier than not. Of two likely answers
    that share words ("Casual Shoes" or "Sports Shoes") these are said where neither is sure.
    """
    order, marker = voice.titles.get(item.node.name, voice.titles.get(ALL, ())), Marker()
    facts = {claim.attribute: claim for claim in reversed(item.claims)}
    for least in (FIRM, LIKELY):
        words = {name: _title_words(facts[name], voice, item, least) for name in order if name in facts}
        said = [marker.mark(facts[name], text) for name, text in words.items() if text]
        if len(said) > 1 or (said and least == LIKELY and len(order) > 1):
            return marker.unmark(capital(" ".join(said)), "title")
    return None


def _title_words(claim: Claim, voice: Voice, item: Item, least: float) -> str:
    """What a title says of a claim; "" for what is not likely enough."""
    if claim.attribute == CATEGORY:
        named = [voice.nouns.get(value) or item.kind(value).phrase for value in (claim.value, *claim.alternatives[:1])]
        return (_unsure(claim, least) and _shared(named)) or named[0]
    return claim.value if not _unsure(claim, least) else _shared([claim.value, *claim.alternatives[:1]])


def _unsure(claim: Claim, least: float) -> bool:
    """True if a claim may as well be wrong, whatever its threshold: that is right on average alone."""
    return not claim.from_print and claim.likelihood < least


def _shared(named: Sequence[str]) -> str:
    """The words that both end in."""
    one, *others = (text.split() for text in named)
    count = 0
    while others and count < min(len(one), len(others[0])) and one[-1 - count].lower() == others[0][-1 - count].lower():
        count += 1
    return " ".join(one[len(one) - count :])


def shop_description(voice: Voice, item: Item) -> tuple[str, list[Span], list[Claim]] | None:
    """The sentence, its spans, and the claims that a description must still tell; None where none is imitated."""
    marker, front, behind, has = Marker(), list[str](), list[str](), list[str]()
    phrases = {c: _phrase(c, voice, item) for c in item.facts.values()} if voice.phrases else {}
    told = {claim: phrase for claim, phrase in phrases.items() if phrase}
    for claim, phrase in sorted(told.items(), key=lambda entry: _place(entry[0], voice)):
        words = _SLOT.sub(lambda _, c=claim: marker.mark(c, _spelled(c, voice)), phrase.removesuffix(" {category}"))  # type: ignore[misc]
        words = re.sub(r"^(has|have|with) an? (.+)", lambda m: f"{m[1]} {with_article(m[2])}", words)
        (front if phrase.endswith("{category}") else behind if phrase.startswith(_BESIDE) else has).append(words)
    joint = next((text.partition(" ")[0] for text in has if text.partition(" ")[0] in _OWNERS), "with")
    left = _left(voice, item, phrases)
    ours = Phrases(left, marker).words()
    parts = [*map(_without_joint, has), *(text for _, text in ours.with_phrases)]
    mine = [*ours.shape[:1], *front, *ours.pattern, *filter(None, [ours.sleeve]), *ours.kind]
    owner, bare = item.facts.get("audience"), not (parts or behind or mine)
    if owner and owner not in told and not _unsure(owner, FIRM) and (bare or _titled(owner, voice, item)):
        mine.append(Phrases(item, marker).before("audience"))
    if not (parts or behind or mine):
        return None
    text = " ".join([*mine, marker.mark(item.name, _noun(voice, item)), *behind])
    if parts:
        text += f" with {listed(parts)}" if joint == "with" else f", {'have' if item.plural else 'has'} {listed(parts)}"
    text = " ".join([capital(f"{text}."), *Phrases(left, marker).closing()])
    rest = [c for c in item.claims if c not in marker.named(text) and (c.status == "seller" or c.from_print)]
    rest += [] if voice.new else [c for c in item.wear if c not in rest]
    return *marker.unmark(text, "description"), [c for c in rest if c.attribute != CATEGORY]


def _noun(voice: Voice, item: Item) -> str:
    """What descriptions call the item; of two names in one ("necklace and chains") that of the titles."""
    kind = item.node.name
    called = voice.nouns.get(kind, "").lower() if " and " in item.noun else ""
    return voice.words.get(f"{CATEGORY}={kind}") or called or item.noun


def _phrase(claim: Claim, voice: Voice, item: Item) -> str | None:
    """The shop's phrase for a fact that is likely enough; "" for what it does not tell, None where it has none.

    That of its value, else of its attribute: not where the value is an adjective of its own ("for unisex"), nor before
    the name, where only a colour is sure to fit.
    """
    unsure = _unsure(claim, LIKELY if claim.attribute == "colour" else FIRM)
    if unsure or not _stated(claim, voice, item) or (claim.attribute == "colour2" and claim.status != "seller"):
        return None
    kinds = [voice.phrases.get(item.node.name, {}), voice.phrases.get(ALL, {})]
    of_value, name = f"{claim.attribute}={claim.value}", claim.attribute
    found = next((kind[key] for key in (of_value, name) for kind in kinds if key in kind), None)
    if found is None or any(of_value in kind for kind in kinds) or name == "colour":
        return found
    forms = item.attributes[name].forms.get(claim.value)
    adjective = forms is not None and claim.value.lower() in forms.before
    return None if found and (adjective or found.endswith("{category}")) else found


def _titled(claim: Claim, voice: Voice, item: Item) -> bool:
    return claim.attribute in voice.titles.get(item.node.name, voice.titles.get(ALL, ()))


def _stated(claim: Claim, voice: Voice, item: Item) -> bool:
    stated = voice.stated.get(item.node.name)
    return claim.status == "seller" or stated is None or claim.attribute in stated


def _place(claim: Claim, voice: Voice) -> int:
    order = [*voice.phrases.get(ALL, ())]
    return order.index(claim.attribute) if claim.attribute in order else len(order)


def _without_joint(text: str) -> str:
    first, _, rest = text.partition(" ")
    return rest if first in _OWNERS else text


def _spelled(claim: Claim, voice: Voice) -> str:
    value = claim.value if claim.attribute == "brand" else claim.value.lower()
    return voice.words.get(f"{claim.attribute}={claim.value}", value)


def _left(voice: Voice, item: Item, phrases: Mapping[Claim, str | None]) -> Item:
    """The item with what the shop has no phrase for, though its texts speak of it, to be told in our words."""
    told = {claim for claim, phrase in phrases.items() if phrase is not None and claim.status != "seller"}
    told |= {claim for claim, phrase in phrases.items() if phrase}
    facts = [
        c for n, c in item.facts.items() if c in told or n in _OURS or _unsure(c, FIRM) or not _stated(c, voice, item)
    ]
    spoken = voice.details.get(item.node.name, ())
    details = [c for c in item.details if c.status != "seller" and (c.value not in spoken or _unsure(c, FIRM))]
    return without(item, [*facts, *details])
