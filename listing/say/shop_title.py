"""A title as a shop's own titles are built: the facts that they name, in their order and words."""

from __future__ import annotations

from collections.abc import Sequence

from listing.say.claims import FIRM, Claim
from listing.say.marks import Marker, capital
from listing.schema import Span
from listing.shops.titles import CATEGORY, TitlePattern
from listing.taxonomy import Taxonomy

_ALWAYS = (CATEGORY, "colour")  # marked where they are unsure: without them it is no title


def shop_title(pattern: TitlePattern, claims: Sequence[Claim], taxonomy: Taxonomy) -> tuple[str, list[Span]] | None:
    """The title and its spans; None where nothing but the category could be named."""
    marker, facts = Marker(), {claim.attribute: claim for claim in reversed(claims)}
    named = [facts[name] for name in pattern.order if name in facts]
    firm = [c for c in named if c.attribute in _ALWAYS or c.status != "check" or c.likelihood >= FIRM]
    if len(firm) < 2 or CATEGORY not in facts:
        return None
    text = " ".join(marker.mark(claim, _words(claim, pattern, taxonomy)) for claim in firm)
    return marker.unmark(capital(text), "title")


def _words(claim: Claim, pattern: TitlePattern, taxonomy: Taxonomy) -> str:
    if claim.attribute != CATEGORY:
        return claim.value
    return pattern.nouns.get(claim.value) or taxonomy.node(claim.value).phrase
