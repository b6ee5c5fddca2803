"""The eyes: what each source says of the photos, as one category and one reading per attribute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from listing import prompts
from listing.backends.base import Backend, ChoiceQuestion
from listing.evidence.colour import PixelView, pixel_view
from listing.evidence.colour_network import ColourNetwork
from listing.evidence.eyes import Eyes, Sight
from listing.evidence.neighbours import Neighbours, NeighbourSearch
from listing.facts import questions, verify
from listing.facts.category_router import Router
from listing.facts.ensemble import Calibration, Distribution, best, certainty, mean_of, over_photos
from listing.facts.questions import Reading
from listing.request import DraftRequest, Photo
from listing.schema import AttributeValue, Candidate, Category, Detail, Evidence, Flag
from listing.taxonomy import CategoryNode, Taxonomy

ITEM_TYPE = "item_type"
SURE_KIND, DIFFERENT = 0.8, 0.02  # of a photo's category: so likely, and so unlikely, to tell two things apart
MIN_DETAIL = 0.55  # calibrated probability from which on a detail is said
MIN_SIGN, SURE_SIGN = 0.65, 0.85  # of wear: from when on it is said, and said without a mark
SURE_SHARE = 0.6  # of the object's pixels, for a colour that nothing else speaks of
_MIN_TRUST = 0.05  # a photo never counts for nothing: it may be the only one


@dataclass(frozen=True)
class Look:
    """The category, and per photo: what the towers say, how well it shows the item (0..1), and what the eyes saw."""

    category: Category
    classifier: Sequence[Mapping[str, Distribution]]
    trust: Sequence[float]
    flags: Sequence[Flag] = field(default_factory=list)
    sights: Sequence[Sight] = ()


def category_question(taxonomy: Taxonomy) -> tuple[ChoiceQuestion, dict[str, str]]:
    """The closed question and, for each answer, the category that it names."""
    words = prompts.category_answers(taxonomy)
    question = ChoiceQuestion("category", prompts.CATEGORY, tuple(words.values()))
    return question, {answer: name for name, answer in words.items()}


def look(
    request: DraftRequest,
    *,
    backend: Backend,
    router: Router,
    similar: NeighbourSearch | None,
    taxonomy: Taxonomy,
    eyes: Eyes | None = None,
) -> Look:
    """Ask every source for the category; the seller's own choice is taken as it is."""
    question, names = category_question(taxonomy)
    mllm, heads, sights = [], [], []
    for photo in request.photos:
        answer = backend.score(photo.image, [question])["category"]
        mllm.append({names[words]: p for words, p in answer.items()})
        sight = Sight() if eyes is None else eyes.look(photo.image)
        own = backend.opinions(photo.image)
        # Beside a model without a tower of its own the eyes' answers would outweigh it: no calibration knows them.
        heads.append(mean_of(own, sight.opinions) if own else own)
        sights.append(sight)
    labels = [view["label"] for view in heads if "label" in view]
    sure = labels if len(labels) == len(request.photos) else mllm
    trust = [max(_MIN_TRUST, certainty(view)) for view in sure]
    opinions = {"mllm": over_photos(mllm, trust)}
    if len(labels) == len(request.photos):
        opinions["classifier"] = over_photos(labels, trust)
    if similar is not None and request.category is None:
        near = similar.find(request.photos, category=None, seller_id=request.seller_id)
        opinions["neighbours"] = dict(near.categories)
    category = router.decide([photo.image for photo in request.photos], opinions)
    flags = [*_remarks(category, taxonomy), *different_items(labels, taxonomy)]
    if request.category is not None:
        category, flags = chosen(request.category, category), []
    return Look(category, heads, trust, flags, sights)


def different_items(labels: Sequence[Distribution], taxonomy: Taxonomy) -> list[Flag]:
    """A remark when two photos surely show two kinds of things; ``labels``: what each shows, by the towers."""
    for i, first in enumerate(labels):
        for second in labels[i + 1 :]:
            (one, p), (other, q) = best(first), best(second)
            apart = first.get(other, 0.0) <= DIFFERENT and second.get(one, 0.0) <= DIFFERENT
            if min(p, q) >= SURE_KIND and apart and one in taxonomy.categories and other in taxonomy.categories:
                kinds = " and ".join(taxonomy.categories[name].phrase for name in (one, other))
                message = f"The photos seem to show two different things ({kinds}): make a listing for each."
                return [Flag(code="several-items", message=message, field="photos")]
    return []


def chosen(name: str, category: Category) -> Category:
    """The seller's choice stands first; what was seen stays among the candidates."""
    others = [c for c in category.candidates if c.value != name][:2]
    return Category(
        value=name,
        confidence=1.0,
        candidates=[Candidate(value=name, confidence=1.0), *others],
        sources=category.sources,
        in_range=True,
    )


def _remarks(category: Category, taxonomy: Taxonomy) -> list[Flag]:
    if category.value is None:
        message = "I do not know this kind of thing. Choose the nearest category or write the listing yourself."
        return [Flag(code="outside-known", message=message, field="category")]
    if not taxonomy.categories[category.value].tuned:
        message = "I was trained on clothes; for other things I state little. Please check the category."
        return [Flag(code="outside-tuned", message=message, field="category")]
    return []


def readings(
    request: DraftRequest,
    node: CategoryNode,
    seen: Look,
    neighbours: Neighbours,
    pixels: Sequence[PixelView],
    *,
    backend: Backend,
    taxonomy: Taxonomy,
    calibration: Calibration,
) -> list[Reading]:
    """One reading per visible attribute; an untuned category is judged by the pixels alone."""
    if not node.tuned:
        return []
    return questions.read(
        request.photos,
        seen.trust,
        node,
        taxonomy,
        backend,
        calibration,
        classifier=seen.classifier,
        hints=neighbours.hints(),
        neighbours=neighbours.votes,
        pixels=pixels,
    )


def item_type(seen: Look, category: str, eyes: Eyes, calibration: Calibration) -> AttributeValue:
    """The specific type ("jeans"), among those that items of the category have."""
    known = eyes.types.get(category, ())
    views = [{n: p for n, p in sight.opinions.get(ITEM_TYPE, {}).items() if n in known} for sight in seen.sights]
    kept = [(view, trust) for view, trust in zip(views, seen.trust, strict=True) if sum(view.values()) > 0]
    if not kept:
        return AttributeValue(name=ITEM_TYPE)
    shares = over_photos([_normed(view) for view, _ in kept], [trust for _, trust in kept])
    value, p = best(shares)
    photo = max(range(len(views)), key=lambda i: (seen.trust[i] * views[i].get(value, 0.0), -i))
    stated = p >= calibration.of(ITEM_TYPE).threshold
    return AttributeValue(
        name=ITEM_TYPE,
        value=value if stated else None,
        suggestion=None if stated else value,
        status="supported" if stated else "unsupported",
        confidence=p,
        alternatives=verify.alternatives(shares, {value}),
        evidence=[Evidence(source="classifier", photo=photo, text=value, score=p)],
    )


def details(seen: Look) -> list[Detail]:
    """What the photos show beyond the attributes, the likeliest first; one photo that shows it is enough."""
    found: dict[str, Detail] = {}
    for photo, sight in enumerate(seen.sights):
        if seen.trust[photo] < 0.5 * max(seen.trust):
            continue
        for phrase, p in sight.details.items():
            if p >= MIN_DETAIL and (phrase not in found or p > found[phrase].confidence):
                found[phrase] = Detail(phrase=phrase, confidence=p, photo=photo)
    return sorted(found.values(), key=lambda d: (-d.confidence, d.phrase))


def condition(seen: Look) -> AttributeValue | None:
    """The likeliest sign of wear ("creased"), or None where none is likely."""
    signs = [(p, cue, photo) for photo, sight in enumerate(seen.sights) for cue, p in sight.condition.items()]
    p, cue, photo = max(signs, default=(0.0, "", 0))
    if p < MIN_SIGN:
        return None
    evidence = [Evidence(source="classifier", photo=photo, text=cue, score=p)]
    if p >= SURE_SIGN:
        return AttributeValue(name="condition", value=cue, status="supported", confidence=p, evidence=evidence)
    return AttributeValue(name="condition", suggestion=cue, status="unsupported", confidence=p, evidence=evidence)


def _normed(shares: Distribution) -> Distribution:
    total = sum(shares.values())
    return {value: p / total for value, p in shares.items()}


def pixel_views(
    photos: Sequence[Photo], trust: Sequence[float], sights: Sequence[Sight], network: ColourNetwork | None = None
) -> list[PixelView]:
    """Colours of the item, photo by photo; photos that hardly show the item are left out."""
    top = max(trust)
    return [
        colour_view(photo.image, i, sights[i].mask if sights else None, network)
        for i, photo in enumerate(photos)
        if trust[i] >= 0.5 * top
    ]


def colour_view(
    image: Image.Image, photo: int, mask: np.ndarray | None, network: ColourNetwork | None = None
) -> PixelView:
    """The colours of one photo by the network, or by the pixels alone; these alone say what is impossible."""
    view = pixel_view(image, photo, mask)
    if network is None:
        return view
    seen = network.look(image, mask)
    return replace(view, shares=seen.first, second=seen.second)


def pixel_colour(views: Sequence[PixelView]) -> AttributeValue | None:
    """The colour of a thing that the MLLM was not tuned on: what the pixels alone say, or None."""
    if not views:
        return None
    shares = over_photos([view.shares for view in views], [1.0] * len(views))
    if not shares:
        return None
    value, share = best(shares)
    view = max(views, key=lambda v: v.shares.get(value, 0.0))
    evidence = [Evidence(source="pixels", photo=view.photo, box=view.box, text=value, score=share)]
    if share >= SURE_SHARE:
        return AttributeValue(name="colour", value=value, status="supported", confidence=share, evidence=evidence)
    return AttributeValue(name="colour", suggestion=value, status="unsupported", confidence=share, evidence=evidence)
