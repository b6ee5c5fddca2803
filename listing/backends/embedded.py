"""The embedded ``ipl-mini`` and what is tuned from it: closed questions in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import ref

from PIL import Image

from listing.backends import turns
from listing.backends.base import ChoiceQuestion
from listing.backends.local import LocalBackend, TransformersModel, is_embedded
from listing.backends.prefix_tree import Tree

if TYPE_CHECKING:
    import torch

LOOKED = 8  # photos, as many as an item may have


def open_local(source: str | Path, concurrency: int = 1) -> EmbeddedBackend | LocalBackend:
    """The model of a folder or hub id; BackendError: it cannot be loaded."""
    return EmbeddedBackend(source) if is_embedded(source) else LocalBackend(source, concurrency)


class EmbeddedBackend(TransformersModel):
    """Scores closed questions. The tree of all of them writes its own positions and mask, which suits a decoder with
    one-dimensional positions that takes its photo as plain embeddings."""

    def __init__(self, source: str | Path) -> None:
        super().__init__(source)
        self._frame = self._photo_frame()
        self._looked: list[tuple[ref[Image.Image], torch.Tensor]] = []  # no photo outlives its draft here

    def score(self, image: Image.Image, questions: Sequence[ChoiceQuestion]) -> dict[str, dict[str, float]]:
        """See ``QuestionBackend.score``: one forward pass, all of it stands in one tree."""
        if not questions:
            return {}
        sums = self._in_one_tree(image, questions)
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
