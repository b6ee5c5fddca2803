"""Any image-text-to-text model that transformers loads, in this process; the default is the embedded ``ipl-mini``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from weakref import ref

from PIL import Image

from listing.backends import turns
from listing.backends.base import BackendError, ChoiceQuestion, has_bfloat16
from listing.backends.prefix_tree import Tree
from listing.backends.turns import correct_template

if TYPE_CHECKING:
    import torch

LOOKED = 8  # photos, as many as an item may have
# The one-pass tree writes its own positions and mask, which suits a decoder with one-dimensional positions that takes
# its photo as plain embeddings. Families with positions in three axes, or with features added in deeper layers, do not.
TREE_USABLE = frozenset({"fast_vlm"})
BATCH = 8


def pick_device() -> tuple[str, torch.dtype]:
    """(device, precision): 16-bit where the hardware computes in it, else 32-bit."""
    import torch

    if torch.cuda.is_available():
        return "cuda", torch.bfloat16
    if torch.backends.mps.is_available():
        return "mps", torch.float16
    return "cpu", torch.bfloat16 if has_bfloat16() else torch.float32


class LocalBackend:
    """A transformers model and its processor. ``source`` is a folder or a hub id."""

    concurrency = 1

    def __init__(self, source: str | Path) -> None:
        self.source = str(source)
        self.device, self.dtype = pick_device()
        self.model, self.processor = self._load()
        self.tokenizer = self.processor.tokenizer
        self.name = _model_name(Path(self.source), self.source)
        self.tree = self.model.config.model_type in TREE_USABLE
        self._frame = self._photo_frame() if self.tree else ("", "")
        self.heads = TowerHeads.load(Path(self.source))
        self._looked: list[tuple[ref[Image.Image], torch.Tensor]] = []  # no photo outlives its draft here

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
                f"in safetensors, or leave --model and IPL_MODEL out for the embedded one ({_first_line(error)})."
            ) from error
        model = model.to(device=self.device).eval()
        if getattr(getattr(model.config, "vision_config", None), "model_type", None) == "timm_wrapper":
            # The same numbers; 16-bit convolutions of a CPU take a third of the time.
            model.model.vision_tower.to(memory_format=torch.channels_last)
        return model, correct_template(processor, model.config.model_type)

    # -- closed choices ---------------------------------------------------------------------------------------------

    def score(self, image: Image.Image, questions: Sequence[ChoiceQuestion]) -> dict[str, dict[str, float]]:
        """See ``Backend.score``. One forward pass where the family allows it: all of it stands in one tree."""
        if not questions:
            return {}
        sums = self._in_one_tree(image, questions) if self.tree else self._by_full_prompts(image, questions)
        return {
            question.name: dict(zip(question.answers, part.softmax(-1).tolist(), strict=True))
            for question, part in zip(questions, sums, strict=True)
        }

    def _in_one_tree(self, image: Image.Image, questions: Sequence[ChoiceQuestion]) -> Sequence[torch.Tensor]:
        """Log-probabilities of the answers, question by question."""
        import torch

        tree, answers = self.layout(questions)
        ends = tree.ends()
        asked = sorted({ends[number] for answer in answers for number, _ in answer})
        column = {index: i for i, index in enumerate(asked)}
        where = torch.tensor([column[ends[number]] for answer in answers for number, _ in answer], device=self.device)
        targets = torch.tensor([token for answer in answers for _, token in answer], device=self.device)
        with torch.inference_mode():
            hidden = self._run(tree, self._image_features(image))
            picked = self.model.get_output_embeddings()(hidden[:, asked]).float().log_softmax(-1)[0, where, targets]
        sums = torch.stack([part.sum() for part in picked.split([len(answer) for answer in answers])])
        return sums.split([len(question.answers) for question in questions])

    def _by_full_prompts(self, image: Image.Image, questions: Sequence[ChoiceQuestion]) -> Iterator[torch.Tensor]:
        """The same for any family: every answer behind its own full prompt, in batches; slower, without assumptions."""
        import torch

        for asked in questions:
            parts = [asked.answers[start : start + BATCH] for start in range(0, len(asked.answers), BATCH)]
            yield torch.cat([score_full(self.model, self.processor, image, asked.prompt, part) for part in parts])

    def layout(self, questions: Sequence[ChoiceQuestion]) -> tuple[Tree, list[list[tuple[int, int]]]]:
        """(tree, of every answer in the order asked what ``Tree.add_answers`` says); node 0 is the photo's prefix."""
        tree = Tree()
        prefix = tree.add(self.prefix_ids())
        answers = []
        for question in questions:
            asked = tree.add(self.question_ids(question.prompt), prefix)
            answers += tree.add_answers([self.answer_ids(text) for text in question.answers], asked)
        return tree, answers

    def prefix_ids(self) -> list[int]:
        """Tokens before the question: the opening of the user's turn and the image tokens."""
        before, _ = self._frame
        count = self.model.config.image_seq_length
        return self._ids(before.replace(self.processor.image_token, self.processor.image_token * count))

    def question_ids(self, prompt: str) -> list[int]:
        """The question, the end of the user's turn and the opening of the assistant's."""
        _, after = self._frame
        return self._ids(prompt + after)

    def answer_ids(self, answer: str) -> list[int]:
        """The answer and the end of the turn."""
        return [*self._ids(answer), self.tokenizer.eos_token_id]

    def _photo_frame(self) -> tuple[str, str]:
        """The template's text before and after a prompt about a photo."""
        mark = "\u241f"  # never tokenised: only splits the rendered template
        before, after = turns.render(self.processor, [turns.question(mark)], ask=True).split(mark)
        return before, after

    def _ids(self, text: str) -> list[int]:
        return turns.token_ids(self.processor, text)

    def _image_features(self, image: Image.Image) -> torch.Tensor:
        """[image tokens, hidden]; a photo of the last questions is not looked at again."""
        self._looked = [(photo, features) for photo, features in self._looked if photo() is not None]
        if all(photo() is not image for photo, _ in self._looked):
            pixels = self.processor.image_processor([image], return_tensors="pt")["pixel_values"]
            output = self.model.model.get_image_features(pixel_values=pixels.to(self.device, self.dtype))
            self._looked = [*self._looked, (ref(image), output.pooler_output[0])][-LOOKED:]
        return next(features for photo, features in self._looked if photo() is image)

    def _run(self, tree: Tree, features: torch.Tensor) -> torch.Tensor:
        """Last hidden states [1, tokens, hidden] of the tree under a photo."""
        import torch

        ids = torch.tensor(tree.ids, device=self.device)
        embeds = self.model.get_input_embeddings()(ids).clone()
        embeds[ids == self.model.config.image_token_id] = features.to(embeds.dtype)
        positions = torch.tensor(tree.positions(), device=self.device)
        out = self.model.model.language_model(
            inputs_embeds=embeds[None],
            attention_mask=tree.mask().to(self.device)[None, None],
            position_ids=positions[None],
            use_cache=False,
        )
        return out.last_hidden_state

    # -- text -------------------------------------------------------------------------------------------------------

    def write(self, images: Sequence[Image.Image], prompt: str, *, max_tokens: int = 120) -> Iterator[str]:
        """See ``Backend.write``; greedy, and closing the iterator stops the decoding."""
        import torch
        from transformers import StoppingCriteria, StoppingCriteriaList, TextIteratorStreamer

        try:
            inputs = self.inputs(images, prompt)
        except (ValueError, IndexError, RuntimeError):  # what the processors of models for one photo raise
            if len(images) < 2:
                raise
            inputs = self.inputs(images[:1], prompt)
        stopped = False

        class Stop(StoppingCriteria):
            def __call__(self, ids: Any, scores: Any, **kwargs: Any) -> Any:
                return torch.full((ids.shape[0],), stopped, device=ids.device)

        streamer = TextIteratorStreamer(self.tokenizer, skip_prompt=True, skip_special_tokens=True)
        failure: list[BaseException] = []

        def work() -> None:
            try:
                with torch.inference_mode():
                    self.model.generate(
                        **inputs,
                        max_new_tokens=max_tokens,
                        do_sample=False,
                        streamer=streamer,
                        stopping_criteria=StoppingCriteriaList([Stop()]),
                        pad_token_id=self.tokenizer.pad_token_id or self.tokenizer.eos_token_id,
                    )
            except BaseException as error:  # handed to the reader, which would otherwise wait for ever
                failure.append(error)
                streamer.end()

        thread = Thread(target=work, daemon=True)
        thread.start()
        try:
            yield from (piece for piece in streamer if piece)
        finally:
            stopped = True
            thread.join()
        if failure:
            raise BackendError(f"The model stopped while writing ({_first_line(failure[0])}).") from failure[0]

    def inputs(self, images: Sequence[Image.Image], prompt: str) -> Any:
        """The user's turn as the model's inputs."""
        content: list[dict[str, Any]] = [{"type": "image", "image": image} for image in images]
        inputs = self.processor.apply_chat_template(
            [{"role": "user", "content": [*content, {"type": "text", "text": prompt}]}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        return inputs.to(self.device, self.dtype)

    # -- the tower's own heads --------------------------------------------------------------------------------------

    def opinions(self, image: Image.Image) -> dict[str, dict[str, float]]:
        """See ``Backend.opinions``; mean over the photo and its mirror image."""
        if self.heads is None:
            return {}
        import torch

        mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = self.processor.image_processor([image, mirrored], return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            maps = self.model.model.vision_tower(pixels.to(self.device, self.dtype)).last_hidden_state
        return self.heads(maps.float().mean((2, 3)).cpu())

    def describe(self) -> dict[str, Any]:
        """Model, device and precision."""
        return {"model": self.name, "device": self.device, "precision": str(self.dtype).removeprefix("torch.")}


class TowerHeads:
    """Linear heads of the tuned vision tower: pooled features [views, 1280] -> probabilities by head."""

    def __init__(self, tensors: dict[str, torch.Tensor], values: dict[str, list[str]]) -> None:
        self.tensors, self.values = tensors, values

    @classmethod
    def load(cls, folder: Path) -> TowerHeads | None:
        """Heads of a model folder, or None where it has none."""
        weights, facts = folder / "tower.safetensors", folder / "tower.json"
        if not weights.is_file() or not facts.is_file():
            return None
        from safetensors.torch import load_file

        tensors = {n: t.float() for n, t in load_file(weights).items() if n.startswith("heads.")}
        return cls(tensors, json.loads(facts.read_text(encoding="utf-8"))["values"])

    def __call__(self, pooled: torch.Tensor) -> dict[str, dict[str, float]]:
        out = {}
        for name, values in self.values.items():
            logits = pooled @ self.tensors[f"heads.{name}.weight"].T + self.tensors[f"heads.{name}.bias"]
            out[name] = dict(zip(values, logits.softmax(-1).mean(0).tolist(), strict=True))
        return out


def _model_name(folder: Path, source: str) -> str:
    manifest = folder / "ipl.json"
    if manifest.is_file():
        return f"{folder.name}@{json.loads(manifest.read_text(encoding='utf-8'))['fingerprint']}"
    return source


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def score_full(model: Any, processor: Any, image: Image.Image, prompt: str, answers: Sequence[str]) -> torch.Tensor:
    """Log-probabilities of a few answers (end of turn included) in one batch of full prompts."""
    import torch

    dialogues = [turns.find_turns(processor, [turns.question(prompt), turns.answer(text)]) for text in answers]
    inputs = processor(
        text=[d.text for d in dialogues],
        images=[[image] for _ in dialogues],
        padding=True,
        padding_side="right",
        add_special_tokens=False,
        return_tensors="pt",
    )
    lengths = inputs["attention_mask"].sum(-1).tolist()
    spans = [
        d.expanded(inputs["input_ids"][k, :n].tolist())[0]
        for k, (d, n) in enumerate(zip(dialogues, lengths, strict=True))
    ]
    first = min(start for start, _ in spans) - 1
    with torch.inference_mode():
        moved = inputs.to(model.device, model.dtype)
        logits = model(**moved, use_cache=False, logits_to_keep=moved["input_ids"].shape[1] - first).logits
    logprobs = logits.float().log_softmax(-1)
    sums = []
    for row, (start, end) in enumerate(spans):
        targets = moved["input_ids"][row, start:end]
        sums.append(logprobs[row, torch.arange(start - 1 - first, end - 1 - first), targets].sum())
    return torch.stack(sums)
