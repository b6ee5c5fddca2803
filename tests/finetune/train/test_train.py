"""The language stage on a tiny random model: what trains, and that evaluating and resuming change nothing."""

import json
import shutil
from dataclasses import asdict, replace

import pytest
import torch
from safetensors.torch import load_file

from finetune.data.packing import collate, pack
from finetune.data.tasks import Task, TaskPlan
from finetune.errors import TuneError
from finetune.train import loop
from finetune.train.configs import TuneConfig
from finetune.train.loading import base_of, check_settings, load_embedded, parameter_groups
from finetune.train.loop import train_mllm

PROJECTOR = "model.multi_modal_projector"


@pytest.fixture
def config(models, garments, tmp_path):
    return config_of(models, garments, tmp_path / "whole")


def config_of(models, garments, out):
    return TuneConfig(
        data=str(garments), model=str(models("ipl-mini")), out=str(out), quantize="none", rank=2,
        steps=3, batch_size=2, warmup=1, lr=1e-2, projector_lr=1e-2, max_tokens=5000, save_every=2, log_every=1,
        eval_photos=2, fixed_samples=2, plan=TaskPlan(attributes=1, text_share=0.3),
    )  # fmt: skip


def trained(out):
    return torch.load(out / "train.state", weights_only=True)["model"]


def logged(out):
    return [json.loads(line) for line in (out / "run" / "log.jsonl").read_text().splitlines()]


def losses(out):
    return [line["loss"] for line in logged(out) if "loss" in line]


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_evaluating_at_every_step_changes_nothing_of_4_bit_training(config, tmp_path):
    quiet = replace(config, quantize="nf4", steps=2)
    train_mllm(quiet)
    watched = replace(quiet, out=str(tmp_path / "watched"), eval_every=1)
    train_mllm(watched)
    assert equal(trained(tmp_path / "whole"), trained(tmp_path / "watched"))
    assert losses(tmp_path / "whole") == losses(tmp_path / "watched")
    seen = [line for line in logged(tmp_path / "watched") if "eval_loss" in line]
    assert [line["step"] for line in seen] == [1, 2]
    assert all(0 <= line["category_accuracy"] <= 1 and 0 <= line["attribute_f1"] <= 1 for line in seen)
    assert len({line["eval_loss"] for line in seen}) == 2
    assert all("left_s" in line for line in logged(tmp_path / "watched"))
    samples = tmp_path / "watched" / "run" / "samples" / "000002.jsonl"
    question, text = map(json.loads, samples.read_text().splitlines())
    assert question["prompt"] == "What is it?"
    assert question["images"]
    assert text["prompt"].startswith("Facts:")
    assert {"wanted", "said"} <= text.keys()
    assert next((tmp_path / "watched" / "run" / "tensorboard").glob("events.*")).stat().st_size > 0


def test_a_resumed_run_ends_exactly_where_an_uninterrupted_one_does(config, tmp_path, monkeypatch):
    train_mllm(config)
    cut = replace(config, out=str(tmp_path / "cut"))
    calls, whole_loss = [], loop.loss_of

    def fails_in_the_third_step(*given):
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole_loss(*given)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "loss_of", fails_in_the_third_step)
        with pytest.raises(KeyboardInterrupt):
            train_mllm(cut)
    torch.manual_seed(99)
    train_mllm(replace(cut, resume=True))
    assert equal(trained(tmp_path / "whole"), trained(tmp_path / "cut"))
    assert losses(tmp_path / "whole") == losses(tmp_path / "cut"), "and its log has every step once"


def test_a_state_of_another_run_is_refused(config):
    train_mllm(replace(config, steps=1))
    with pytest.raises(TuneError, match="something else trained"):
        train_mllm(replace(config, rank=4, resume=True))


def test_the_manifest_says_what_went_in(config, tmp_path):
    train_mllm(replace(config, steps=1))
    run = json.loads((tmp_path / "whole" / "mllm.run.json").read_text())
    assert run["step"] == 1
    assert run["config"] == json.loads(json.dumps(asdict(replace(config, steps=1))))
    assert {"annotations.jsonl", "photos"} <= run["data"].keys()
    assert {"torch", "peft", "bitsandbytes"} <= run["versions"].keys()


@pytest.mark.parametrize("trains", [(), (PROJECTOR,), (f"{PROJECTOR}.linear_2",)])
def test_exactly_lora_and_what_the_config_lists_is_trained(config, trains):
    cfg = replace(config, trains=trains)
    _, model = load_embedded(cfg)
    names = {n.removeprefix("base_model.model.") for n, p in model.named_parameters() if p.requires_grad}
    beside = {n for n in names if ".lora_" not in n}
    assert beside == {n for n, _ in base_of(model).named_parameters() if n.startswith(trains)} if trains else not beside
    lora = names - beside
    assert len(lora) == 2 * 7 * 2
    assert all(n.startswith("model.language_model.layers.") for n in lora)
    assert all(p.dtype == torch.float32 for p in model.parameters() if p.requires_grad)
    assert [len(group) for group in parameter_groups(model, cfg.trains)] == [len(lora), len(beside)]


def test_rank_0_trains_the_whole_language_model_and_writes_a_model(config, tmp_path, models):
    from transformers import AutoModelForImageTextToText

    base = tmp_path / "base"
    shutil.copytree(models("ipl-mini"), base)
    (base / "tower.json").write_text('{"values": {}}')
    train_mllm(replace(config, model=str(base), rank=0, steps=1, checkpointing=True))
    out = tmp_path / "whole"
    assert not (out / "adapter").exists()
    assert (out / "model" / "chat_template.jinja").is_file()
    assert (out / "model" / "tower.json").is_file(), "what stands beside the weights is kept"
    before = AutoModelForImageTextToText.from_pretrained(models("ipl-mini"), dtype=torch.bfloat16).state_dict()
    model = AutoModelForImageTextToText.from_pretrained(out / "model")
    after = model.state_dict()
    assert model.dtype == torch.bfloat16
    changed = {n for n in before if not torch.equal(before[n], after[n])}
    assert {n.split(".")[1] for n in changed} == {"language_model", "multi_modal_projector", "weight"}, "with the head"
    assert torch.equal(after["lm_head.weight"], after["model.language_model.embed_tokens.weight"])
    assert "lm_head.weight" not in load_file(out / "model" / "model.safetensors"), "written once"
    assert load_file(out / "projector.safetensors").keys()


def test_checkpointing_costs_time_and_changes_no_gradient(config):
    found = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        cfg = replace(config, checkpointing=checkpointing)
        backend, model = load_embedded(cfg)
        model.train()
        calls = []
        layer = base_of(model).model.language_model.layers[0].self_attn  # recomputing stops before the layer's end
        layer.register_forward_hook(lambda *_, calls=calls: calls.append(1))
        loop.loss_of(model, *_batch(backend, model)).backward()
        assert len(calls) == (2 if checkpointing else 1), "the layer runs again in the backward pass"
        found.append({n: p.grad for n, p in model.named_parameters() if p.requires_grad})
    assert equal(*found)
    assert sum(g.norm() for g in found[0].values()) > 0


def _batch(backend, model):
    tasks = [Task("category", "What is it?", "hoodie"), Task("colour", "What colour is it?", "red")]
    batch = collate([pack(tasks, backend)], 0)
    pixels = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    return batch, loop.feature_maps(model, pixels)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rank": 0, "quantize": "nf4"}, "set quantize to none"),
        ({"trains": ("model.projector",)}, "no module 'model.projector'"),
        ({"trains": ("model.vision_tower",)}, "its own stage"),
    ],
)
def test_settings_that_contradict_each_other_are_a_sentence(config, changes, says):
    with pytest.raises(TuneError, match=says):
        load_embedded(replace(config, **changes))


@pytest.mark.parametrize(
    ("quantize", "rank", "init_from", "precision", "says"),
    [
        ("none", 0, "x", "auto", "leave --init-from out"),
        ("int3", 2, "", "auto", "'nf4' or 'none'"),
        ("none", 2, "", "8", "'auto' or '32'"),
        ("nf4", 2, "", "32", "compute in 16-bit"),
    ],
)
def test_both_stages_refuse_the_same_settings(quantize, rank, init_from, precision, says):
    with pytest.raises(TuneError, match=says):
        check_settings(quantize, rank, init_from, precision)
