"""Every family, as a tiny random model of its true class: score, one step, save, reload, generate, merge."""

import io
import json
import re

import pytest
import torch
from peft import PeftModel
from PIL import Image
from transformers import AutoModelForImageTextToText
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from finetune.embedded.assemble import ROOT
from finetune.errors import TuneError
from finetune.train.chat import train_chat
from finetune.train.collator import Collator, encode, read_samples
from finetune.train.configs import ChatConfig
from finetune.train.families import FAMILIES, family_of
from finetune.train.loading import check_trained, load_base, tower_layers, trained, with_lora
from finetune.train.merge import merge
from listing.backends.base import ChoiceQuestion
from listing.backends.embedded import open_local
from listing.backends.turns import answer, find_turns, question
from listing.decide.settle import settle
from listing.intake.photos import intake
from listing.request import DraftRequest, Photo
from listing.say.check import usable
from listing.say.model_text import listing_prompt, says_only, write
from tests.listing.stubs import TAXONOMY, claims

NAMES = [family.name for family in FAMILIES]
ROWS = {family.name: family for family in FAMILIES}
SHORT = ("ipl-mini", "smolvlm", "qwen3-vl")  # every night all of them
EACH = [pytest.param(name, marks=[pytest.mark.nightly] * (name not in SHORT)) for name in NAMES]
PHOTO = Image.new("RGB", (60, 40), (200, 40, 20))


@pytest.mark.slow
@pytest.mark.parametrize("name", EACH)
def test_a_step_trains_what_is_listed_and_merges(name, models, conversations, tmp_path):
    family, source = ROWS[name], models(name)
    cfg = ChatConfig(
        model=str(source), data=str(conversations), out=str(tmp_path / "out"), quantize="none", rank=2,
        trains=family.projector, pixels={}, steps=1, batch_size=2, accumulate=1, warmup=0, evaluate_every=1,
        fixed_samples=0, save_every=1, workers=0, lr=5e-2, log_every=1,
    )  # fmt: skip
    train_chat(cfg)
    out = tmp_path / "out"
    assert (out / "adapter" / "chat_template.jinja").is_file()
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert lines[0]["loss"] > 0
    assert any("eval_loss" in line for line in lines)
    merged = merge(str(source), out / "adapter", tmp_path / "merged")

    base, whole, backend = _plain(source), _plain(merged), open_local(merged)
    before = {n: p.clone() for n, p in base.named_parameters()}
    tuned = PeftModel.from_pretrained(base, out / "adapter").eval()
    inputs = _inputs(backend)
    with torch.inference_mode():
        assert torch.allclose(tuned(**inputs).logits, whole(**inputs).logits, atol=1e-4), "adapter and merge agree"
    after = dict(whole.named_parameters())
    changed = {n for n, p in before.items() if not torch.equal(p, after[n])}
    lora = re.compile(family.lora + r"\.weight")
    assert changed
    assert all(lora.fullmatch(n) or n.startswith(family.projector) for n in changed)
    assert any(n.startswith(family.projector) for n in changed)
    assert any(lora.fullmatch(n) for n in changed)
    assert "".join(backend.write([PHOTO], "hi", max_tokens=2)) is not None


def _plain(source):
    return AutoModelForImageTextToText.from_pretrained(source, dtype=torch.float32).eval()


def _inputs(backend):
    turns = find_turns(backend.processor, [question("What is it?"), answer("A hat")])
    return backend.processor(text=[turns.text], images=[[PHOTO]], add_special_tokens=False, return_tensors="pt")


def test_scores_are_those_of_the_whole_conversation(models):
    backend = open_local(models("ipl-mini"))
    backend.model.float()
    backend.dtype = torch.float32
    asked = ChoiceQuestion("colour", "What colour?", ("red", "dark blue", "grey"))
    scores = backend.score(PHOTO, [asked])["colour"]
    assert sum(scores.values()) == pytest.approx(1, abs=1e-4)
    sums = []
    for text in asked.answers:  # one plain forward pass each, through the processor
        turns = find_turns(backend.processor, [question(asked.prompt), answer(text)])
        inputs = backend.processor(text=[turns.text], images=[[PHOTO]], add_special_tokens=False, return_tensors="pt")
        ((start, end),) = turns.expanded(inputs["input_ids"][0].tolist())
        with torch.inference_mode():
            logprobs = backend.model(**inputs).logits[0].log_softmax(-1)
        sums.append(sum(logprobs[i - 1, inputs["input_ids"][0, i]] for i in range(start, end)))
    expected = torch.stack(sums).softmax(0)
    assert torch.allclose(torch.tensor(list(scores.values())), expected, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_another_photo_changes_the_loss(name, models, conversations):
    backend = open_local(models(name))
    model, processor = backend.model.float(), backend.processor
    (sample, *_), _ = encode(read_samples(conversations / "train.jsonl"), processor, 5000)
    losses = []
    for number in (0, 5, 0):
        other = type(sample)(sample.turns, (conversations / f"{number}.png",), sample.tokens, sample.messages)
        with torch.inference_mode():
            losses.append(model(**Collator(processor)([other])).loss.item())
    assert losses[0] == losses[2] != losses[1]


@pytest.mark.parametrize("name", EACH)
def test_a_listing_is_written_from_several_photos(name, models):
    """The prompt as it is served; a random model's words are no title, so that the rendered one stands."""
    backend = open_local(models(name))
    photos = [photo_of((200, 40, 20)), photo_of((30, 60, 200)), photo_of((20, 20, 20))]
    inputs = backend.inputs([photo.image for photo in photos], "Write.")
    one = backend.inputs([photos[0].image], "Write.")
    assert inputs["input_ids"].shape[1] > one["input_ids"].shape[1], "every photo has tokens of its own"
    request = DraftRequest(photos=tuple(photos), note="Worn twice.")
    stated = claims("Dress", {"colour": "navy", "sleeve": "long"})
    texts = drain(write(backend, request, listing_prompt(settle(stated, TAXONOMY), "Worn twice.", [], request)))
    assert set(texts) == {"title", "description"}
    title = texts["title"]
    assert not (usable(title, "title") and says_only(title, "title", stated, TAXONOMY))


def photo_of(colour: tuple[int, int, int]) -> Photo:
    held = io.BytesIO()
    Image.new("RGB", (200, 240), colour).save(held, "JPEG")
    return intake([held.getvalue()])[0]


def drain(stream):
    while True:
        try:
            next(stream)
        except StopIteration as end:
            return end.value


@pytest.mark.parametrize("name", NAMES)
def test_lora_reaches_the_language_models_layers_alone(name, models):
    base, _, family = load_base(models(name), pixels={})
    linear = {name for name, module in base.named_modules() if isinstance(module, torch.nn.Linear)}
    names = {name for name in linear if re.fullmatch(family.lora, name)}
    assert names == {name for name in linear if name.startswith(f"{family.language}.layers.")}
    assert len(names) >= 2 * 6
    for prefix in (*family.skipped, *family.vision, *family.projector):
        assert base.get_submodule(prefix) is not None


@pytest.mark.parametrize("name", NAMES)
def test_the_tower_is_reached_on_request(name, models):
    base, _, family = load_base(models(name), pixels={})
    inside = tower_layers(base, family, ())
    model = with_lora(base, family, ChatConfig("", "", "", rank=2, lora_tower=True), family.projector)
    reached = {n.split(".lora_")[0] for n in trained(model) if n.startswith(family.vision) and ".lora_" in n}
    assert reached == set(inside)
    assert reached or name == "ipl-mini", "its tower is made of convolutions"
    assert not any(n.startswith(family.projector) for n in reached)


def test_every_family_is_a_class_of_transformers():
    known = MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    assert [kind for f in FAMILIES for kind in f.model_types if kind not in known] == []


def test_the_documented_families_are_the_rows():
    text = (ROOT / "docs" / "tuning.md").read_text(encoding="utf-8")
    section = text.partition("### Families\n")[2].partition("\n## ")[0]
    assert re.findall(r"`([a-z0-9.-]+)`", section) == [f.name for f in FAMILIES]


def test_something_unlisted_that_would_train_is_refused(models):
    with pytest.raises(TuneError, match="add a row"):
        family_of("mystery_vl")
    base, _, family = load_base(models("smolvlm"), pixels={})
    model = with_lora(base, family, ChatConfig("", "", "", rank=2), ())
    assert all("lora_" in n for n in trained(model))
    next(iter(base.model.connector.parameters())).requires_grad_(True)
    with pytest.raises(TuneError, match="too much"):
        check_trained(model, family.lora, ())
