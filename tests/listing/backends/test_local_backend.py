"""Models in this process: they fill in the form, write and judge claims, several drafts at once; tiny random ones of
the true architectures, and one whose decoding is scripted."""

from __future__ import annotations

import functools
import json
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image

from listing.backends import filling, local
from listing.backends.base import FormBackend, QuestionBackend
from listing.backends.decoding import Prompt
from listing.backends.embedded import open_local
from listing.backends.local import LocalBackend
from listing.backends.stopping import Stopped, stop_when
from listing.observe.language_model import item_form
from listing.observe.towers import EvidenceTowerHeads, TowerView
from listing.pipeline import Pipeline, build_pipeline
from listing.say import model_text
from listing.say.ask import readable
from listing.say.clauses import joints
from listing.taxonomy import load_taxonomy
from tests.finetune import tiny
from tests.listing.stubs import of_photos, parts

NAMES = ("qwen2.5-vl", "smolvlm", "gemma3")
PHOTO = Image.new("RGB", (60, 40), (200, 40, 20))
FORM = {"category": "hoodie", "colour": "navy", "closure": "zip", "material": "unknown", "details": ["thumb loops"]}
TEXT = "Navy zip hoodie\nNavy hoodie with a zip and thumb loops. It has a gold crown."


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    return functools.cache(lambda name: tiny.build(name, tmp_path_factory.mktemp(name)))


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random models do not stop by themselves."""
    monkeypatch.setattr(local, "FORM_TOKENS", 12)
    monkeypatch.setattr(model_text, "MAX_TOKENS", 12)


def backend_of(folder: Path, concurrency: int = 1) -> LocalBackend:
    backend = open_local(folder, concurrency)
    assert isinstance(backend, LocalBackend)
    assert isinstance(backend, FormBackend)
    assert not isinstance(backend, QuestionBackend), "a form alone is asked"
    backend.model.float()
    backend.dtype = torch.float32
    return backend


class Clothes:
    def look(self, photo: Image.Image) -> TowerView:
        return TowerView(None, {"label": {"Hoodie": 0.97}, "colour": {"navy": 0.97}}, {}, {})


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.nightly] * (n != "smolvlm")) for n in NAMES])
def test_nonsense_of_a_random_model_leaves_a_draft(name: str, folder_of: Callable[[str], Path], short: None) -> None:
    backend, asked = backend_of(folder_of(name)), []
    decode = backend.decoder.stream
    backend.decoder.stream = lambda prompt: asked.append(prompt) or decode(prompt)  # type: ignore[method-assign]
    runner = Pipeline(parts(backend, sources=[EvidenceTowerHeads(Clothes())]))  # type: ignore[arg-type]
    draft = readable(list(runner.run(of_photos(200, 220, category="Hoodie")))[-1].draft)
    assert "hoodie" in draft.title.lower()
    assert draft.description
    form, text = asked
    assert ("one JSON object" in form.text, "Write a second-hand listing" in text.text) == (True, True)
    assert [len(prompt.images) for prompt in asked] == [2, 2], "photos of the item in each"
    assert model_text.Conversation(backend, of_photos(), "key", "a hoodie").ask(["a zip"]) == {}
    assert "claims about" in asked[-1].text


@pytest.mark.parametrize("name", NAMES)
def test_what_is_decoded_together_is_what_each_is_alone(name: str, folder_of: Callable[[str], Path]) -> None:
    backend = backend_of(folder_of(name), concurrency=3)
    asked = [([PHOTO, PHOTO], "Fill in the form, please.", 9), ([PHOTO], "Write.", 4), ([], "And what is this?", 6)]
    prompts_alone, together = ([Prompt(*each, listed=True) for each in asked] for _ in range(2))
    for prompt in prompts_alone:
        backend.decoder._decode([prompt])
    backend.decoder._decode(together)
    assert [len(prompt.ids) for prompt in together] == [9, 4, 6]
    assert [prompt.ids for prompt in together] == [prompt.ids for prompt in prompts_alone]
    for prompt in together:
        tokens = backend.decoder.tokens(prompt)
        assert all(token.others[0] == (token.text, token.logprob) for token in tokens), "greedy: the likeliest"


# -- a model that answers ---------------------------------------------------------------------------------------------


class Scripted:
    """Greedy decoding of a tiny model whose every token is certain; ``batches``: prompts that were decoded together."""

    def __init__(self, backend: LocalBackend, answer: Callable[[str], str]) -> None:
        self.backend, self.answer = backend, answer
        self.batches: list[list[str]] = []
        self.go = threading.Event()
        self.go.set()
        backend.model.generate = self.generate

    def generate(self, input_ids: torch.Tensor, **more: Any) -> torch.Tensor:
        words = self.backend.tokenizer
        said = [words.decode(ids, skip_special_tokens=True) for ids in input_ids.tolist()]
        self.batches.append(said)
        assert self.go.wait(20)
        answers = [words(self.answer(text), add_special_tokens=False)["input_ids"] for text in said]
        for step in range(more["max_new_tokens"]):
            tokens = [ids[step] if step < len(ids) else words.eos_token_id for ids in answers]
            scores = torch.full((len(said), len(words)), -20.0)
            scores[range(len(said)), tokens] = 20.0
            more["logits_processor"](input_ids, scores)
            input_ids = torch.cat([input_ids, torch.tensor(tokens)[:, None]], 1)
            if more["stopping_criteria"](input_ids, None).all():
                break
        return input_ids


def answer(prompt: str) -> str:
    """A form, a text with a crown that no photo shows, and "yes" to all claims but that and those that are never so."""
    claims = re.findall(r"^(\d+)\. (.+)$", prompt, re.MULTILINE)
    if "claims about" in prompt:
        false = [n for n, claim in claims if claim in joints().never or "crown" in claim]
        return json.dumps({n: {"there": "no" if n in false else "yes", "sure": 0.9} for n, _ in claims})
    return json.dumps(FORM) if "one JSON object" in prompt else TEXT


@pytest.fixture
def speaker(folder_of: Callable[[str], Path]) -> SimpleNamespace:
    backend = backend_of(folder_of("smolvlm"), concurrency=4)
    return SimpleNamespace(backend=backend, model=Scripted(backend, answer))


def test_form_text_and_claims_make_a_draft(speaker: SimpleNamespace) -> None:
    draft = list(Pipeline(parts(speaker.backend)).run(of_photos()))[-1].draft
    assert [len(batch) for batch in speaker.model.batches] == [1] * len(speaker.model.batches)
    kinds = [("claims about" in p, "one JSON object" in p) for (p,) in speaker.model.batches]
    assert kinds[:3] == [(False, True), (False, False), (True, True)], "form, text, claims"
    assert draft.category.value == "Hoodie"
    assert {a.name: a.value for a in draft.attributes if a.value}["colour"] == "navy"
    assert draft.title == "Navy zip hoodie"
    assert draft.description == "Navy hoodie with a zip and thumb loops."
    assert [flag.message for flag in draft.flags if flag.code == "left-out"] == ["a gold crown"]
    assert draft.writer == {"title": "model", "description": "model"}


def test_probabilities_are_those_of_the_tokens(speaker: SimpleNamespace) -> None:
    filled = speaker.backend.fill([PHOTO], item_form(load_taxonomy()))
    assert filled.choices["colour"]["navy"] > 0.99
    assert [phrase.text for phrase in filled.phrases] == ["thumb loops"]


def until(met: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not met():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_prompts_that_wait_are_decoded_together(speaker: SimpleNamespace) -> None:
    speaker.model.go.clear()
    texts: dict[int, str] = {}

    def write(number: int) -> None:
        texts[number] = "".join(speaker.backend.write([PHOTO], f"Write {number}", max_tokens=99))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    threads[0].start()
    until(lambda: len(speaker.model.batches) == 1)
    for thread in threads[1:]:
        thread.start()
    until(lambda: len(speaker.backend.decoder._waiting) == 3)
    speaker.model.go.set()
    for thread in threads:
        thread.join(20)
    assert [len(batch) for batch in speaker.model.batches] == [1, 3]
    assert list(texts.values()) == [TEXT] * 4


def test_a_stopped_draft_frees_the_model(speaker: SimpleNamespace) -> None:
    pieces = speaker.backend.write([PHOTO], "Write.", max_tokens=10_000)
    assert next(pieces)
    pieces.close()
    stop_when(lambda: True)
    try:
        with pytest.raises(Stopped):
            list(speaker.backend.write([PHOTO], "Write."))
    finally:
        stop_when(lambda: False)
    assert speaker.backend.fill([PHOTO], item_form(load_taxonomy())) is not None


def test_forms_that_nobody_can_read_are_asked_no_more(speaker: SimpleNamespace) -> None:
    speaker.model.answer = lambda prompt: "lorem ipsum"
    form = item_form(load_taxonomy())
    for _ in range(filling.MAX_UNREADABLE + 2):
        assert speaker.backend.fill([PHOTO], form) is None
    assert len(speaker.model.batches) == 2 * filling.MAX_UNREADABLE, "each once more, with what is wrong"
    assert "could not be used" in speaker.model.batches[1][0]


@pytest.mark.nightly
@pytest.mark.model
def test_embedded_networks_carry_a_draft_of_nonsense(
    folder_of: Callable[[str], Path], repository: Path, model_folder: Path, short: None
) -> None:
    runner = build_pipeline(str(folder_of("smolvlm")), False, model_folder.parent.parent)
    draft = runner.draft([repository / "demo" / "hoodie.jpg"])
    assert draft.category.value == "Hoodie"
    assert set(draft.writer.values()) == {"renderer"}
    assert [flag.code for flag in draft.flags] == ["unreadable"]
