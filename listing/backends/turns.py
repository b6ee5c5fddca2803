"""Where the answers stand in a templated conversation, to the token: one rule for tuning and for scoring.

A span is found by templating the conversation up to it and checking that this is a prefix of the whole, in ids; never
by searching for strings, which fails as soon as an answer occurs in its own question. Templates that contradict
themselves are corrected first, and the corrected one is saved with what is tuned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from listing.errors import IplError

Message = Mapping[str, Any]
# The hub's writes past turns as "assistant" + space + newline and opens a new one without the space: what would be
# tuned is not what is asked.
_ONEVISION = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ '<image>\n' }}"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# The hub's writes empty thoughts before the last answer alone, and opens a new one with thoughts to come; here every
# answer has empty ones, which is how that model is asked not to think.
_QWEN3_5 = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}"
    "{{ '<|vision_start|><|image_pad|><|vision_end|>' }}{% else %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n\n</think>\n\n' }}{% endif %}"
)
CORRECTED = {"llava_onevision": _ONEVISION, "qwen3_5": _QWEN3_5}


class TemplateError(IplError, ValueError):
    """The chat template does not let an answer's tokens be found exactly; the message says why."""

    exit_status = 2


@dataclass(frozen=True)
class Turns:
    """A templated conversation. ``ids``: with one token for each photo; ``spans``: [start, end) of each answer."""

    text: str
    ids: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]

    def expanded(self, ids: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """The spans in ``ids``, the processor's own with every photo at its full number of tokens.

        Raises:
            TemplateError: a photo stands behind an answer, so that one shift does not fit all spans.
        """
        if not self.spans:
            return ()
        shift, first = len(ids) - len(self.ids), self.spans[0][0]
        if shift < 0 or list(ids[first + shift :]) != list(self.ids[first:]):
            raise TemplateError("the photos must stand before the first answer; put them into the first question.")
        return tuple((start + shift, end + shift) for start, end in self.spans)


def part(text: str) -> dict[str, str]:
    """A piece of text in a message's content."""
    return {"type": "text", "text": text}


def question(text: str, photos: int = 1) -> dict[str, Any]:
    """A user's turn; the photos come first."""
    return {"role": "user", "content": [*({"type": "image"} for _ in range(photos)), part(text)]}


def answer(text: str) -> dict[str, Any]:
    """The assistant's turn."""
    return {"role": "assistant", "content": [part(text)]}


def render(processor: Any, messages: Sequence[Message], *, ask: bool = False) -> str:
    """The conversation as text; ``ask``: with the opening of the assistant's turn."""
    return str(processor.apply_chat_template(list(messages), add_generation_prompt=ask, tokenize=False))


def token_ids(processor: Any, text: str) -> list[int]:
    """Ids of templated text (the template itself writes every special token)."""
    return list(processor.tokenizer(text, add_special_tokens=False)["input_ids"])


def find_turns(processor: Any, messages: Sequence[Message]) -> Turns:
    """Template the conversation and find the answers; a span runs from after the opening to the end-of-turn token.

    Raises:
        TemplateError: a shorter conversation is no prefix of the longer one, or a turn ends without a special token.
    """
    whole = render(processor, messages)
    ids = token_ids(processor, whole)
    special = set(processor.tokenizer.all_special_ids) | set(processor.tokenizer.added_tokens_decoder)

    def length(text: str) -> int:
        head = token_ids(processor, text)
        if not whole.startswith(text) or ids[: len(head)] != head:
            raise TemplateError(
                "the chat template writes a turn differently once others follow: no answer's tokens can be told."
            )
        return len(head)

    spans = []
    for number, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        start = length(render(processor, messages[:number], ask=True))
        end = length(render(processor, messages[: number + 1]).rstrip())
        if end <= start or ids[end - 1] not in special:
            raise TemplateError(
                "the chat template ends an answer without an end-of-turn token: the model would never stop."
            )
        spans.append((start, end))
    return Turns(whole, tuple(ids), tuple(spans))


def correct_template(processor: Any, model_type: str) -> Any:
    """The processor, with the corrected template where its family needs one."""
    if model_type in CORRECTED:
        processor.chat_template = CORRECTED[model_type]
    return processor
