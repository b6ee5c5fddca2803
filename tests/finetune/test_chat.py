"""Runs on tiny models: what is logged and written, that resuming and evaluating change nothing."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText

from app.cli.main import main
from finetune.data.build import ALONE, from_listings, write_data
from finetune.embedded.assemble import sha256
from finetune.errors import TuneError
from finetune.train import loading
from finetune.train.chat import train_chat
from finetune.train.configs import ChatConfig
from finetune.train.loading import load_base, with_lora
from finetune.train.merge import merge
from finetune.train.report import Reporter
from listing.backends import local
from listing.backends.embedded import open_local
from listing.pipeline import Pipeline
from listing.taxonomy import load_taxonomy
from tests.finetune.support import TRAINING, VALIDATION, launch_two, photo, write_rows
from tests.listing.stubs import of_photos, parts

pytestmark = pytest.mark.slow

STEPS = 4


@pytest.fixture
def config(models, conversations, tmp_path):
    return config_of(models, conversations, tmp_path / "whole")


def config_of(models, conversations, out):
    return ChatConfig(
        model=str(models("smolvlm")), data=str(conversations), out=str(out), quantize="none", rank=2,
        trains=("model.connector",), pixels={}, steps=STEPS, batch_size=1, accumulate=2, warmup=1, evaluate_every=2,
        fixed_samples=2, log_every=1, save_every=2, workers=0, lr=1e-2, dropout=0.1,
    )  # fmt: skip


def lines(out):
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def losses(out):
    return {line["step"]: line["loss"] for line in lines(out) if "loss" in line}


def weights(out):
    return load_file(out / "adapter" / "adapter_model.safetensors")


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("grouped", [pytest.param(False, marks=pytest.mark.nightly), True])
def test_a_resumed_run_equals_an_uninterrupted_one(config, tmp_path, monkeypatch, grouped):
    config = replace(config, group_by_length=grouped, vary_photos=grouped)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train_chat(config)
    half = replace(config, out=str(cut))

    def stop(self, args, state, control, **more):
        """The machine goes away in step 3, after the checkpoint of step 2."""
        if state.global_step == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "on_step_end", stop)
        with pytest.raises(KeyboardInterrupt):
            train_chat(half)
    assert not (cut / "adapter").exists()
    torch.manual_seed(99)
    train_chat(replace(half, resume=True))
    assert equal(weights(whole), weights(cut))
    assert losses(whole) == losses(cut), "and its log has every step once"


def test_a_run_leaves_log_samples_board_and_manifest(config, tmp_path, conversations):
    train_chat(replace(config, steps=2))
    out = tmp_path / "whole"
    assert list(losses(out)) == [1, 2]
    (evaluation,) = [line for line in lines(out) if "eval_loss" in line]
    assert evaluation["step"] == 2
    assert 0 <= evaluation["eval_answers_right"] <= 1
    assert all("left_s" in line for line in lines(out))
    sample_rows = [json.loads(line) for line in (out / "samples" / "000002.jsonl").read_text().splitlines()]
    assert [(row["prompt"], row["wanted"]) for row in sample_rows] == [("What is it?", "It?")] * 2
    assert next((out / "tensorboard").glob("events.*")).stat().st_size > 0
    run = json.loads((out / "run.json").read_text())
    assert run["data"]["train.jsonl"] == sha256(conversations / "train.jsonl")
    assert run["config"]["lr"] == config.lr
    assert torch.__version__.startswith(run["versions"]["torch"].split("+")[0])
    assert run["seed"] == 0


def test_a_run_prints_what_it_left_out(config, conversations, tmp_path, capsys):
    data = shutil.copytree(conversations, tmp_path / "data")
    turns = [{"role": "user", "content": "Fill in the form."}, {"role": "assistant", "content": "{} " * 500}]
    with (data / "train.jsonl").open("a") as file:
        file.write(json.dumps({"messages": turns, "images": []}) + "\n")
    train_chat(replace(config, data=str(data), steps=1, max_tokens=1000))
    assert "Left out: 1 longer than 1000 tokens." in capsys.readouterr().out


def test_evaluating_changes_nothing_of_4_bit_training(config, tmp_path):
    quiet = replace(config, quantize="nf4", steps=2, evaluate_every=9, out=str(tmp_path / "quiet"))
    train_chat(quiet)
    train_chat(replace(quiet, evaluate_every=1, out=str(tmp_path / "watched")))
    assert equal(weights(tmp_path / "quiet"), weights(tmp_path / "watched"))
    assert losses(tmp_path / "quiet") == losses(tmp_path / "watched")
    assert [line["step"] for line in lines(tmp_path / "watched") if "eval_loss" in line] == [1, 2]
    assert any(t.abs().sum() > 0 for n, t in weights(tmp_path / "quiet").items() if "lora_B" in n)
    assert merge(config.model, tmp_path / "quiet" / "adapter", tmp_path / "merged").is_dir()


def test_rank_0_trains_the_whole_language_model(config, tmp_path, models):
    train_chat(replace(config, rank=0, steps=2, evaluate_every=2))
    out = tmp_path / "whole"
    assert not (out / "adapter").exists()
    assert (out / "model" / "chat_template.jinja").is_file()
    assert not list((out / "model").glob("*.bin"))
    before = AutoModelForImageTextToText.from_pretrained(models("smolvlm"), dtype=torch.float32).state_dict()
    after = AutoModelForImageTextToText.from_pretrained(out / "model", dtype=torch.float32).state_dict()
    changed = {n for n in before if (before[n] - after[n]).abs().max() > 4e-3}  # a step is 1e-2, a rounding less
    assert {n.split(".")[1] for n in changed} == {"text_model", "connector", "weight"}, "with the head, not the tower"


def test_the_embedded_model_is_tuned_anew(models, garments, tmp_path, monkeypatch, capsys):
    base, out = tmp_path / "base", tmp_path / "weights"
    shutil.copytree(models("ipl-mini"), base)
    (base / "eyes.json").write_text('{"values": {}}')
    monkeypatch.setattr(loading, "assemble", lambda **command: base)
    stage = {
        "model": "ipl-mini-base", "quantize": "none", "rank": 2, "trains": ["projector"], "steps": 3, "batch_size": 2,
        "accumulate": 1, "vary_photos": True, "evaluate_every": 3, "save_every": 1, "workers": 0, "max_tokens": 5000,
        "plan": {"attributes": 1, "form": False},
    }  # fmt: skip
    config = tmp_path / "own.yaml"
    config.write_text(yaml.safe_dump({"stages": {"chat": stage}}))
    command = ["tune", str(config), "--data", str(garments), "--out", str(out)]
    assert main(command) == 0
    samples = (out / "run" / "data" / "train.jsonl").read_text().splitlines()
    assert len(samples) == 3 * 2, "as many as the steps see"
    assert {"run", "adapter"} == {path.name for path in out.iterdir()}
    first = weights(out)
    assert {t.dtype for t in first.values()} == {torch.float16}
    assert any(name.startswith("base_model.model.model.multi_modal_projector") for name in first)
    shutil.rmtree(out / "run" / "checkpoints" / "checkpoint-3")
    assert main([*command, "--resume"]) == 0
    assert equal(first, weights(out))
    config.write_text(yaml.safe_dump({"stages": {"chat": {**stage, "rank": 0}}}))
    assert main(command) == 0
    assert (out / "model" / "eyes.json").is_file(), "what stands beside the weights is there"
    assert "tuning: loads" in capsys.readouterr().out


def test_a_frozen_towers_statistics_are_not_learnt(models):
    base, _, family = load_base(models("ipl-mini"), precision="32")
    model = with_lora(base, family, ChatConfig("", "", "", rank=2), ())
    model.train()
    tower = base.model.vision_tower
    before = {n: b.clone() for n, b in tower.named_buffers()}
    pixels = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        training = tower(pixels).last_hidden_state
        assert all(torch.equal(before[n], b) for n, b in tower.named_buffers())
        serving = tower.eval()(pixels).last_hidden_state
    assert before
    assert torch.equal(training, serving)
    assert training.std() > 0.01


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"resume": True}, "no checkpoint"),
        ({"rank": 0, "quantize": "nf4"}, "set quantize to none"),
        ({"rank": 0, "init_from": "x"}, "leave --init-from out"),
        ({"rank": 0, "lora_tower": True}, "lora_tower is LoRA"),
        ({"quantize": "int3"}, "'nf4' or 'none'"),
        ({"precision": "8"}, "'auto' or '32'"),
        ({"quantize": "nf4", "precision": "32"}, "compute in 16-bit"),
        ({"trains": ("model.projector",)}, "no module 'model.projector'"),
        ({"attention": "no_such_kernel"}, r"attention: 'no_such_kernel' cannot be used here"),
        ({"report_to": ("wandb",)}, r"report_to: wandb is not installed \(pip install wandb\)"),
    ],
)
def test_unusable_settings_are_one_sentence_before_training(config, changes, says):
    with pytest.raises(TuneError, match=says) as refused:
        train_chat(replace(config, **changes))
    assert "\n" not in str(refused.value)


COLOURS = {"red": (200, 30, 30), "blue": (20, 30, 220)}
PHOTOS = [Image.new("RGB", (60, 40), colour) for colour in COLOURS.values()]


def test_tuning_on_two_colours_tells_them_apart(models, tmp_path):
    rows = []
    for name, colour in COLOURS.items():
        Image.new("RGB", (60, 40), colour).save(tmp_path / f"{name}.png")
        turns = [{"role": "user", "content": "<image>\nColour?"}, {"role": "assistant", "content": name}]
        rows.append({"messages": turns, "images": [f"{name}.png"], "tasks": ["colour"]})
    for split in ("train", "validation"):
        write_rows(tmp_path / f"{split}.jsonl", rows)
    cfg = ChatConfig(
        model=str(models("smolvlm")), data=str(tmp_path), out=str(tmp_path / "out"), quantize="none",
        precision="32", rank=0, trains=("model.connector",), pixels={}, steps=80, batch_size=2, accumulate=1,
        warmup=4, evaluate_every=80, log_every=10, save_every=80, checkpointing=False, workers=0, lr=5e-3,
    )  # fmt: skip
    train_chat(cfg)
    tuned, untuned = open_local(tmp_path / "out" / "model"), open_local(models("smolvlm"))
    said = ["".join(m.write([photo], "Colour?", max_tokens=8)).strip() for m in (tuned, untuned) for photo in PHOTOS]
    assert said[:2] == list(COLOURS)
    assert said[2] not in COLOURS, "what was tuned tells them apart, not the question"
    (evaluation,) = [line for line in lines(tmp_path / "out") if "eval_loss" in line]
    assert evaluation["eval_attribute_f1"] == 1.0


@pytest.mark.nightly
def test_form_text_and_claims_are_tuned_merged_and_served(models, tmp_path, monkeypatch):
    listing = {"category": "Hoodie", "attributes": {"colour": "navy", "closure": "zip"}, "title": "Navy zip hoodie"}
    listing |= {"description": "Navy hoodie with a zip."}
    senders = [*TRAINING[:4], VALIDATION[0]]
    rows = [{"image": photo(tmp_path / f"{s}.png", s), "sender_id": s, "item": s, "listing": listing} for s in senders]
    write_data(rows, from_listings(load_taxonomy()), tmp_path / "data")
    for name in ("train", "validation"):
        file = tmp_path / "data" / f"{name}.jsonl"
        samples = [json.loads(line) for line in file.read_text().splitlines()]
        write_rows(file, [sample for sample in samples if sample["tasks"][0] in ALONE])
    cfg = ChatConfig(
        model=str(models("smolvlm")), data=str(tmp_path / "data"), out=str(tmp_path / "out"), quantize="nf4", rank=8,
        trains=("projector",), pixels={}, steps=20, batch_size=1, accumulate=1, warmup=2, evaluate_every=20,
        fixed_samples=0, log_every=1, save_every=20, workers=0, lr=2e-2, max_tokens=20_000,
    )  # fmt: skip
    train_chat(cfg)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["dropped"] == {}
    learnt = list(losses(tmp_path / "out").values())
    print(f"loss {learnt[0]:.2f} -> {sum(learnt[-4:]) / 4:.2f}")
    assert sum(learnt[-4:]) / 4 < learnt[0] - 0.1
    merged = merge(cfg.model, tmp_path / "out" / "adapter", tmp_path / "merged")
    monkeypatch.setattr(local, "FORM_TOKENS", 12)
    draft = list(Pipeline(parts(open_local(merged))).run(of_photos(category="Hoodie")))[-1].draft
    assert "hoodie" in draft.title.lower()
    assert draft.model == str(merged)


def test_two_processes_train_like_one(models, conversations, tmp_path):
    config = config_of(models, conversations, tmp_path / "one")
    config = replace(config, precision="32", dropout=0.0, steps=3, evaluate_every=3, fixed_samples=1)
    stage = {k: v for k, v in asdict(config).items() if k not in ("data", "out", "init_from", "resume", "plan")}
    file, two = tmp_path / "two.yaml", tmp_path / "two"
    stage |= {"accumulate": 1, "trains": list(config.trains)}
    file.write_text(yaml.safe_dump({"family": "smolvlm", "stages": {"chat": stage}}))
    launch_two(file, "--data", config.data, "--out", two)
    assert json.loads((two / "run.json").read_text())["processes"] == 2
    train_chat(config)
    one, other = losses(Path(config.out)), losses(two)
    assert other == {step: pytest.approx(loss, rel=1e-4) for step, loss in one.items()}
    assert one[3] < one[1]
    mine, theirs = weights(Path(config.out)), weights(two)
    for name in mine:
        assert torch.allclose(mine[name], theirs[name], atol=1e-3), name
