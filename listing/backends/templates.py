"""Chat templates that contradict themselves, by model type, and what is used instead.

The hub's template of LLaVA-OneVision writes past turns of the assistant as ``assistant`` + space + newline and opens
a new one without the space: what would be tuned is not what is asked. The corrected one is saved with what is tuned.
"""

from __future__ import annotations

from typing import Any

_ONEVISION = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ '<image>\n' }}"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CORRECTED = {"llava_onevision": _ONEVISION}


def correct_template(processor: Any, model_type: str) -> Any:
    """The processor, with the corrected template where its family needs one."""
    if model_type in CORRECTED:
        processor.chat_template = CORRECTED[model_type]
    return processor
