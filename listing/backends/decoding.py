"""Greedy decoding in this process: prompts that wait at the same time are decoded together, each piece by piece.

Forms, texts and claims of several drafts share a batch, whatever their lengths; one that is closed or complete ends by
itself. The alternatives of a token are listed as servers list them, without keeping any step's whole distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from PIL import Image

from listing.backends.base import BackendError
from listing.backends.forms import Token
from listing.backends.stopping import POLL_SECONDS, STOPPED, Stopped, current_wish

if TYPE_CHECKING:
    import torch

ALTERNATIVES = 20  # of a token, as many as servers list


@dataclass
class Prompt:
    """A user's turn, and what was decoded of its answer. ``listed``: with the alternatives of each token."""

    images: Sequence[Image.Image]
    text: str
    max_tokens: int
    listed: bool = False
    ids: list[int] = field(default_factory=list)
    others: list[tuple[list[int], list[float]]] = field(default_factory=list)
    pieces: SimpleQueue[str | BaseException | None] = field(default_factory=SimpleQueue)
    closed: bool = False  # nobody wants more of it
    cut: bool = False  # it had as many tokens as it may have
    sent: int = 0  # characters


class Decoder:
    """Decodes the answers of one model. ``inputs``: of prompts, padded on the left; ``most``: prompts in one batch."""

    def __init__(self, model: Any, tokenizer: Any, inputs: Callable[[Sequence[Prompt]], Any], most: int = 1) -> None:
        self.model, self.tokenizer, self.inputs, self.most = model, tokenizer, inputs, most
        ends = model.generation_config.eos_token_id
        self.ends = {tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None}
        self._lock, self._waiting, self._working = Lock(), list[Prompt](), False

    def stream(self, prompt: Prompt) -> Iterator[str]:
        """Pieces of an answer; closing the iterator ends it, and so does the wish to stop."""
        wish = current_wish()
        with self._lock:
            self._waiting.append(prompt)
            if not self._working:
                self._working = True
                Thread(target=self._work, name="decoding", daemon=True).start()
        try:
            while True:
                if wish():
                    raise Stopped(STOPPED)
                try:
                    piece = prompt.pieces.get(timeout=POLL_SECONDS)
                except Empty:
                    continue
                if isinstance(piece, BaseException):
                    raise BackendError(f"The model stopped while writing ({first_line(piece)}).") from piece
                if piece is None:
                    return
                yield piece
        finally:
            prompt.closed = True

    def tokens(self, prompt: Prompt) -> list[Token]:
        """The tokens of an answer with their alternatives."""
        import torch

        start = len(self._text(stop := self._anchor()))

        def text(token: int) -> str:
            return self._text([*stop, token])[start:]  # by itself, some decoders take off the blank before a word

        found = []
        for token, (others, logprobs) in zip(prompt.ids, prompt.others, strict=False):
            if token not in self.ends:
                listed = [(text(other), p) for other, p in zip(others, logprobs, strict=True)]
                own = next((p for other, p in zip(others, logprobs, strict=True) if other == token), -torch.inf)
                found.append(Token(text(token), own, listed))
        return found

    def _anchor(self) -> list[int]:
        return list(self.tokenizer(".", add_special_tokens=False)["input_ids"])

    def _text(self, ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    # -- the thread that decodes ------------------------------------------------------------------------------------

    def _work(self) -> None:
        while batch := self._next():
            self._decode([prompt for prompt in batch if not prompt.closed])

    def _next(self) -> list[Prompt]:
        with self._lock:
            batch, self._waiting = self._waiting[: self.most], self._waiting[self.most :]
            self._working = bool(batch)
            return batch

    def _decode(self, batch: Sequence[Prompt]) -> None:
        """Decode all at once; what fails before its first token is tried one by one, and then with one photo each."""
        if not batch:
            return
        try:
            self._generate(batch)
        except BaseException as error:  # handed to the readers, who would otherwise wait for ever
            begun = any(prompt.ids for prompt in batch)
            if len(batch) > 1 and not begun:
                for prompt in batch:
                    self._decode([prompt])
            elif len(batch[0].images) > 1 and not begun:  # as the processors of models for one photo fail
                batch[0].images = batch[0].images[:1]
                self._decode(batch)
            else:
                for prompt in batch:
                    prompt.pieces.put(error)
        else:
            for prompt in batch:
                prompt.pieces.put(None)

    def _generate(self, batch: Sequence[Prompt]) -> None:
        import torch
        from transformers import LogitsProcessorList, StoppingCriteriaList

        def list_alternatives(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            best = scores.float().log_softmax(-1).topk(min(ALTERNATIVES, scores.shape[-1]))
            for prompt, others, logprobs in zip(batch, best.indices.tolist(), best.values.tolist(), strict=True):
                prompt.others.append((others, logprobs))
            return scores

        def take_tokens(ids: torch.Tensor, scores: Any, **more: Any) -> torch.Tensor:
            done = [self._take(prompt, token) for prompt, token in zip(batch, ids[:, -1].tolist(), strict=True)]
            return torch.tensor(done, device=ids.device)

        with torch.inference_mode():
            self.model.generate(
                **self.inputs(batch),
                max_new_tokens=max(prompt.max_tokens for prompt in batch),
                do_sample=False,
                repetition_penalty=1.0,  # a form repeats its keys
                logits_processor=LogitsProcessorList([list_alternatives] if any(p.listed for p in batch) else []),
                stopping_criteria=StoppingCriteriaList([take_tokens]),
                pad_token_id=self.tokenizer.pad_token_id or self.tokenizer.eos_token_id,
            )

    def _take(self, prompt: Prompt, token: int) -> bool:
        """Keep a token of an answer, unless it has ended; True where it has."""
        over = prompt.closed or prompt.cut or bool(prompt.ids and prompt.ids[-1] in self.ends)
        if over:
            return True
        prompt.ids.append(token)
        prompt.cut = len(prompt.ids) >= prompt.max_tokens and token not in self.ends
        ended = prompt.cut or token in self.ends
        if ended or not prompt.listed:  # of a form, nobody reads half of it
            text = self._text(prompt.ids)
            if ended or not text.endswith("\ufffd"):  # a letter may be several tokens
                if text[prompt.sent :]:
                    prompt.pieces.put(text[prompt.sent :])
                prompt.sent = len(text)
        return ended


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its kind."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
