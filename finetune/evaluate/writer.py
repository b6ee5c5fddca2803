"""A writer's texts from claims: decoded so that no word of meaning stands in them that the prompt does not hold.

Four candidates are decoded together (the likeliest words, and three draws), and the likeliest is taken. A text does not
end before it has said every claim; where none gets there, the renderer's stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune.data.cutting import FRAME, RENDERED, WORD, stem
from finetune.data.writing import shown
from listing import prompts
from listing.taxonomy import Taxonomy
from listing.text.claims import NAME, Claim
from listing.text.forms import detail_forms
from listing.text.render import CLOSERS, Text
from listing.text.settle import settle

if TYPE_CHECKING:
    import torch

CANDIDATES, TEMPERATURE = 4, 0.7
ENOUGH = 2  # ended candidates to choose from
MAX_TOKENS = 80
LEAST = -0.5  # log-probability a token; what is less likely was forced into words that it does not fit
LOOKED_AT = 40  # likeliest tokens of a step that are looked at for one that the prompt allows
DRAWN_FROM = 8
ENDS = (".", "!", '"')
_OWN = re.compile(
    r"(?:(?:The (?:fabric|surface)|It|They) looks? |[^.]*\b(?:seems? to be|would say)\b|(?:It|They) closes? )[^.]*\."
)
# A sentence behind the first that is none ("The pockets."), and one that names a thing twice.
_BROKEN = re.compile(
    r"\. (?:The|An?) (?:(?!\b(?:is|are|has|have|looks?|seems?|says?|shows?)\b)[^.])*\.|"
    r"\b(\w+(?: \w+)?) and (?:an? )?\1\b"
)
_CLOSING = {w for line in CLOSERS for w in WORD.findall(line.lower())}
# Frames that place something, or speak of what it looks like, are claims where the prompt does not hold them.
_PLACES = {"side", "sides", "both", "each", "off", "out", "above", "below", "under", "over", "through", "all"}
_SEEMING = {"fabric", "surface", "looks", "seems"}
_FRAMES = (FRAME | RENDERED | _CLOSING) - _PLACES - _SEEMING
_ENDINGS = ("", "s", "es", "ed", "ing", "y", "e", "ies", "d", "'s")


@dataclass(frozen=True)
class Hints:
    """What a prompt holds: the thing's name, and for each claim its words and whether it is certain.

    beside: the renderer's sentences of what only seems so ("The fabric seems to be cotton."), of wear and of how it
    closes, which stand behind the text as they are.
    """

    name: str
    told: dict[tuple[str, str], tuple[str, bool]]
    beside: str = ""

    def prompt(self, examples: Sequence[str]) -> str:
        """The prompt as the writer is tuned on it."""
        texts = {claim: words for claim, (words, _) in self.told.items() if claim[0] != "text"}
        sure = [words for claim, words in texts.items() if self.told[claim][1]]
        likely = [words for claim, words in texts.items() if not self.told[claim][1]]
        printed = next((value for attribute, value in self.told if attribute == "text"), "")
        return prompts.writer_prompt(self.name, sure, likely, printed=printed, examples=examples)

    def words(self) -> set[str]:
        """The words that may be written."""
        return {w for text in [self.name, *(t for t, _ in self.told.values())] for w in WORD.findall(text.lower())}


@dataclass(frozen=True)
class Candidate:
    """A text with its log-probability a token."""

    title: str
    description: str
    likelihood: float


def hints_of(claims: Sequence[Claim], rendered: Text, taxonomy: Taxonomy) -> Hints:
    """The claims that are worth saying, in the renderer's words: so stand they in the training prompts."""
    item = settle(claims, taxonomy)
    told: dict[tuple[str, str], tuple[str, bool]] = {}
    own = [m.span() for m in _OWN.finditer(rendered.description)]
    for span in rendered.spans:
        claim = (span.attribute or "", span.value)
        placed = span.attribute == "detail" and detail_forms()[span.value].place == "chest" and "text" in item.facts
        beside = span.field == "description" and any(start <= span.start < end for start, end in own)
        if placed or beside or span.attribute in ("category", NAME, "condition"):
            continue
        if span.attribute == "text":
            told[claim] = (span.value, True)
        else:
            words = shown(getattr(rendered, span.field)[span.start : span.end])
            told[claim] = max(told.get(claim, ("", False)), (words, span.status != "check"), key=lambda t: len(t[0]))
    wear = [taxonomy.attributes["condition"].forms[claim.value].sentence for claim in item.wear]
    sentences = [rendered.description[start:end].strip() for start, end in own]
    sentences += [forms[-1 if item.plural else 0] for forms in wear if forms[-1 if item.plural else 0] not in sentences]
    return Hints(item.noun, told, " ".join(sentences))


class Writer:
    """The embedded model with a writer's adapter. ``model``, ``adapter``: folders."""

    def __init__(self, model: Path, adapter: Path) -> None:
        from peft import PeftModel

        from listing.backends.local import LocalBackend

        self.backend = LocalBackend(model)
        tuned: Any = PeftModel.from_pretrained(self.backend.model, adapter)
        self.model = tuned.merge_and_unload().eval()
        self.tokenizer = self.backend.tokenizer
        self.pieces = [self.tokenizer.decode([i]) for i in range(len(self.tokenizer))]

    def candidates(self, hints: Hints, examples: Sequence[str] = (), *, seed: int = 0) -> list[Candidate]:
        """The texts that ended by themselves."""
        made = self.decode(hints.prompt(examples), hints.words(), lambda text: not missing(text, hints), seed=seed)
        done = [(text.strip().split("\n"), likelihood) for text, likelihood, ended in made if ended]
        whole = [(lines[0], f"{lines[1]} {hints.beside}".strip(), p) for lines, p in done if len(lines) == 2]
        return [Candidate(*text) for text in whole]

    def decode(
        self, prompt: str, words: Collection[str], done: Callable[[str], bool], *, seed: int = 0
    ) -> list[tuple[str, float, bool]]:
        """(text, log-probability a token, whether it ended) of each candidate, of these words and of frames.

        done: whether a text may end.
        """
        import torch

        generator = torch.Generator().manual_seed(seed)
        lines = [_Line(_forms(words), done, self.pieces, self.tokenizer.eos_token_id) for _ in range(CANDIDATES)]
        with torch.inference_mode():
            out = self.model(
                input_ids=torch.tensor([self.backend.prompt_ids(prompt)]), use_cache=True, logits_to_keep=1
            )
            cache = out.past_key_values
            cache.batch_repeat_interleave(CANDIDATES)
            logits = out.logits[:, -1].float().expand(CANDIDATES, -1)
            for _ in range(MAX_TOKENS):
                logprobs = logits.log_softmax(-1)
                best = logprobs.topk(min(LOOKED_AT, logprobs.shape[-1])).indices.tolist()
                for row, line in enumerate(lines):
                    if line.alive:
                        line.take(best[row], logprobs[row], generator if row else None)
                if sum(line.ended for line in lines) >= ENOUGH or not any(line.alive for line in lines):
                    break
                step = torch.tensor([[line.last] for line in lines])
                logits = self.model(input_ids=step, past_key_values=cache, use_cache=True).logits[:, -1].float()
        return [(line.text, line.total / max(1, line.size), line.ended) for line in lines]


class _Line:
    """One candidate while it is decoded."""

    def __init__(self, allowed: frozenset[str], done: Callable[[str], bool], pieces: Sequence[str], end: int) -> None:
        self.allowed, self.done, self.pieces, self.end = allowed, done, pieces, end
        self.text, self.total, self.size, self.last = "", 0.0, 0, end
        self.alive, self.ended = True, False

    def take(self, best: Sequence[int], logprobs: torch.Tensor, generator: torch.Generator | None) -> None:
        """The likeliest token that may follow, or with a generator one drawn from those; none: the line stops."""
        fitting = (i for i in best if self._fits(i))
        if generator is None:
            chosen = next(fitting, None)
        elif ids := list(islice(fitting, DRAWN_FROM)):
            chosen = ids[int((logprobs[ids] / TEMPERATURE).softmax(-1).multinomial(1, generator=generator))]
        else:
            chosen = None
        if chosen is None or chosen == self.end:
            self.alive, self.ended, self.last = False, chosen is not None, self.end
        else:
            self.last = chosen
            self.text += self.pieces[chosen]
        if chosen is not None:
            self.total, self.size = self.total + float(logprobs[chosen]), self.size + 1

    def _fits(self, token: int) -> bool:
        """Whether the text with this token can still become one of two lines and of allowed words."""
        if token == self.end:
            whole = self.text.count("\n") == 1 and self.text.rstrip()[-1:] in ENDS
            return whole and self._words_fit(self.text + " ") and self.done(self.text)
        new = self.text + self.pieces[token]
        return new.count("\n") <= 1 and "\ufffd" not in new and self._words_fit(new) and not _repeats(new)

    def _words_fit(self, text: str) -> bool:
        found = [m for m in WORD.finditer(text.lower()) if m.end() >= len(self.text)]
        done = [m[0] in self.allowed for m in found if m.end() < len(text)]
        begun = [any(word.startswith(m[0]) for word in self.allowed) for m in found if m.end() == len(text)]
        return all(done) and all(begun)


def _repeats(text: str) -> bool:
    """Whether the last three whole words of the description stand in it twice."""
    words = [m[0].lower() for m in WORD.finditer(text, text.find("\n") + 1) if m.end() < len(text)]
    runs = list(zip(words, words[1:], words[2:], strict=False))
    return "\n" in text and bool(runs) and runs[-1] in runs[:-1]


def _forms(words: Collection[str]) -> frozenset[str]:
    """Every form of the words that may be written."""
    return _FRAMES | {*words} | {stem(w) + ending for w in words for ending in _ENDINGS}


def missing(text: str, hints: Hints) -> list[str]:
    """The claims of the prompt that a text does not say: their words of meaning, one behind the other."""
    lines = [_stems(line) for line in text.splitlines()]

    def said(words: list[str]) -> bool:
        return any(words == line[i : i + len(words)] for line in lines for i in range(len(line)))

    return [words for words, _ in hints.told.values() if not said(_stems(words))]


def _stems(text: str) -> list[str]:
    return [stem(w) for w in WORD.findall(text.lower()) if w not in FRAME]


def choose(candidates: Sequence[Candidate], hints: Hints) -> Candidate | None:
    """The likeliest of the candidates that say everything; None: none is likely, and the renderer's text stands."""
    whole = [
        each
        for each in candidates
        if each.likelihood >= LEAST
        and not missing(f"{each.title}\n{each.description}", hints)
        and not _BROKEN.search(each.description)
        and each.title.lower() != each.description.lower().rstrip(".")
    ]
    return max(whole, key=lambda each: each.likelihood, default=None)
