"""A small convolutional tagger over the tokens of a text, run with NumPy.

A token is a run of letters, a run of digits or one other character of the folded text (``fold``). It is embedded as the
mean over hashed character n-grams (Bojanowski et al. 2017, "Enriching word vectors with subword information") plus the
sum over hashed features of form and surroundings; residual blocks of dilated convolutions over tokens (Strubell et al.
2017, "Fast and accurate entity recognition with iterated dilated convolutions") give each token a class. Training
(``finetune.safety``) shares ``tokenise`` and ``token_features``.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from listing.safety.fold import Folded

__all__ = ["MASK", "Tagger", "Token", "token_features", "tokenise"]

MASK = "[removed]"
WORD_BUCKETS, FORM_BUCKETS = 12_288, 1_024
MAX_TOKEN = 24  # characters; longer runs are cut, so that the work grows with the text's length alone
MAX_GAP = 2  # characters other than letters and digits between two parts of one run of digits

_CJK = "\u3040-\u30ff\u3400-\u9fff"
_TOKEN = re.compile(rf"\[removed\]|[{_CJK}]|[^\W\d_{_CJK}]{{1,{MAX_TOKEN}}}|\d{{1,{MAX_TOKEN}}}|[^\s]", re.IGNORECASE)
_LOOKALIKE_DIGITS = frozenset({"o", "l", "i", "oo", "ooo", "q"})
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Token:
    """Characters ``start``..``end`` of the folded text."""

    text: str
    start: int
    end: int

    @property
    def is_separator(self) -> bool:
        """Neither letters, digits nor a mask."""
        return not self.text[0].isalnum() and self.text != MASK


def tokenise(folded: Folded) -> list[Token]:
    """Tokens of the folded text in lower case, white space left out."""
    return [Token(m[0], m.start(), m.end()) for m in _TOKEN.finditer(folded.lower)]


def _bucket(feature: str, size: int) -> int:
    return crc32(feature.encode()) % size


@lru_cache(maxsize=50_000)
def _word_ids(text: str) -> tuple[int, ...]:
    """Hashed n-grams of a token; of digits only length and first figures: no number is learned by heart."""
    if text.isdigit():
        names = [
            f"#{min(len(text), 13)}",
            f"#{len(text[:8])}:{text[:1]}",
            f"#:{text[:2]}" if len(text) > 2 else f"={text}",
        ]
    else:
        edged = f"<{text}>"
        names = [text, *(edged[i : i + n] for n in (2, 3, 4) for i in range(len(edged) - n + 1) if len(edged) > n)]
    return tuple(_bucket(name, WORD_BUCKETS) for name in names)


@lru_cache(maxsize=50_000)
def _static_form(text: str, cased: str) -> tuple[str, ...]:
    """Form of a token by itself: case, script, category, years."""
    first = text[0]
    if text == MASK:
        return ("mask",)
    if text.isdigit():
        year = len(text) == 4 and text[:2] in ("18", "19", "20")
        return (f"digits{min(len(text), 13)}", "zero" if first == "0" else "nonzero", *(("year",) if year else ()))
    if not first.isalpha():
        return (f"char{first}", unicodedata.category(first))
    case = "lower" if cased == text else "upper" if cased.isupper() else "title" if cased.istitle() else "mixed"
    script = "latin" if first.isascii() else unicodedata.name(first, "other").split(" ")[0]
    return (case, f"script{script}", f"length{min(len(text), 12)}", f"{case}{len(text) == 1}")


def _digit_count(text: str, number_words: Collection[str], glued: bool) -> int:
    """How many digits of a number the token may stand for; 0 when it is no part of one."""
    if text.isdigit():
        return len(text)
    if _spelled(text, number_words):
        return max(1, len(text) // 5)
    return len(text) if glued and text in _LOOKALIKE_DIGITS else 0


@lru_cache(maxsize=20_000)
def _split_words(text: str, number_words: frozenset[str]) -> bool:
    """Whether the token is two or more number words without a blank ("sevenseven")."""
    ends = [True] + [False] * len(text)
    for end in range(1, len(text) + 1):
        ends[end] = any(ends[start] and text[start:end] in number_words for start in range(max(0, end - 14), end))
    return ends[-1]


def _spelled(text: str, number_words: Collection[str]) -> bool:
    return text in number_words or (len(text) > 5 and _split_words(text, frozenset(number_words)))


def _runs(tokens: Sequence[Token], number_words: Collection[str], loose: bool) -> list[tuple[int, int]]:
    """(digits, groups) of the run of digits that each token is part of; (0, 0) outside runs.

    A loose run also takes number words, look-alike letters and up to ``MAX_GAP`` separators in a row.
    """
    result = [(0, 0)] * len(tokens)
    members: list[int] = []
    digits, gap = 0, 0

    def close() -> None:
        nonlocal digits
        for member in members:
            result[member] = (digits, len(members))
        members.clear()
        digits = 0

    for i, token in enumerate(tokens):
        glued = any(
            0 <= j < len(tokens)
            and (tokens[j].end == token.start or tokens[j].start == token.end)
            and tokens[j].text[0].isdigit()
            for j in (i - 1, i + 1)
        )
        count = _digit_count(token.text, number_words if loose else (), glued and loose)
        if count:
            members.append(i)
            digits, gap = digits + count, 0
        elif token.is_separator and gap < (MAX_GAP if loose else 1):
            gap += 1
        else:
            close()
            gap = 0
    close()
    return result


def _gap_before(folded: Folded, tokens: Sequence[Token], i: int) -> str:
    if i == 0:
        return "start"
    between = folded.lower[tokens[i - 1].end : tokens[i].start]
    return "newline" if "\n" in between else "space" if between else "glued"


def token_features(
    folded: Folded, tokens: Sequence[Token], number_words: frozenset[str], marks: Sequence[tuple[str, int, int]] = ()
) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Hashed features of every token: (n-grams, form).

    Args:
        number_words: words for numbers below a hundred, in many languages, folded.
        marks: (name, start, end) of libraries' matches in folded characters.
    """
    strict, loose = _runs(tokens, (), False), _runs(tokens, number_words, True)
    words, forms = [], []
    ahead = 0
    for i, token in enumerate(tokens):
        names = [*_static_form(token.text, folded.cased[token.start : token.end])]
        gap = _gap_before(folded, tokens, i)
        after = "end" if i + 1 == len(tokens) else _gap_before(folded, tokens, i + 1)
        names += [f"before {gap}", f"after {after}"]
        for kind, (digits, groups) in (("strict", strict[i]), ("loose", loose[i])):
            if groups:
                names += [f"{kind} {min(digits, 16)}", f"{kind} groups {min(groups, 8)}"]
        if token.text[0].isalpha() and _spelled(token.text, number_words):
            names.append("number word")
        if any(folded.odd[token.start : token.end]):
            names.append("disguised")
        while ahead < len(marks) and marks[ahead][2] <= token.start:
            ahead += 1
        if ahead < len(marks) and marks[ahead][1] <= token.start:
            names.append(f"library {marks[ahead][0]}")
        words.append(_word_ids(token.text))
        forms.append(tuple(_bucket(name, FORM_BUCKETS) for name in names))
    return words, forms


def _bags(table: Floats, ids: Sequence[tuple[int, ...]], mean: bool) -> Floats:
    lengths = np.fromiter((len(bag) for bag in ids), dtype=np.int64, count=len(ids))
    flat = np.fromiter((i for bag in ids for i in bag), dtype=np.int64, count=int(lengths.sum()))
    sums = np.add.reduceat(table[flat], np.concatenate([[0], np.cumsum(lengths)[:-1]]), axis=0)
    return np.asarray(sums / lengths[:, None] if mean else sums, dtype=np.float32)


def _layer_norm(x: Floats, weight: Floats, bias: Floats) -> Floats:
    centred = x - x.mean(-1, keepdims=True)
    scale: Floats = np.sqrt((centred * centred).mean(-1, keepdims=True) + 1e-5)
    result: Floats = centred / scale * weight + bias
    return result


class Tagger:
    """Weights of one or several networks whose probabilities are averaged.

    Args:
        path: a safetensors file written by ``finetune.safety``; its metadata hold the settings.
    """

    def __init__(self, path: Path) -> None:
        from safetensors import safe_open

        with safe_open(path, framework="np") as file:
            tensors: dict[str, Floats] = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
            settings: dict[str, Any] = json.loads(file.metadata()["settings"])
        scales = {name.removesuffix(".scale"): tensors.pop(name) for name in list(tensors) if name.endswith(".scale")}
        self._weights = {name: tensor * scales.get(name, np.float32(1)) for name, tensor in tensors.items()}
        self.classes: list[str] = settings["classes"]
        self.threshold: float = settings["threshold"]
        self.extend: float = settings["extend"]
        self.number_words = frozenset(settings["number_words"])
        self._dilations: list[int] = settings["dilations"]
        self._networks: int = settings["networks"]

    def probabilities(
        self, folded: Folded, tokens: Sequence[Token], marks: Sequence[tuple[str, int, int]] = ()
    ) -> Floats:
        """Probability of every class for every token, float32 [tokens, classes]; class 0 is "no contact data"."""
        words, forms = token_features(folded, tokens, self.number_words, marks)
        total = sum(self._forward(f"{n}.", words, forms) for n in range(self._networks))
        return np.asarray(total / self._networks, dtype=np.float32)

    def _forward(self, net: str, words: Sequence[tuple[int, ...]], forms: Sequence[tuple[int, ...]]) -> Floats:
        w = self._weights
        bags = [_bags(w[net + "words.weight"], words, True), _bags(w[net + "forms.weight"], forms, False)]
        x = np.concatenate(bags, axis=1) @ w[net + "project.weight"].T + w[net + "project.bias"]
        n = len(x)
        for i, dilation in enumerate(self._dilations):
            kernel = w[f"{net}convs.{i}.weight"]  # [out, in, 3]
            y = _layer_norm(x, w[f"{net}norms.{i}.weight"], w[f"{net}norms.{i}.bias"])
            y = np.pad(y, ((dilation, dilation), (0, 0)))
            z = sum(y[k * dilation : k * dilation + n] @ kernel[:, :, k].T for k in range(3))
            x = x + np.maximum(z + w[f"{net}convs.{i}.bias"], 0)
        logits = x @ w[net + "out.weight"].T + w[net + "out.bias"]
        odds = np.exp(logits - logits.max(-1, keepdims=True))
        return np.asarray(odds / odds.sum(-1, keepdims=True), dtype=np.float32)
