"""Chat templates that contradict themselves, by model type, and what is used instead.

The hub's template of LLaVA-OneVision writes past turns of the assistant as ``assistant`` + space + newline and opens
a new one without the space: what would be tuned is not what is asked. That of Qwen3.5 writes thoughts, if empty ones,
before the last answer and not before others, and opens a new one with thoughts to come: here every answer has empty
ones, which is how that model is asked not to think. The corrected one is saved with what is tuned.
"""

from __future__ import annotations

from typing import Any

_ONEVISION = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ '<image>\n' }}"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_QWEN3_5 = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}"
    "{{ '<|vision_start|><|image_pad|><|vision_end|>' }}{% else %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n\n</think>\n\n' }}{% endif %}"
)
CORRECTED = {"llava_onevision": _ONEVISION, "qwen3_5": _QWEN3_5}


def correct_template(processor: Any, model_type: str) -> Any:
    """The processor, with the corrected template where its family needs one."""
    if model_type in CORRECTED:
        processor.chat_template = CORRECTED[model_type]
    return processor
