"""Linear heads on the frozen features of a shop's photos: regularised logistic regression, one a question."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from listing.observe.heads import Heads

AXES = 512
PENALTY = 0.05  # C of scikit-learn, for features of mean square 1
FOLDS = 10  # with larger ones, heads that did not see a group know fewer of its kinds than those that serve
MIN_EXAMPLES = 2  # photos of a value, for a head to have it


@dataclass(frozen=True)
class Examples:
    """Photos of past listings: features [photos, n], the listing of each photo, and the group of each listing.

    A group (a seller) stands in one fold: what its listings share is no knowledge of kinds.
    """

    features: np.ndarray
    listing: np.ndarray
    groups: Sequence[str]

    @cached_property
    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """(mean, axes) of ``principal_axes``, of photos alone: no answer is looked at."""
        return principal_axes(self.features)

    @cached_property
    def projected(self) -> np.ndarray:
        """The features on these axes, float32 [photos, k]."""
        mean, axes = self.axes
        projected: np.ndarray = ((self.features - mean) @ axes).astype(np.float32)
        return projected

    def folds(self) -> np.ndarray:
        """The fold of each listing, of about equal sizes, by its group's name: more listings hardly move it."""
        names, of, sizes = np.unique(np.array(self.groups), return_inverse=True, return_counts=True)
        order = np.argsort([place(str(name)) for name in names])
        middle = np.cumsum(sizes[order]) - sizes[order] / 2
        fold = np.zeros(len(names), int)
        fold[order] = (FOLDS * middle / sizes.sum()).astype(int)
        return np.asarray(fold[of])


def place(name: str) -> float:
    """A number in [0, 1) that the name alone decides, so that the same are drawn whenever they are learned."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def fit_heads(examples: Examples, answers: dict[str, list[str | None]]) -> Heads:
    """A head for each question; ``answers``: question -> the value of each listing, None where it states none."""
    mean, axes = examples.axes
    values: dict[str, Sequence[str]] = {}
    weights: dict[str, np.ndarray] = {}
    for question, stated in answers.items():
        names, fitted = _fit(examples.projected, np.array([stated[i] or "" for i in examples.listing]))
        if len(names) > 1:
            values[question], weights[question] = names, fitted
    return Heads(mean, axes, values, weights)


def held_out(
    examples: Examples,
    answers: dict[str, list[str | None]],
    values: dict[str, Sequence[str]],
    listings: Iterable[int],
) -> dict[str, np.ndarray]:
    """Question -> probabilities [listings, values] of each listing's first photo, by heads that did not see its group.

    values: question -> names of the columns. listings: those that are asked for, whose folds alone are fitted.
    """
    fold = examples.folds()
    asked = sorted(set(fold[list(listings)].tolist()))
    first = np.unique(examples.listing, return_index=True)[1]
    projected = examples.projected
    out = {}
    for question, names in values.items():
        y = np.array([answers[question][i] or "" for i in examples.listing])
        shares = np.full((len(fold), len(names)), 1.0 / len(names))
        for number in asked:
            rows = np.flatnonzero(fold[examples.listing] != number)
            heard, fitted = _fit(projected[rows], y[rows])
            test = np.flatnonzero(fold == number)
            if not heard:
                continue
            shares[test] = 0.0
            scores = projected[first[test]] @ fitted[:-1] + fitted[-1]
            exp = np.exp(scores - scores.max(1, keepdims=True))
            columns = np.array([list(names).index(name) for name in heard])
            shares[np.ix_(test, columns)] = exp / exp.sum(1, keepdims=True)
        out[question] = shares
    return out


def principal_axes(features: np.ndarray, count: int = AXES) -> tuple[np.ndarray, np.ndarray]:
    """(mean [n], axes [n, k]) of the directions in which the photos differ most, scaled to a mean square of 1."""
    from sklearn.utils.extmath import randomized_svd

    mean = features.mean(0)
    centred = features - mean
    axes = randomized_svd(centred, min(count, *centred.shape), random_state=0)[2].T
    spread = float(np.sqrt(np.mean((centred @ axes) ** 2)))
    return mean, (axes / max(spread, 1e-6)).astype(np.float32)


def _fit(inputs: np.ndarray, answers: np.ndarray) -> tuple[list[str], np.ndarray]:
    """(values, weights [k + 1, values]) of the photos that state one of the values that are frequent enough."""
    from sklearn.linear_model import LogisticRegression

    names, counts = np.unique(answers, return_counts=True)
    frequent = [n for n, c in zip(names.tolist(), counts, strict=True) if n and c >= MIN_EXAMPLES]
    rows = np.isin(answers, frequent)
    if len(frequent) < 2:
        return frequent, np.zeros((inputs.shape[1] + 1, len(frequent)), np.float32)
    model = LogisticRegression(C=PENALTY, max_iter=200, tol=1e-3).fit(inputs[rows], answers[rows])
    weights = np.vstack([model.coef_.T, model.intercept_])
    if len(frequent) == 2:  # one score: for the second of the two
        weights = np.hstack([np.zeros_like(weights), weights])
    return model.classes_.tolist(), weights.astype(np.float32)
