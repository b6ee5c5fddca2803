"""Runs on a tiny SmolVLM: what is logged, resuming to the bit."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from finetune.embedded.assemble import sha256
from finetune.errors import TuneError
from finetune.train import chat
from finetune.train.chat import often, train_chat
from finetune.train.configs import ChatConfig
from finetune.train.loading import load_base, with_lora
from finetune.train.merge import merge

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


def losses(out):
    lines = map(json.loads, (out / "log.jsonl").read_text().splitlines())
    return {line["step"]: line["loss"] for line in lines if "loss" in line}


def weights(out):
    return load_file(out / "adapter" / "adapter_model.safetensors")


@pytest.mark.parametrize("grouped", [False, True])
def test_a_resumed_run_ends_exactly_where_an_uninterrupted_one_does(config, tmp_path, monkeypatch, grouped):
    config = replace(config, group_by_length=grouped)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train_chat(config)
    half = replace(config, out=str(cut))

    from transformers import TrainerCallback

    class Stop(TrainerCallback):
        """The machine goes away in step 3, after the checkpoint of step 2."""

        def on_step_end(self, args, state, control, **more):
            if state.global_step == 3:
                raise KeyboardInterrupt

    report = chat._reporter

    def reporter(*given):
        made = report(*given)
        made.on_step_end = Stop().on_step_end
        return made

    with monkeypatch.context() as patch:
        patch.setattr(chat, "_reporter", reporter)
        with pytest.raises(KeyboardInterrupt):
            train_chat(half)
    assert not (cut / "adapter").exists()
    torch.manual_seed(99)
    train_chat(replace(half, resume=True))
    first, second = weights(whole), weights(cut)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert losses(whole) == losses(cut), "and its log has every step once"


def test_a_run_leaves_log_samples_board_and_manifest(config, tmp_path, conversations):
    train_chat(replace(config, steps=2))
    out = tmp_path / "whole"
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [1, 2]
    (seen,) = [line for line in lines if "eval_loss" in line]
    assert seen["step"] == 2
    assert 0 <= seen["eval_answers_right"] <= 1
    assert all("left_s" in line for line in lines)
    said = [json.loads(line) for line in (out / "samples" / "000002.jsonl").read_text().splitlines()]
    assert [(row["prompt"], row["wanted"]) for row in said] == [("What is it?", "It?")] * 2
    assert next((out / "tensorboard").glob("events.*")).stat().st_size > 0
    run = json.loads((out / "run.json").read_text())
    assert run["data"]["train.jsonl"] == sha256(conversations / "train.jsonl")
    assert run["config"]["lr"] == config.lr
    assert torch.__version__.startswith(run["versions"]["torch"].split("+")[0])
    assert run["seed"] == 0


def test_nothing_to_resume_from_is_a_sentence(config):
    with pytest.raises(TuneError, match="no checkpoint"):
        train_chat(replace(config, resume=True))


def test_4_bit_training_with_evaluations_writes_an_adapter_that_fits_the_16_bit_base(config, tmp_path, models):
    train_chat(replace(config, quantize="nf4", steps=2, evaluate_every=1))
    out = tmp_path / "whole"
    assert any(t.abs().sum() > 0 for n, t in weights(out).items() if "lora_B" in n)
    assert merge(config.model, out / "adapter", tmp_path / "merged").is_dir()


def test_rank_0_trains_the_whole_language_model_and_writes_a_model(config, tmp_path, models):
    from transformers import AutoModelForImageTextToText

    train_chat(replace(config, rank=0, steps=2, evaluate_every=2))
    out = tmp_path / "whole"
    assert not (out / "adapter").exists()
    assert (out / "model" / "chat_template.jinja").is_file()
    assert not list((out / "model").glob("*.bin"))
    before = AutoModelForImageTextToText.from_pretrained(models("smolvlm"), dtype=torch.float32).state_dict()
    after = AutoModelForImageTextToText.from_pretrained(out / "model", dtype=torch.float32).state_dict()
    changed = {n for n in before if (before[n] - after[n]).abs().max() > 4e-3}  # a step is 1e-2, a rounding less
    assert {n.split(".")[1] for n in changed} == {"text_model", "connector", "weight"}, "with the head, not the tower"


def test_a_frozen_towers_statistics_are_used_and_not_learnt(models):
    base, _, family = load_base(models("ipl-mini"), precision="32")
    model = with_lora(base, family, 2, 4, 0.0, ())
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


def test_few_samples_are_said_to_be_few() -> None:
    assert often(1000, 2000) == "1000 samples train, each is seen 2.0 times."
    assert often(11, 8000).startswith("11 samples train, each is seen 727.3 times; so few")
