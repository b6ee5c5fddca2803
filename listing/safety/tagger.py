"""A small convolutional tagger over the tokens of a text, run with NumPy.

A token is a run of letters, a run of digits or one other character of the folded text. It is embedded as the mean over
hashed character n-grams (Bojanowski et al. 2017) plus the sum over hashed features of form and surroundings; residual
blocks of dilated convolutions over tokens (Strubell et al. 2017) give each token a class.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from listing.safety.fold import Folded

MASK = "[removed]"
WORD_BUCKETS, FORM_BUCKETS = 12_288, 1_024
MAX_TOKEN = 24  # characters; longer runs are cut, so that the work grows with the text's length alone
MAX_GAP = 2  # characters other than letters and digits between two parts of one run of digits

_CJK = "\u3040-\u30ff\u3400-\u9fff"
_TOKEN = re.compile(rf"\[removed\]|[{_CJK}]|[^\W\d_{_CJK}]{{1,{MAX_TOKEN}}}|\d{{1,{MAX_TOKEN}}}|[^\s]", re.IGNORECASE)
_LOOKALIKE_DIGITS = frozenset({"o", "l", "i", "oo", "ooo", "q", "s", "b", "z", "о", "з", "б"})
Mark = tuple[str, int, int]  # name, start and end of a library's match in folded characters
Bags = Sequence[tuple[int, ...]]  # hashed features of every token
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


@lru_cache(maxsize=50_000)
def _word_ids(text: str) -> tuple[int, ...]:
    """Hashed n-grams of a token; of digits only length and first figures: no number is learned by heart."""
    if text.isdigit():
        names = [f"#{min(len(text), 13)}", f"#{len(text[:8])}:{text[:1]}"]
        names.append(f"#:{text[:2]}" if len(text) > 2 else f"={text}")
    else:
        edged = f"<{text}>"
        names = [text, *(edged[i : i + n] for n in (2, 3, 4) for i in range(len(edged) - n + 1) if len(edged) > n)]
    return tuple(crc32(name.encode()) % WORD_BUCKETS for name in names)


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


def _spelled(text: str, number_words: frozenset[str]) -> bool:
    """True if the token is a number word, or several without a blank ("sevenseven")."""
    return text in number_words or (len(text) > 5 and _in_words(text, number_words))


@lru_cache(maxsize=50_000)
def _in_words(text: str, number_words: frozenset[str]) -> bool:
    first = (n for n in range(1, min(len(text), 14) + 1) if text[:n] in number_words)
    return not text or any(_in_words(text[n:], number_words) for n in first)


def _runs(text: str, tokens: Sequence[Token], number_words: frozenset[str] | None) -> list[tuple[int, int]]:
    """(digits, groups) of the run of digits that each token is part of; (0, 0) outside runs.

    Given ``number_words`` a run also takes these, look-alike letters and up to ``MAX_GAP`` separators in a row, also
    single letters between digits ("0151x2345").
    """

    def parts_digits(token: Token) -> bool:
        beside = text[max(0, token.start - 1) : token.start] + text[token.end : token.end + 1]
        return token.is_separator or (number_words is not None and len(token.text) == 1 and beside.isdigit())

    def digits_of(token: Token) -> int:
        if token.text.isdigit():
            return len(token.text)
        if number_words is None:
            return 0
        if _spelled(token.text, number_words):
            return max(1, len(token.text) // 5)
        beside = text[max(0, token.start - 1) : token.start], text[token.end : token.end + 1]
        return len(token.text) if token.text in _LOOKALIKE_DIGITS and any(map(str.isdigit, beside)) else 0

    runs, gap = [list[tuple[int, int]]()], 0
    for i, token in enumerate(tokens):
        if count := digits_of(token):
            runs[-1].append((i, count))
            gap = 0
        elif parts_digits(token) and gap < (1 if number_words is None else MAX_GAP):
            gap += 1
        else:
            runs.append([])
            gap = 0
    result = [(0, 0)] * len(tokens)
    for run in runs:
        digits = sum(count for _, count in run)
        for i, _ in run:
            result[i] = (digits, len(run))
    return result


def _gap(folded: Folded, tokens: Sequence[Token], i: int) -> str:
    """The gap before token ``i``."""
    if i in (0, len(tokens)):
        return "end" if i else "start"
    between = folded.lower[tokens[i - 1].end : tokens[i].start]
    return "newline" if "\n" in between else "space" if between else "glued"


def token_features(
    folded: Folded, tokens: Sequence[Token], number_words: frozenset[str], marks: Sequence[Mark] = ()
) -> tuple[Bags, Bags]:
    """(n-grams, form) of every token; ``number_words``: those below a hundred, in many languages, folded."""
    strict, loose = _runs(folded.lower, tokens, None), _runs(folded.lower, tokens, number_words)
    words, forms = [], []
    ahead = 0
    for i, token in enumerate(tokens):
        names = [*_static_form(token.text, folded.cased[token.start : token.end])]
        names += [f"before {_gap(folded, tokens, i)}", f"after {_gap(folded, tokens, i + 1)}"]
        for kind, (digits, groups) in (("strict", strict[i]), ("loose", loose[i])):
            if groups:
                names += [f"{kind} {min(digits, 16)}", f"{kind} groups {min(groups, 8)}"]
        if token.text[0].isalpha() and _spelled(token.text, number_words):
            names.append("number word")
        if token.text.isdigit() and any(folded.odd[token.start : token.end]):
            names.append("disguised")
        while ahead < len(marks) and marks[ahead][2] <= token.start:
            ahead += 1
        if ahead < len(marks) and marks[ahead][1] <= token.start:
            names.append(f"library {marks[ahead][0]}")
        words.append(_word_ids(token.text))
        forms.append(tuple(crc32(name.encode()) % FORM_BUCKETS for name in names))
    return words, forms


def _bags(table: Floats, ids: Bags, mean: bool) -> Floats:
    lengths = np.fromiter((len(bag) for bag in ids), dtype=np.int64, count=len(ids))
    flat = np.fromiter((i for bag in ids for i in bag), dtype=np.int64, count=int(lengths.sum()))
    sums = np.add.reduceat(table[flat], np.concatenate([[0], np.cumsum(lengths)[:-1]]), axis=0)
    return np.asarray(sums / lengths[:, None] if mean else sums, dtype=np.float32)


class Tagger:
    """Networks whose probabilities are averaged; the file is one that ``benchmarks.training.safety`` wrote."""

    def __init__(self, path: Path) -> None:
        from safetensors import safe_open

        with safe_open(path, framework="np") as file:
            tensors: dict[str, Floats] = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
            settings = json.loads(file.metadata()["settings"])
        scales = {name.removesuffix(".scale"): tensors.pop(name) for name in list(tensors) if name.endswith(".scale")}
        self._weights = {name: tensor * scales.get(name, np.float32(1)) for name, tensor in tensors.items()}
        self.classes: list[str] = settings["classes"]
        self.threshold: float = settings["threshold"]
        self.extend: float = settings["extend"]
        self.number_words = frozenset(settings["number_words"])
        self._dilations: list[int] = settings["dilations"]
        self._networks: int = settings["networks"]

    def probabilities(self, folded: Folded, tokens: Sequence[Token], marks: Sequence[Mark] = ()) -> Floats:
        """Probability of every class for every token, float32 [tokens, classes]; class 0 is "no contact data"."""
        words, forms = token_features(folded, tokens, self.number_words, marks)
        total = sum(self._forward(f"{n}.", words, forms) for n in range(self._networks))
        return np.asarray(total / self._networks, dtype=np.float32)

    def _forward(self, net: str, words: Bags, forms: Bags) -> Floats:
        w = self._weights
        bags = [_bags(w[net + "words.weight"], words, True), _bags(w[net + "forms.weight"], forms, False)]
        x = np.concatenate(bags, axis=1) @ w[net + "project.weight"].T + w[net + "project.bias"]
        n = len(x)
        for i, dilation in enumerate(self._dilations):
            kernel = w[f"{net}convs.{i}.weight"]  # [out, in, 3]
            y = x - x.mean(-1, keepdims=True)
            y = y / np.sqrt((y * y).mean(-1, keepdims=True) + 1e-5) * w[f"{net}norms.{i}.weight"]
            y = np.pad(y + w[f"{net}norms.{i}.bias"], ((dilation, dilation), (0, 0)))
            z = sum(y[k * dilation : k * dilation + n] @ kernel[:, :, k].T for k in range(3))
            x = x + np.maximum(z + w[f"{net}convs.{i}.bias"], 0)
        logits = x @ w[net + "out.weight"].T + w[net + "out.bias"]
        odds = np.exp(logits - logits.max(-1, keepdims=True))
        return np.asarray(odds / odds.sum(-1, keepdims=True), dtype=np.float32)
