"""The claims that our own text may make, by the facts: attributes, details and the item's name, each with a status.

``certain``: at least as probable as its threshold, or read from print or a label. ``check``: likelier than not, and
for the seller to look at. ``seller``: their own word. What is less likely than not is left out; only a colour and a
name are always said, because a listing without them is none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

from listing.calibration import GENERAL, Calibration
from listing.decide.attributes import OF_TWO_COLOURS
from listing.decide.category import SURE_KIND
from listing.decide.colour_words import colour_words, members
from listing.decide.policies import SELLER_ONLY, policy
from listing.decide.views import Distribution, normalised
from listing.details import detail_forms, is_dull, load_details, rate
from listing.lexicon import Lexicon, english, load_lexicon
from listing.safety.injection import instruction_like
from listing.schema import DETAIL, AttributeValue, Category, Detail, Draft, Offer, Source, Span, SpanStatus
from listing.taxonomy import Attribute, CategoryNode, Taxonomy

LIKELY = 0.5  # the least probability at which something is said
LIKELY_LINES = 0.35  # of either colour of stripes and checks, which all have one: as soon as one is suggested
LIKELY_NECK = 0.6  # of necklines below it six of 17 were right
# Of things that no mask was trained on these are the ground's colours as often, or what glass and metal mirror.
_OF_THE_GROUND = frozenset({"white", "grey", "silver", "cream", "light grey", "pale blue", "grey-blue", "taupe"})
SURE_WORD = 0.9  # the least probability of both colours at which the word between them is said without a mark
LIKELY_DETAIL = 0.6  # of details below it 25 of 66 were wrong: they are offered
RARE = 0.1  # share of such items that have a detail which is rare
FIRM = 0.7  # a marked word of a title is at least so likely, unless the title would be too short without it
SURE = 0.75  # the least probability at which it is said without a mark, where no threshold is calibrated
READ = 0.95  # score of print that is taken for what it says, words or not
MAX_VALUE_LENGTH = 60  # characters
MAX_FACT_LENGTH = 80  # most characters that a seller writes of a fact
NAME = "item_type"
FIBRES = frozenset({"cotton", "linen", "wool", "synthetic"})  # no photo shows them: asked, and said once a label does
_LABEL = re.compile(  # no print
    r".*\bmade in\b.*|.*\bsize|(?:size|colou?r|style|article|range|price|cotton|polyester)\b.*", re.I
)


@dataclass(frozen=True)
class Claim:
    """One statement that a text may make. ``attribute``: an attribute's name, ``category`` or ``detail``."""

    attribute: str
    value: str
    status: SpanStatus = "certain"
    confidence: float | None = None
    alternatives: tuple[str, ...] = ()
    from_print: bool = False  # it stands in print or on a label
    blend: str = ""  # of a material: its shares, as the label states them
    in_sellers_note: bool = False  # the seller's note, which stands below the text, says it
    written_as: SpanStatus | None = None  # what it was before the seller confirmed it, which moves no word

    @property
    def likelihood(self) -> float:
        """For comparing claims: what is certain without a probability counts as 1."""
        return 1.0 if self.confidence is None or self.status == "seller" else self.confidence

    @property
    def place_status(self) -> SpanStatus:
        """The status by which its words find their place."""
        return self.written_as or self.status

    @property
    def place_likelihood(self) -> float:
        """The likelihood by which they do."""
        return replace(self, status=self.place_status).likelihood


def claims_of(
    category: Category,
    facts: Sequence[AttributeValue],
    details: Sequence[Detail],
    taxonomy: Taxonomy,
    calibration: Calibration,
    *,
    category_chosen: bool = False,
    colours: Distribution | None = None,
) -> list[Claim]:
    """Everything that may be said of an item; no claim names a category where none is decided.

    colours: how likely each main colour is, for a text of our own: a colour that is not sure is said by its family's
    word, or not at all, and no guess that tells a buyer little.
    """
    claims: list[Claim] = []
    if category.value is not None:
        least = _sure_category(category.value, taxonomy, calibration)
        own = colours is not None and GENERAL not in calibration.of("category").weights
        sure = category.confidence >= (max(SURE_KIND, least) if own else least)
        others = tuple(c.value for c in category.candidates if c.value != category.value)
        status: SpanStatus = "seller" if category_chosen else "certain" if sure else "check"
        claims.append(Claim("category", category.value, status, category.confidence, others))
    lined = any(f.name == "pattern" and (f.value or f.suggestion) in OF_TWO_COLOURS for f in facts)
    spoken = {NAME, *(a.name for a in taxonomy.in_text()), *SELLER_ONLY}
    if lined and colours:  # beside the colour of the lines
        second = next((f.value or f.suggestion for f in facts if f.name == "colour2"), None)
        colours = normalised({c: p for c, p in colours.items() if c != second})
    for fact in facts:
        if fact.name in spoken:
            least = LIKELY_LINES if fact.name in ("colour", "colour2") and lined else LIKELY
            said = _of_fact(fact, taxonomy, least)
            claims += _in_a_word(said, colours) if fact.name == "colour" and colours else said
    for detail in details:
        if detail.confidence >= LIKELY:
            measured = detail.phrase in load_details().patterns  # a model's own words were measured by nobody
            status = "certain" if measured and detail.confidence >= SURE else "check"
            claims.append(Claim("detail", detail.phrase, status, detail.confidence))
    if colours is None:
        return claims
    node = taxonomy.node(category.value)
    likeliest = category.candidates[0].value if category.candidates else None
    if not (node.tuned or taxonomy.node(likeliest).tuned):
        claims = [c for c in claims if c.status == "seller" or c.from_print or not _of_the_ground(c)]
    guessed = any(c.attribute == "category" and c.status == "check" for c in claims)
    claims = [
        replace(c, status="check") if guessed and c.attribute == NAME and c.status == "certain" else c for c in claims
    ]
    return [c for c in claims if not _idle_guess(c, node)]


def _of_the_ground(claim: Claim) -> bool:
    """True if a colour may as well be the ground's, of a thing that no mask was trained on."""
    unsure = claim.attribute in ("colour", "colour2") and claim.likelihood < LIKELY
    return unsure or claim.value in _OF_THE_GROUND


def _idle_guess(claim: Claim, node: CategoryNode) -> bool:
    """True if a guess is oftener wrong than it tells a buyer something: wear, for whom it is, what hardly shows.

    Of 24 rare details of less than .7 nine were right: they are offered.
    """
    if claim.status != "check":
        return False
    least = {"material": FIRM, "pattern": FIRM, "neckline": LIKELY_NECK, "condition": 1.1}.get(claim.attribute, 0.0)
    if claim.attribute == "detail":
        least = FIRM if is_dull(claim.value) or rate(claim.value, node) < RARE else LIKELY_DETAIL
    return claim.likelihood < least or claim.value in ("women", "men")


def _in_a_word(said: Sequence[Claim], colours: Distribution) -> list[Claim]:
    """The claims of a main colour in the words that say it; of two of which neither leads, of both."""
    if not said or said[0].status == "seller" or said[0].from_print:
        return [*said]
    words = colour_words(colours)
    claims = []
    for name, (word, p) in zip(("colour", "colour2"), words, strict=False):
        sure = (said[0].status == "certain" and word == said[0].value) or (bool(members(word)) and p >= SURE_WORD)
        others = sorted(members(word) or {*said[0].alternatives} - {word}, key=lambda c: (-colours.get(c, 0.0), c))
        claims.append(Claim(name, word, "certain" if sure and len(words) == 1 else "check", p, tuple(others)))
    return claims


def _sure_category(name: str, taxonomy: Taxonomy, calibration: Calibration) -> float:
    """The probability from which a category is stated without a mark.

    The threshold was measured on what the towers or a shop's heads were trained on. Of other items one with a
    probability of .5 is right in half of the cases.
    """
    question = calibration.of("category")
    measured = taxonomy.node(name).tuned or GENERAL in question.weights or not taxonomy.tuned()
    return question.threshold if measured else max(question.threshold, SURE)


def is_words(printed: str, lexicon: Lexicon) -> bool:
    """True if print is made of words or is a brand: other readings are often wrong by a letter ("OUBLE").

    Of 194 readings that leaves 97, 92 of them right (``benchmarks.drafts.print_words``); with the lexicon's own words
    alone 26, 25 right.
    """
    return bool(lexicon.brands.fullmatch(printed.strip())) or all(_ordinary(printed, lexicon))


def is_legible(text: Claim, lexicon: Lexicon) -> bool:
    """True if print may head a listing: it was read surely, or half of its words are words."""
    ordinary = _ordinary(text.value, lexicon)
    return bool(ordinary) and (text.likelihood >= READ or 2 * sum(ordinary) >= len(ordinary))


def _ordinary(printed: str, lexicon: Lexicon) -> list[bool]:
    """For each word of two and more letters, true if it is English or one of descriptions."""
    words = [word.lower() for word in re.findall(r"[^\W\d_]+", printed) if len(word) > 1]
    return [w in english() or w in lexicon.common or w in lexicon.nouns or bool(lexicon.meaning(w)) for w in words]


def _of_fact(fact: AttributeValue, taxonomy: Taxonomy, least: float) -> list[Claim]:
    value = fact.value or fact.suggestion
    attribute = taxonomy.attributes[fact.name]
    sources = {evidence.source for evidence in fact.evidence}
    if value is None or value in attribute.unspoken or _not_to_say(fact.name, value, sources):
        return []
    values = value.split(", ") if attribute.many else [" ".join(value.replace('"', " ").split())[:MAX_VALUE_LENGTH]]
    seller_values, read = _seller_values(fact, values, many=attribute.many), "ocr" in sources
    if not (seller_values or read or _is_likely(fact, least)):
        return []
    claim = Claim(
        fact.name,
        value,
        "certain" if _is_certain(fact, attribute, taxonomy, read=read) else "check",
        fact.confidence,
        tuple(fact.alternatives),
        read and not seller_values,
        blend_of(fact),
    )
    sellers_claim = replace(claim, status="seller", in_sellers_note=not fact.locked)
    return [replace(sellers_claim if each in seller_values else claim, value=each) for each in values]


def _seller_values(fact: AttributeValue, values: Sequence[str], *, many: bool) -> set[str]:
    """Those of a fact's values that are the seller's word."""
    texts = [e.text or fact.value or fact.suggestion or "" for e in fact.evidence if e.source == "seller"]
    if fact.locked or (texts and not many):
        return {*values}
    return {each for text in texts for each in text.split(", ")}


def _is_likely(fact: AttributeValue, least: float) -> bool:
    return fact.confidence is None or fact.confidence >= least or policy(fact.name).needed


def _not_to_say(name: str, value: str, sources: set[Source]) -> bool:
    """True if it is no print but a label or an order, or a fibre that only a photo speaks of."""
    if name == "text" and (instruction_like(value) or _LABEL.fullmatch(value.strip())):
        return True
    return value in FIBRES and not sources & {"ocr", "seller"}


def _is_certain(fact: AttributeValue, attribute: Attribute, taxonomy: Taxonomy, *, read: bool) -> bool:
    """True if a text says it without a mark; print where it is made of words."""
    if fact.value is None:
        return False
    if read:
        return fact.name != "text" or is_words(fact.value, load_lexicon(taxonomy))
    return fact.value not in attribute.unsettled  # drafts of older versions state these, too


def blend_of(fact: AttributeValue | None) -> str:
    """The shares of a material that was read ("80 % cotton, 20 % polyester"); "" of anything else."""
    if fact is None or fact.name != "material" or fact.locked:
        return ""
    return next((e.text for e in fact.evidence if e.source == "ocr" and e.text and "%" in e.text), "")


def with_stated(facts: Sequence[AttributeValue], spans: Sequence[Span], taxonomy: Taxonomy) -> list[AttributeValue]:
    """The facts, those among them stated that the texts state plainly: text, list and published facts say the same."""
    plain = {(span.attribute, span.value) for span in spans if span.status == "certain"}
    return [_stated(fact) if _is_plain(fact, plain, taxonomy) else fact for fact in facts]


def _is_plain(fact: AttributeValue, plain: Set[tuple[str | None, str]], taxonomy: Taxonomy) -> bool:
    if fact.status != "unsupported" or fact.suggestion is None or not fact.evidence:
        return False
    return all((fact.name, value) in plain for value in taxonomy.values_in(fact.name, fact.suggestion))


def _stated(fact: AttributeValue) -> AttributeValue:
    return fact.model_copy(update={"value": fact.suggestion, "suggestion": None, "status": "supported"})


def name_of(claim: Span | Offer | Claim) -> str:
    """The name of a claim, which is that of the field that it speaks of: an attribute's, ``category``, or ``detail:``
    and its phrase."""
    return f"{DETAIL}{claim.value}" if claim.attribute == "detail" else claim.attribute or ""


def to_check(draft: Draft | None) -> dict[str, str]:
    """Claims of the texts that the seller has not confirmed: value by name, in the order in which it reads."""
    values: dict[str, list[str]] = {}
    for span in draft.spans if draft is not None else ():
        if span.status == "check" and span.value not in values.setdefault(name_of(span), []):
            values[name_of(span)].append(span.value)
    return {name: ", ".join(several) for name, several in values.items()}


def sayable(attribute: Attribute | None, value: str) -> bool:
    """True if a text says this value, instead of saying nothing about the field."""
    return attribute is None or (value not in attribute.unspoken and value != attribute.absent)


def may_have(node: CategoryNode, claim: Claim) -> bool:
    """True if such an item can have what is claimed: a lamp has no neckline. The seller's word stands."""
    if claim.status == "seller" or claim.attribute in ("category", NAME):
        return True
    if claim.attribute == "detail":
        form = detail_forms().get(claim.value)
        return form is None or form.fits(node, second_colour=True)
    return claim.attribute in node.attributes
