"""Which category the photos show: a leaf of the tree, a group where no leaf is likely enough, or none.

Two ranges are kept apart where the towers speak. Garments are judged by what was tuned on them (towers, model, past
listings); everything else by the untuned ImageNet head, model and past listings. Where no tower speaks, one pool over
the whole tree decides, and so does where a shop's listings were learned. The seller's choice stands above all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from listing.calibration import GENERAL, Calibration, CategoryRange, log_ratio
from listing.decide.views import Distribution, Views, best, combine, damped, mean, normalised, ranked
from listing.prompts import NO_CATEGORY
from listing.schema import Candidate, Category, Flag
from listing.shops.translation import with_unnamed
from listing.taxonomy import Taxonomy

CANDIDATES = 3
SURE_KIND = 0.8  # least probability of a name; below it the seller is asked what it is before anything else
_LIKELY_KIND = 0.6  # of such garments' names 18 of 25 were right
_SMOOTHING = 0.01  # keeps one source's zero from vetoing what all others say
# Two photos show two items where each has a category of this probability and the two distributions overlap so little
# (Bhattacharyya). Of two pieces of one kind by one validation sender .009 do, of two kinds .7.
_MIN_KIND, _ALIKE = 0.4, 0.35
# Of a shop's kinds with less, one in eleven is right (6 of 67; docs/learn.md): its group is named, or it is asked.
_MIN_NAMED, _MIN_SHOP_GROUP = 0.15, 0.35
_NO_LEAF = 0.02  # probability of what no leaf is for, where every leaf shares in the pool


def decide_category(views: Views, taxonomy: Taxonomy, calibration: Calibration) -> Category:
    """The category by all sources; with the seller's choice first, where there is one."""
    category = _by_sources(views, taxonomy, calibration)
    if printed := views.by("category", "ocr"):
        ((value, p),) = printed[0].probabilities.items()
        if value in taxonomy.categories:
            category = choose(category, value, p)
    choice = views.first("category", "seller")
    return category if choice is None else choose(category, choice)


def choose(category: Category, value: str, p: float = 1.0) -> Category:
    """The category with a choice first, the seller's, which is sure, or that of print."""
    others = [c for c in category.candidates if c.value != value][: CANDIDATES - 1]
    candidates = [Candidate(value=value, confidence=p), *others]
    return category.model_copy(update={"value": value, "confidence": p, "candidates": candidates, "in_range": True})


def _by_sources(views: Views, taxonomy: Taxonomy, calibration: Calibration) -> Category:
    if GENERAL in calibration.of("category").weights:
        return _shop_pool(shop_votes(views, taxonomy, calibration.range), taxonomy, calibration, views.roles)
    votes = _votes(views)
    model = votes.pop("mllm", None) if _whole_tree(views) or not taxonomy.tuned() else None
    if not votes and model is None:
        return _category(None, 0.0, (), {})
    garment = _garment_probability(views, votes, taxonomy, calibration.range)
    pool = _general(votes, garment, views, taxonomy, calibration)
    if model is not None:
        return _beside(pool, model, votes, taxonomy, calibration)
    return _named(pool, votes, garment, calibration.range, taxonomy, roles=views.roles)


def _votes(views: Views) -> dict[str, Distribution]:
    """Each source's distribution over the categories, that of ImageNet among them."""
    imagenet = [v for i, v in views.per_photo("category", "imagenet").items() if i in views.items]
    return {**views.pooled("category"), **({"imagenet": mean(imagenet)} if imagenet else {})}


def _whole_tree(views: Views) -> bool:
    """True of a model that answers over the whole tree, of all photos at once."""
    return any(o.photo is None for o in views.by("category", "mllm"))


def shop_votes(views: Views, taxonomy: Taxonomy, limits: CategoryRange) -> dict[str, Distribution]:
    """Each source's distribution over a shop's categories; ``general``: what towers and ImageNet say together."""
    pooled, tuned = _votes(views), frozenset(taxonomy.tuned())
    votes = {name: d for name, d in pooled.items() if name in ("classifier", "imagenet")}
    garment = _garment_probability(views, votes, taxonomy, limits)
    general = {n: garment * p for n, p in _garment_pool(votes, tuned, _shared(votes, limits, tuned)).items()}
    others = _other_pool(votes, frozenset(taxonomy.categories) - tuned, limits.other_weights, covered=1.0)
    general |= {n: (1.0 - garment) * p for n, p in others.items()}
    heard = {name: d for name, d in pooled.items() if name in ("heads", "mllm")}
    if near := pooled.get("neighbours"):
        heard["neighbours"] = damped(near, taxonomy.categories, _count(views))
    return {**heard, **({GENERAL: with_unnamed(general, "category", taxonomy)} if general else {})}


def _shop_pool(
    votes: Mapping[str, Distribution], taxonomy: Taxonomy, calibration: Calibration, roles: Sequence[str]
) -> Category:
    """The category by one pool of all sources, weighted as measured on the shop's past listings."""
    pool = combine(votes, calibration.of("category").weights)
    shares = normalised({name: p for name, p in pool.items() if name in taxonomy.categories})
    order = [(name, p) for name, p in ranked(shares)[:CANDIDATES] if p > 0]
    minimum = _MIN_NAMED if "item" in roles else calibration.range.min_unrecognised
    sure = bool(order) and min(1.0, order[0][1]) >= minimum
    value, confidence = order[0] if sure else _group(shares, taxonomy, max(_MIN_SHOP_GROUP, minimum))
    return _category(value, confidence, order, _best_by_source(votes, taxonomy))


def _beside(
    general: Distribution,
    model: Distribution,
    votes: Mapping[str, Distribution],
    taxonomy: Taxonomy,
    calibration: Calibration,
) -> Category:
    """The category by a model that answers over the whole tree and by all other sources, each as far as it is heard."""
    temperature = calibration.of("category").temperature
    weights = {GENERAL: 1.0 / temperature, "mllm": calibration.model_weight("category") / temperature}
    pool = combine(_with_none(general, model), weights)
    top, p = best(pool)
    leaf = top in taxonomy.categories
    minimum = calibration.range.min_candidate
    candidates = [(name, q) for name, q in ranked(pool) if name in taxonomy.categories and q >= minimum][:CANDIDATES]
    sources = _best_by_source({"mllm": model, **{s: d for s, d in votes.items() if s != "imagenet"}}, taxonomy)
    return _category(top if leaf else None, p if leaf else 0.0, candidates, sources)


def general_vote(views: Views, taxonomy: Taxonomy, calibration: Calibration) -> dict[str, Distribution]:
    """The two distributions of the pool of a model that answers over the whole tree; {} of one that does not."""
    votes = _votes(views)
    model = votes.pop("mllm", None)
    if model is None or not _whole_tree(views):
        return {}
    garment = _garment_probability(views, votes, taxonomy, calibration.range)
    return _with_none(_general(votes, garment, views, taxonomy, calibration), model)


def _with_none(general: Distribution, model: Distribution) -> dict[str, Distribution]:
    said = {**model, NO_CATEGORY: max(0.0, 1.0 - sum(model.values()))}
    return {
        GENERAL: {**general, NO_CATEGORY: max(_NO_LEAF, 1.0 - sum(general.values()))} if general else {},
        "mllm": said,
    }


def _general(
    votes: Mapping[str, Distribution], garment: float, views: Views, taxonomy: Taxonomy, calibration: Calibration
) -> dict[str, float]:
    """What the sources say over the whole tree, a garment as likely as such ones are right."""
    pool = _all_leaves(votes, garment, calibration, taxonomy) if votes else {}
    return _tempered(pool, views, taxonomy, calibration.range)


def _tempered(pool: Distribution, views: Views, taxonomy: Taxonomy, limits: CategoryRange) -> dict[str, float]:
    """The pool with its likeliest garment as likely as such garments are right; others as they are."""
    top, p = best(pool) if pool else ("", 0.0)
    if not 0.0 < p < 1.0 or not taxonomy.node(top).tuned:
        return dict(pool)
    studio = {o.photo for o in views.by("ground", "evidence_tower")}.issuperset(views.items)
    odds = limits.temper_slope * math.log(p / (1.0 - p)) + limits.temper_bias
    odds += limits.temper_ratio * clothes_ratio(views, taxonomy) + limits.temper_studio * studio
    tempered = 1.0 / (1.0 + math.exp(-odds))
    rest = (1.0 - tempered) / (1.0 - p)
    return {name: tempered if name == top else min(1.0, share * rest) for name, share in pool.items()}


def _category(
    value: str | None, confidence: float, candidates: Sequence[tuple[str, float]], sources: dict[str, Candidate]
) -> Category:
    """The category from pairs (name, probability), which sum to 1 but for rounding."""
    return Category(
        value=value,
        confidence=min(1.0, confidence),
        candidates=[Candidate(value=name, confidence=min(1.0, p)) for name, p in candidates],
        sources=sources,
        in_range=value is not None,
    )


def _count(views: Views) -> int:
    return max((len(o.listing_ids) for o in views.by("category", "neighbours")), default=0)


def _garment_probability(
    views: Views, votes: Mapping[str, Distribution], taxonomy: Taxonomy, limits: CategoryRange
) -> float:
    """Probability, 0..1, that the photos show a garment; 1 without the ImageNet head.

    ImageNet's ratio of clothes to other leaves decides; towers that are sure of a garment speak for one.
    """
    if not views.by("garment", "imagenet"):
        return 1.0
    odds = clothes_ratio(views, taxonomy) - limits.garment_threshold
    if label := _within(votes.get("classifier", {}), frozenset(taxonomy.tuned())):
        odds += limits.tower_weight * max(label.values()) - limits.tower_neutral
    return 1.0 / (1.0 + math.exp(-limits.garment_slope * odds))


def clothes_ratio(views: Views, taxonomy: Taxonomy) -> float:
    """ImageNet's log ratio of clothes to other leaves; 0 without its head."""
    clothes = [v for i, v in views.per_photo("garment", "imagenet").items() if i in views.items]
    leaves = [v for i, v in views.per_photo("category", "imagenet").items() if i in views.items]
    if not clothes:
        return 0.0
    tuned = taxonomy.tuned()
    others = sum(p for name, p in mean(leaves).items() if name not in tuned)
    return log_ratio(sum(mean(clothes).values()), others)


def _named(
    pool: Distribution,
    votes: Mapping[str, Distribution],
    garment: float,
    limits: CategoryRange,
    taxonomy: Taxonomy,
    *,
    roles: Sequence[str],
) -> Category:
    """The category by the probability of each leaf, with what each source says by itself."""
    tuned = frozenset(taxonomy.tuned())
    opinions = {source: opinion for source, opinion in votes.items() if source != "imagenet"}
    if garment < 0.5 and (beyond := _within(votes.get("imagenet", {}), frozenset(taxonomy.categories) - tuned)):
        opinions["classifier"] = beyond
    value, confidence = _leaf_or_group(_nameable(pool, roles, tuned), taxonomy)
    candidates = [(name, p) for name, p in ranked(pool) if p >= limits.min_candidate][:CANDIDATES]
    return _category(value, confidence, candidates, _best_by_source(opinions, taxonomy))


def _all_leaves(
    votes: Mapping[str, Distribution], garment: float, calibration: Calibration, taxonomy: Taxonomy
) -> dict[str, float]:
    """The probability of each leaf: ``garment`` shared by the tuned leaves, the rest by all others."""
    tuned, limits = frozenset(taxonomy.tuned()), calibration.range
    other = frozenset(taxonomy.categories) - tuned
    heard = {name: w for name, w in calibration.of("category").weights.items() if name in votes}
    if heard.keys() <= {"mllm"}:  # of a model that nobody measured, the others are heard as without it
        shared = _shared({n: v for n, v in votes.items() if n not in heard}, limits, tuned)
        heard = {**shared, **heard} if shared else dict.fromkeys(heard, 1.0)
    pool = {n: garment * p for n, p in _garment_pool(votes, tuned, heard).items()}
    return pool | {
        n: (1.0 - garment) * p for n, p in _other_pool(votes, other, limits.other_weights, limits.covered).items()
    }


def _nameable(pool: Distribution, roles: Sequence[str], tuned: frozenset[str]) -> Distribution:
    """The names that may be stated: no garment that the towers do not know, and nothing by its label alone."""
    if "item" in roles:
        return pool
    return {} if "label" in roles else {name: p for name, p in pool.items() if name not in tuned}


def _leaf_or_group(pool: Distribution, taxonomy: Taxonomy) -> tuple[str | None, float]:
    """The most specific name that is sure, and its probability: a leaf, a group of leaves, or none.

    What is surely a garment, but which is not sure, is called what it likeliest is: nobody looks for a "garment".
    """
    leaf, p = best(pool) if pool else ("", 0.0)
    if p >= SURE_KIND:
        return leaf, p
    group, q = _group(pool, taxonomy, SURE_KIND)
    if group is None or not taxonomy.node(leaf).tuned or group not in taxonomy.node(leaf).path:
        return group, q
    if p >= _LIKELY_KIND:
        return leaf, p
    inner = [(n, sum(pool.get(m, 0.0) for m in node.members)) for n, node in taxonomy.groups.items()
             if group in node.path[:-1]]  # fmt: skip
    return max([(leaf, p), *inner], key=lambda entry: entry[1]) if inner else (group, q)


def _group(pool: Distribution, taxonomy: Taxonomy, minimum: float) -> tuple[str | None, float]:
    """The innermost group of leaves that has a probability of ``minimum``, and that; (None, 0) without one."""
    sums = {name: sum(pool.get(member, 0.0) for member in node.members) for name, node in taxonomy.groups.items()}
    for name, p in sorted(sums.items(), key=lambda item: (-len(taxonomy.groups[item[0]].path), -item[1])):
        if p >= minimum:
            return name, p
    return None, 0.0


def _within(votes: Distribution, names: frozenset[str]) -> dict[str, float]:
    return {name: p for name, p in votes.items() if name in names and p > 0}


def _shared(votes: Mapping[str, Distribution], limits: CategoryRange, tuned: frozenset[str]) -> dict[str, float]:
    """The range's weights of the sources that speak of garments, which sum to its sharpness."""
    heard = {source: w for source, w in limits.weights.items() if _within(votes.get(source, {}), tuned)}
    total = sum(heard.values())
    return {source: limits.sharpness * w / total for source, w in heard.items()}


def _garment_pool(votes: Mapping[str, Distribution], names: frozenset[str], weights: Distribution) -> dict[str, float]:
    """Log-linear pool of the sources over the tuned leaves, sums to 1; {} when all are silent."""
    heard = {source: _within(votes.get(source, {}), names) for source in weights}
    heard = {source: opinion for source, opinion in heard.items() if opinion and weights[source] > 0}
    if not heard:
        return {}
    logs = dict.fromkeys(sorted(names), 0.0)
    for source, opinion in heard.items():
        mass = sum(opinion.values())
        for name in logs:
            share = (opinion.get(name, 0.0) / mass + _SMOOTHING) / (1 + _SMOOTHING * len(names))
            logs[name] += weights[source] * math.log(share)
    peak = max(logs.values())
    raised = {name: math.exp(value - peak) for name, value in logs.items()}
    norm = sum(raised.values())
    return {name: value / norm for name, value in raised.items()}


def _other_pool(
    votes: Mapping[str, Distribution], names: frozenset[str], weights: Distribution, covered: float
) -> dict[str, float]:
    """Weighted mean over the leaves beyond garments; sums to 1 where the sources give them ``covered`` or more."""
    heard = {source: _within(votes.get(source, {}), names) for source in weights}
    total = sum(weights[source] for source, opinion in heard.items() if opinion)
    pool: dict[str, float] = {}
    for source, opinion in heard.items():
        for name, p in opinion.items():
            pool[name] = pool.get(name, 0.0) + weights[source] / total * p
    norm = max(sum(pool.values()), covered)
    return {name: p / norm for name, p in pool.items()}


def _best_by_source(votes: Mapping[str, Distribution], taxonomy: Taxonomy) -> dict[str, Candidate]:
    leaves = {s: {n: p for n, p in opinion.items() if n in taxonomy.categories} for s, opinion in votes.items()}
    tops = {source: best(opinion) for source, opinion in leaves.items() if any(opinion.values())}
    return {source: Candidate(value=name, confidence=min(1.0, p)) for source, (name, p) in tops.items()}


def category_flags(category: Category, views: Views, taxonomy: Taxonomy) -> list[Flag]:
    """Remarks for the seller on category and photos; nothing of a category that they chose."""
    chosen = views.first("category", "seller") is not None
    photos = _no_item(views.roles) if "item" in views.roles or not chosen else []
    if chosen:
        return photos
    if category.value is None:
        unknown = "I do not know this kind of item: write what it is, or choose a category."
        return photos or [Flag(code="outside-known", message=unknown, field="category")]
    flags = [*_different_items(list(views.classifier("category").values()), taxonomy), *photos]
    untaught = not taxonomy.node(category.value).tuned and not (views.speaks("heads") or views.by("category", "ocr"))
    if taxonomy.tuned() and untaught and views.classifier("category"):
        message = "I know clothes best, and of other things little. Please check what it is."
        flags.insert(0, Flag(code="outside-tuned", message=message, field="category"))
    return flags


def _no_item(roles: Sequence[str]) -> list[Flag]:
    """A remark on photos that show no item: to be asked about, because a guess would help nobody."""
    empty = [i + 1 for i, role in enumerate(roles) if role == "nothing"]
    where = "photo" if len(roles) == 1 else "photos"
    if "item" in roles:
        if not empty:
            return []
        numbers = " and ".join(map(str, empty))
        message = f"I recognise nothing in photo {numbers}: replace it, or leave it if buyers should see it."
    elif "label" in roles:
        message = f"I see only a label in the {where}: add a photo of the whole item, or write what it is."
    else:
        message = f"I do not recognise what is in the {where}: write what it is, or add another photo."
    return [Flag(code="no-item", message=message, field="photos")]


def _different_items(labels: Sequence[Distribution], taxonomy: Taxonomy) -> list[Flag]:
    """A remark when two photos seem to show two kinds of items; ``labels``: what each shows, by the towers."""
    for i, first in enumerate(labels):
        for second in labels[i + 1 :]:
            (one, p), (other, q) = best(first), best(second)
            alike = sum(math.sqrt(share * second.get(name, 0.0)) for name, share in first.items())
            leaves = one in taxonomy.categories and other in taxonomy.categories
            if min(p, q) >= _MIN_KIND and alike < _ALIKE and one != other and leaves:
                kinds = " and ".join(taxonomy.categories[name].phrase for name in (one, other))
                message = f"The photos seem to show two different things ({kinds}): make a listing for each."
                return [Flag(code="several-items", message=message, field="photos")]
    return []
