"""Any image-text-to-text model that transformers loads, in this process: it fills in forms, writes and judges claims.

What is asked, and in which words, is what a server's model is asked (``listing.backends.openai``). The embedded model
and what is tuned from it are asked closed questions instead (``listing.backends.embedded``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from listing.backends.base import BackendError, Form, has_bfloat16
from listing.backends.decoding import Decoder, Prompt, first_line
from listing.backends.filling import FORM_TOKENS, MAX_PHOTOS, SIDE, FormFilling, Reply
from listing.backends.turns import correct_template

if TYPE_CHECKING:
    import torch

# Families that are asked question by question; too small for a form, and all questions fit one pass.
EMBEDDED_TYPES = frozenset({"fast_vlm"})


def pick_device() -> tuple[str, torch.dtype]:
    """(device, precision): 16-bit where the hardware computes in it, else 32-bit."""
    import torch

    if torch.cuda.is_available():
        return "cuda", torch.bfloat16
    if torch.backends.mps.is_available():
        return "mps", torch.float16
    return "cpu", torch.bfloat16 if has_bfloat16() else torch.float32


def is_embedded(source: str | Path) -> bool:
    """True of a folder with the embedded model or one that is tuned from it."""
    config = Path(source) / "config.json"
    return config.is_file() and json.loads(config.read_text(encoding="utf-8")).get("model_type") in EMBEDDED_TYPES


class TransformersModel:
    """A transformers model and its processor, which write. ``source`` is a folder or a hub id.

    concurrency: prompts that are decoded together.
    """

    def __init__(self, source: str | Path, concurrency: int = 1) -> None:
        self.source, self.concurrency = str(source), concurrency
        self.device, self.dtype = pick_device()
        self.model, self.processor = self._load()
        self.tokenizer = self.processor.tokenizer
        self.name = _model_name(Path(self.source), self.source)
        self.decoder = Decoder(self.model, self.tokenizer, self._inputs, concurrency)

    def _load(self) -> tuple[Any, Any]:
        import torch
        from transformers import AutoModelForImageTextToText, AutoProcessor

        try:
            model: Any = AutoModelForImageTextToText.from_pretrained(
                self.source, dtype=self.dtype, trust_remote_code=False, use_safetensors=True
            )
            processor = AutoProcessor.from_pretrained(self.source, trust_remote_code=False)
        except (OSError, ValueError) as error:
            raise BackendError(
                f"The model {self.source!r} cannot be loaded: name a folder or hub id of an image-text-to-text model "
                f"in safetensors, or leave --model and IPL_MODEL out for the embedded one ({first_line(error)})."
            ) from error
        model = model.to(device=self.device).eval()
        if getattr(getattr(model.config, "vision_config", None), "model_type", None) == "timm_wrapper":
            # The same numbers; 16-bit convolutions of a CPU take a third of the time.
            model.model.vision_tower.to(memory_format=torch.channels_last)
        return model, correct_template(processor, model.config.model_type)

    def write(self, images: Sequence[Image.Image], prompt: str, *, max_tokens: int = 120) -> Iterator[str]:
        """See ``Backend.write``; greedy, and closing the iterator stops the decoding."""
        return self.decoder.stream(Prompt(images, prompt, max_tokens))

    def inputs(self, images: Sequence[Image.Image], prompt: str) -> Any:
        """The user's turn as the model's inputs."""
        return self._inputs([Prompt(images, prompt, 0)])

    def _inputs(self, prompts: Sequence[Prompt]) -> Any:
        chats = []
        for prompt in prompts:
            content: list[dict[str, Any]] = [{"type": "image", "image": bounded(image)} for image in prompt.images]
            chats.append([{"role": "user", "content": [*content, {"type": "text", "text": prompt.text}]}])
        inputs = self.processor.apply_chat_template(
            chats if len(chats) > 1 else chats[0],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True, "padding_side": "left"} if len(chats) > 1 else None,
        )
        return inputs.to(self.device, self.dtype)

    def describe(self) -> dict[str, Any]:
        """Model, device and precision."""
        return {"model": self.name, "device": self.device, "precision": str(self.dtype).removeprefix("torch.")}


class LocalBackend(FormFilling, TransformersModel):
    """A model of any other family; implements ``Backend`` and ``FormBackend``. Safe to use from several threads."""

    def reply(self, images: Sequence[Image.Image], prompt: str, form: Form) -> Reply:
        """See ``FormFilling.reply``."""
        asked = Prompt(images[:MAX_PHOTOS], prompt, FORM_TOKENS, listed=True)
        text = "".join(self.decoder.stream(asked))
        return Reply(text, self.decoder.tokens(asked), len(asked.images), asked.cut)


def bounded(image: Image.Image) -> Image.Image:
    """The photo at the size at which a server gets it."""
    if max(image.size) <= SIDE:
        return image
    smaller = image.copy()
    smaller.thumbnail((SIDE, SIDE))
    return smaller


def _model_name(folder: Path, source: str) -> str:
    manifest = folder / "ipl.json"
    if manifest.is_file():
        return f"{folder.name}@{json.loads(manifest.read_text(encoding='utf-8'))['fingerprint']}"
    return source
