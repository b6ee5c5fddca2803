"""The eyes: what each source says of the photos, as one category and one reading per attribute."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from PIL import Image

from listing import prompts
from listing.backends.base import Backend, ChoiceQuestion
from listing.evidence.colour import PixelView, pixel_view
from listing.evidence.colour_network import ColourNetwork
from listing.evidence.eyes import Eyes, Sight
from listing.evidence.neighbours import Neighbours, NeighbourSearch
from listing.evidence.photo_roles import Role, photo_role
from listing.facts import questions, verify
from listing.facts.category_router import Router
from listing.facts.ensemble import Calibration, Distribution, best, certainty, damped, mean_of, over_photos
from listing.facts.item_form import Said, category_of
from listing.facts.printed_facts import Pages
from listing.facts.questions import Reading
from listing.request import DraftRequest, Photo
from listing.schema import AttributeValue, Candidate, Category, Detail, Evidence, Flag
from listing.taxonomy import CategoryNode, Taxonomy

ITEM_TYPE = "item_type"
SURE_TOWERS = 0.85  # probability of a category from which on the model's vote no longer changes it
# Two photos show two things where each has a category of this probability and the two distributions overlap so little
# (Bhattacharyya). Of two pieces of one kind by one validation sender .009 do, of two kinds .7.
LEAST_KIND, ALIKE = 0.4, 0.35
MIN_DETAIL = 0.55  # calibrated probability from which on a detail is said
MIN_SIGN, SURE_SIGN = 0.65, 0.85  # of wear: from when on it is said, and said without a mark
SURE_SHARE = 0.6  # of the object's pixels, for a colour that nothing else speaks of
_MIN_TRUST = 0.05  # a photo never counts for nothing: it may be the only one


@dataclass(frozen=True)
class Look:
    """The category, and per photo: what the towers say, how well it shows the item, what the eyes saw, and its role.

    trust: 0..1; 0 for a label or a photo without an item, unless there is no other. said: the form that the model
    filled in. answered: whether anything says what it is, be it "something else".
    """

    category: Category
    classifier: Sequence[Mapping[str, Distribution]]
    trust: Sequence[float]
    flags: Sequence[Flag] = field(default_factory=list)
    sights: Sequence[Sight] = ()
    said: Said | None = None
    roles: Sequence[Role] = ()
    answered: bool = True

    def shown(self, photos: Sequence[Photo]) -> list[Photo]:
        """The photos that show the item."""
        return [photo for photo, share in zip(photos, self.trust, strict=True) if share > 0]

    def labels(self) -> set[int]:
        """Numbers of the photos that show a label."""
        return {i for i, role in enumerate(self.roles) if role == "label"}


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
    calibration: Calibration,
    pages: Pages,
    eyes: Eyes | None = None,
    said: Said | None = None,
) -> Look:
    """Ask for the category: the towers, and the model where they are not sure; the seller's choice is taken as it is.

    said: the form that the model has filled in; without one it is asked here.
    """
    if said is not None:
        return _filled_in(request, said, similar, calibration, taxonomy, eyes)
    heads, sights, roles = [], [], []
    for i, photo in enumerate(request.photos):
        sight = _sight(photo, eyes, taxonomy)
        own = backend.opinions(photo.image)
        # Beside a model without a tower of its own the eyes' answers would outweigh it: no calibration knows them.
        heads.append(mean_of(own, sight.opinions) if own else own)
        sights.append(sight)
        known = heads[-1].get("label") or sight.opinions.get("label", {})
        found = eyes is None or sight.mask is not None
        roles.append(photo_role(known, found, partial(pages.of, i), partial(router.range_of, photo.image)))
    if "item" not in roles and request.category is None:
        nothing = Category(value=None, confidence=0.0, in_range=False)
        return Look(nothing, heads, [0.0] * len(heads), no_item(roles), sights, roles=roles)
    counted = [i for i, role in enumerate(roles) if role == "item"] or list(range(len(roles)))
    photos = [request.photos[i] for i in counted]
    labels = [heads[i]["label"] for i in counted if "label" in heads[i]]
    shares, opinions = _sources(photos, labels, backend, taxonomy)
    answered = any(opinions.values())
    near = _near(request, photos, similar)
    weights = None
    if "classifier" in opinions:
        opinions["neighbours"] = dict(near.categories)
    else:  # how good past listings are beside this model is what its own calibration says
        weights = calibration.of("category").weights or {"mllm": 1.0}
        if weights.get("neighbours"):
            opinions["neighbours"] = damped(near.categories, taxonomy.tuned(), len(near.neighbours))
    if taxonomy.tuned():
        category = router.decide([photo.image for photo in photos], opinions, weights)
    else:  # a taxonomy of somebody's own, of which the towers know nothing
        said = Said(categories=opinions["mllm"])
        category = category_of(said, near.categories, len(near.neighbours), calibration, taxonomy)
    flags = [*_remarks(category, taxonomy), *different_items(labels, taxonomy)]
    if request.category is not None:
        category, flags = chosen(request.category, category), []
    trust = [0.0] * len(heads)
    for i, share in zip(counted, shares, strict=True):
        trust[i] = share
    flags += no_item(roles) if "item" in roles else []
    return Look(category, heads, trust, flags, sights, roles=roles, answered=answered)


def _sight(photo: Photo, eyes: Eyes | None, taxonomy: Taxonomy) -> Sight:
    """What the eyes see on a photo; by a taxonomy without their things, only where the item is."""
    if eyes is None:
        return Sight()
    sight = eyes.look(photo.image)
    return sight if taxonomy.tuned() else Sight(sight.mask)


def _sources(
    photos: Sequence[Photo], labels: Sequence[Distribution], backend: Backend, taxonomy: Taxonomy
) -> tuple[list[float], dict[str, Distribution]]:
    """(how well each photo shows the item, what towers and model say of the category): the model if they are unsure.

    labels: the towers' answer of each photo, or fewer where there is no tower.
    """
    opinions: dict[str, Distribution] = {}
    shares: list[float] = []
    if len(labels) == len(photos):
        shares = [max(_MIN_TRUST, certainty(view)) for view in labels]
        opinions["classifier"] = over_photos(labels, shares)
        if best(opinions["classifier"])[1] >= SURE_TOWERS:
            return shares, opinions
    question, names = category_question(taxonomy)
    answers = [backend.score(photo.image, [question]).get("category", {}) for photo in photos]
    mllm = [{names[words]: p for words, p in answer.items()} for answer in answers]
    shares = shares or [max(_MIN_TRUST, certainty(view)) for view in mllm]
    spoken = [i for i, view in enumerate(mllm) if view]
    opinions["mllm"] = over_photos([mllm[i] for i in spoken], [shares[i] for i in spoken])
    return shares, opinions


def _near(request: DraftRequest, photos: Sequence[Photo], similar: NeighbourSearch | None) -> Neighbours:
    """Past listings that look like the item, where they can matter to the category."""
    if similar is None or request.category is not None:
        return Neighbours()
    return similar.find(photos, category=None, seller_id=request.seller_id)


def _filled_in(
    request: DraftRequest,
    said: Said,
    similar: NeighbourSearch | None,
    calibration: Calibration,
    taxonomy: Taxonomy,
    eyes: Eyes | None,
) -> Look:
    """The category by the form that the model filled in."""
    wanted = eyes if said.details is None else None
    sights = [_sight(photo, wanted, taxonomy) for photo in request.photos]
    # Which photo shows the item best was not asked; the first is the cover.
    trust = [1.0, *[_MIN_TRUST] * (len(request.photos) - 1)]
    if request.category is not None:
        return Look(chosen(request.category, Category(value=None, confidence=0.0)), [], trust, [], sights, said)
    near = _near(request, request.photos, similar)
    category = category_of(said, near.categories, len(near.neighbours), calibration, taxonomy)
    flags = [] if category.value else _remarks(category, taxonomy)
    return Look(category, [], trust, flags, sights, said)


def no_item(roles: Sequence[Role]) -> list[Flag]:
    """A remark on photos that show no item: to be asked about, because a guess would help nobody."""
    empty = [i + 1 for i, role in enumerate(roles) if role == "nothing"]
    where = "photo" if len(roles) == 1 else "photos"
    if "item" in roles:
        if not empty:
            return []
        numbers = " and ".join(map(str, empty))
        message = f"I recognise nothing in photo {numbers}: replace it, or leave it if buyers should see it."
    elif "label" in roles:
        message = f"I see only a label in the {where}: add a photo of the whole item, or choose what it is."
    else:
        message = f"I do not recognise what is in the {where}: choose what it is, or add another photo."
    return [Flag(code="no-item", message=message, field="photos")]


def different_items(labels: Sequence[Distribution], taxonomy: Taxonomy) -> list[Flag]:
    """A remark when two photos seem to show two kinds of things; ``labels``: what each shows, by the towers."""
    for i, first in enumerate(labels):
        for second in labels[i + 1 :]:
            (one, p), (other, q) = best(first), best(second)
            alike = sum(math.sqrt(share * second.get(name, 0.0)) for name, share in first.items())
            known = one in taxonomy.categories and other in taxonomy.categories
            if min(p, q) >= LEAST_KIND and alike < ALIKE and one != other and known:
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
    if taxonomy.tuned() and not taxonomy.categories[category.value].tuned:
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
    """One reading per visible attribute of which something speaks.

    A category that questions were not tuned on is judged by the pixels alone, unless the model has filled in a form.
    """
    if seen.said is None and not node.tuned and taxonomy.tuned():
        return []
    others: dict[str, dict[str, Distribution]] = {}
    for attribute in questions.visible(node, taxonomy):
        others[attribute.name] = {}
        if shares := [view for view in (questions.pixel_shares(p, attribute.name) for p in pixels) if view]:
            others[attribute.name]["pixels"] = questions.within(over_photos(shares, [1.0] * len(shares)), attribute)
        votes = neighbours.votes.get(attribute.name)
        if votes and not attribute.instance:
            others[attribute.name]["neighbours"] = damped(votes, attribute.answers, len(neighbours.neighbours))
    if seen.said is not None:
        found = []
        for attribute in questions.visible(node, taxonomy):
            if not any(calibration.of(attribute.name).weights.values()):  # not worth hearing
                continue
            sources = others[attribute.name]
            if attribute.name in seen.said.attributes:
                sources["mllm"] = questions.within(seen.said.attributes[attribute.name], attribute)
            if reading := questions.weigh(attribute, sources, calibration):
                found.append(replace(reading, photo=0 if len(request.photos) == 1 else None))
        return found
    return questions.read(
        request.photos,
        seen.trust,
        node,
        taxonomy,
        backend,
        calibration,
        classifier=seen.classifier,
        # Others were not taught that similar listings may be wrong.
        hints=neighbours.hints() if any(seen.classifier) else {},
        others=others,
    )


def type_shares(seen: Look, category: str, eyes: Eyes) -> dict[str, float]:
    """The specific types that items of the category have, each with its probability; empty where none is seen."""
    known = eyes.types.get(category, ())
    views = [{n: p for n, p in sight.opinions.get(ITEM_TYPE, {}).items() if n in known} for sight in seen.sights]
    kept = [(view, trust) for view, trust in zip(views, seen.trust, strict=True) if trust * sum(view.values()) > 0]
    return over_photos([_normed(view) for view, _ in kept], [trust for _, trust in kept])


def item_type(seen: Look, category: str, eyes: Eyes, calibration: Calibration) -> AttributeValue:
    """The specific type ("jeans"), among those that items of the category have."""
    shares = type_shares(seen, category, eyes)
    if not shares:
        return AttributeValue(name=ITEM_TYPE)
    value, p = best(shares)
    shown = [
        trust * s.opinions.get(ITEM_TYPE, {}).get(value, 0.0) for s, trust in zip(seen.sights, seen.trust, strict=True)
    ]
    photo = max(range(len(shown)), key=lambda i: (shown[i], -i))
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
    if seen.said is not None and seen.said.details is not None:
        return list(seen.said.details)
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
    shown = [(i, sight) for i, sight in enumerate(seen.sights) if seen.trust[i] > 0]
    signs = [(p, cue, photo) for photo, sight in shown for cue, p in sight.condition.items()]
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
