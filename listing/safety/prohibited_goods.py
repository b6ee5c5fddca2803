"""Goods that may not be listed: a linear model over words and groups of letters, and a short list of words.

Groups and words stand in ``goods.yaml``; the model beside it gives a score for each group, and is written, with its
thresholds, by ``python -m benchmarks.training.safety.goods``. A text is judged as a whole and, where it is longer, by
its parts, so that harmless sentences do not hide one that is not; where digits or signs may stand for letters, in each
reading.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

import numpy as np
import yaml
from anyascii import anyascii

from listing.safety.fold import MARKUP, fold, readings

Level = Literal["refuse", "review"]
GROUPS_FILE = Path(__file__).with_name("goods.yaml")
WEIGHTS_FILE = GROUPS_FILE.with_suffix(".safetensors")
THRESHOLDS_FILE = GROUPS_FILE.with_suffix(".json")
EXPLAINING_SHARE = 0.3  # of the heaviest word's weight; lighter ones explain nothing
EXPLAINING_WORDS = 5
MAX_PARTS, MIN_PART_WORDS = 40, 3
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[^\W\d_]+|\d+")
_IDEOGRAPHS = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
_ALPHABETS = re.compile(r"[^\x00-\x7f\u3040-\u30ff\u3400-\u9fff]+")  # and emoji: "💊" is written ":pill:"
_ASKING = "is|are|was|were|does|did|has|how|what|which|where|ist|sind|war|hat|wie"
FEWEST_WORDS = 6  # of a message that the model judges
_ASKED = re.compile(rf"[^.!?\n]*[?？]|(?:^|(?<=[.!?] ))(?:{_ASKING})\b[^.!?\n]*", re.IGNORECASE | re.MULTILINE)
_PART = re.compile(r"[.!?;\n]+(?=\s|$)")


@dataclass(frozen=True)
class GoodsVerdict:
    """The fault of a listing: the policy group, its plain name and a sentence for the seller.

    level: ``refuse`` (it cannot be published) or ``review`` (a person has to look at it). words: the heaviest first.
    """

    code: str
    name: str
    message: str
    level: Level
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class PolicyGroup:
    """One kind of goods: ``words`` are refused wherever they stand, ``categories`` whatever the text says; ``alone`` is
    a clause that names them and says next to nothing else.
    """

    code: str
    name: str
    message: str
    words: re.Pattern[str] | None
    categories: frozenset[str]
    alone: re.Pattern[str] | None

    def verdict(self, level: Level, words: tuple[str, ...]) -> GoodsVerdict:
        return GoodsVerdict(self.code, self.name, self.message, level, words)


@dataclass(frozen=True)
class GoodsModel:
    """The model as it is read from its files.

    weights: int8 [buckets, groups], times ``scale`` [groups]; ``idf`` float [buckets]; ``bias`` [groups].
    refuse, review: scores from which on a text is refused, or reviewed; ``sentence``: one of its sentences is reviewed.
    """

    groups: tuple[PolicyGroup, ...]
    weights: np.ndarray
    scale: np.ndarray
    idf: np.ndarray
    bias: np.ndarray
    refuse: float
    review: float
    sentence: float

    def verdict(self, text: str) -> GoodsVerdict | None:
        """None when nothing is wrong. A sentence that is bad among good ones is reviewed, never refused."""
        if not _LETTER.search(text):
            return None
        score, group, words = self.judge(text)
        if score >= self.review:
            return self.groups[group].verdict("refuse" if score >= self.refuse else "review", words)
        parts = [part for part in _PART.split(text) if len(_WORD.findall(part)) >= MIN_PART_WORDS]
        if len(parts) > 1:
            score, group, words = max(map(self.judge, parts[:MAX_PARTS]))
            if score >= self.sentence:
                return self.groups[group].verdict("review", words)
        return None

    def judge(self, text: str) -> tuple[float, int, tuple[str, ...]]:
        """The score of a text in one of its ``spellings`` (higher is worse), its group's number, and the words that
        weighed most.
        """
        features = vector(text, self.idf)
        per_word = np.zeros((len(features.words) + 1, len(self.groups)))
        np.add.at(per_word, features.owners, features.values[:, None] * (self.weights[features.buckets] * self.scale))
        scores = per_word.sum(axis=0) + self.bias
        group = int(scores.argmax())
        heaviest = np.argsort(-per_word[:-1, group])[:EXPLAINING_WORDS]
        least = EXPLAINING_SHARE * per_word[heaviest[0], group] if len(heaviest) else 0.0
        words = dict.fromkeys(features.words[n] for n in heaviest if per_word[n, group] > max(least, 0.0))
        return float(np.logaddexp.reduce(scores)), group, tuple(words)


def spellings(text: str) -> tuple[str, ...]:
    """The readings of a text in lower case, its alphabets in Latin letters: one word for "кокаин" and "Kokain"."""
    return tuple(_ALPHABETS.sub(lambda m: anyascii(m[0]).lower(), reading) for reading in readings(fold(text)))


@cache
def load_groups() -> tuple[PolicyGroup, ...]:
    """The policy groups, in the order of the model's columns."""
    groups, policy = list[PolicyGroup](), yaml.safe_load(GROUPS_FILE.read_text(encoding="utf-8"))
    plain = rf"(?:{'|'.join(policy['plain'])}|\d{{1,4}}\w?)"
    for code, group in policy["groups"].items():
        words, names = (
            "|".join(re.escape(spellings(word)[0]) for word in group.get(key, [])) for key in ("words", "alone")
        )
        clause = rf"(?:\A|[.,;:!?\n(])[ \t]*(?:{plain}[ '-]+){{0,6}}(?:{names})(?:[ '-]+{plain}){{0,6}}"
        clause += r"[ \t]*(?=[.,;:!?\n)]|\Z)"
        pattern, alone = re.compile(rf"(?<!\w)(?:{words})(?!\w)"), re.compile(clause)
        categories = frozenset(group.get("categories", []))
        message = group["message"]
        groups.append(
            PolicyGroup(code, group["name"], message, pattern if words else None, categories, alone if names else None)
        )
    return tuple(groups)


@cache
def load_model() -> GoodsModel:
    """The model of this folder, read once."""
    from safetensors.numpy import load_file

    stored: dict[str, Any] = {**load_file(WEIGHTS_FILE), **json.loads(THRESHOLDS_FILE.read_text(encoding="utf-8"))}
    return GoodsModel(load_groups(), **stored)


@dataclass(frozen=True)
class TextVector:
    """A text for the model: its words and, for each feature at each place, word number, bucket and value (float)."""

    words: list[str]
    owners: np.ndarray
    buckets: np.ndarray
    values: np.ndarray


def vector(text: str, idf: np.ndarray) -> TextVector:
    """The features of a text as ``spellings`` gives it, hashed into ``len(idf)`` buckets.

    Words, their first two thirds, pairs of neighbours, and groups of three to five letters; of Chinese and Japanese,
    groups of one to three characters. Figures count by their length only. Values are sublinear counts times ``idf``;
    letter groups and the other features have length 1 each. What occurs at several places shares its value among them.
    """
    words = _WORD.findall(text)
    pairs = [(n, f"b{words[n - 1]} {words[n]}") for n in range(1, len(words))]
    features = [(n, feature) for n, word in enumerate(words) for feature in _of_word(word)] + pairs
    owners = np.array([n for n, _ in features], np.int64)
    keys = np.array([2 * (crc32(f.encode()) % len(idf)) + (f[0] == "c") for _, f in features], np.int64)
    unique, place, counts = np.unique(keys, return_inverse=True, return_counts=True)
    value = (1.0 + np.log(counts)) * idf[unique // 2].astype(np.float64)
    for kind in (0, 1):
        of_kind = unique % 2 == kind
        value[of_kind] /= np.sqrt((value[of_kind] ** 2).sum()) or 1.0
    return TextVector(words, owners, keys // 2, (value / counts)[place])


def _of_word(word: str) -> Iterator[str]:
    if _IDEOGRAPHS.search(word):
        yield from (f"z{word[i : i + n]}" for n in (1, 2, 3) for i in range(len(word) - n + 1))
        return
    word = "0" * min(len(word), 4) if word.isdigit() else word[:40]
    yield f"w{word}"
    padded = f" {word} "
    yield from (f"c{padded[i : i + n]}" for n in (3, 4, 5) for i in range(len(padded) - n + 1))
    if len(word) > 3:
        yield f"s{word[: max(4, len(word) * 2 // 3)]}"


def check_goods(category: str | None, text: str) -> GoodsVerdict | None:
    """The fault in offering this, or None; the names of some categories are refused whatever the text says."""
    written = spellings(text)
    named, judged = _named(fold(category or "").lower.strip(), written), None
    if named is None or named.level == "review":
        judged = _judged(written)
    return judged if named is None or (judged and judged.level == "refuse") else named


def check_message(text: str, *, private: bool = False) -> GoodsVerdict | None:
    """The goods to refuse that a message between people offers, or None.

    What it asks offers nothing ("Is it an original or a copy?"), nor do a few words ("No"), which are unlike the
    listings that the model has learned from: of these only the words of the groups count.

    Args:
        private: it is about a sale that both agreed on, as "Thank you": only the words of the groups count.
    """
    verdict, told = _named("", spellings(text)), _ASKED.sub(" ", text)
    if verdict is None and not private and len(told.split()) >= FEWEST_WORDS:
        verdict = _judged(spellings(told))
    return verdict if verdict is not None and verdict.level == "refuse" else None


def _named(category: str, written: Sequence[str]) -> GoodsVerdict | None:
    """The group that has this category, or one of whose words stands in one of the spellings, or a name alone."""
    for group in load_groups():
        if category in group.categories:
            return group.verdict("refuse", (category,))
        if group.words and (match := next(filter(None, map(group.words.search, written)), None)):
            return group.verdict("refuse", (match[0],))
    for group in load_groups():
        if group.alone and (match := next(filter(None, map(group.alone.search, written)), None)):
            return group.verdict("review", (match[0].strip(" .,;:!?\n("),))
    return None


def _judged(written: Sequence[str]) -> GoodsVerdict | None:
    """The model's worst verdict of all spellings."""
    verdicts = filter(None, (load_model().verdict(MARKUP.sub(" ", spelling)) for spelling in written))
    return min(verdicts, key=lambda verdict: verdict.level != "refuse", default=None)
