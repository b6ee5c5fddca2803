"""``ipl tune``: what is wrong is one sentence, shipped configs are valid, and a table becomes a model."""

import json
import shutil

import pytest
import yaml
from accelerate.commands.config.config_args import ClusterConfig
from accelerate.utils import DistributedType

from app.cli.main import main
from finetune.data.tasks import TaskPlan
from finetune.embedded.assemble import ROOT
from finetune.train import loading
from finetune.train.collator import read_samples
from finetune.train.configs import ChatConfig
from finetune.train.families import FAMILIES
from finetune.train.loading import load_base, with_lora
from finetune.train.merge import merge
from finetune.tune import strict
from tests.finetune.support import photo

ROWS = {family.name: family for family in FAMILIES}
FOLDER = ROOT / "finetune" / "configs" / "accelerate"
KINDS = {
    "ddp": DistributedType.MULTI_GPU,
    "fsdp": DistributedType.FSDP,
    "deepspeed-zero2": DistributedType.DEEPSPEED,
    "deepspeed-zero3": DistributedType.DEEPSPEED,
}
CONFIG = {
    "quantize": "none", "rank": 2, "trains": ["projector"], "pixels": {}, "steps": 2, "batch_size": 1,
    "accumulate": 1, "warmup": 0, "evaluate_every": 2, "evaluate_on": 2, "fixed_samples": 1, "workers": 0,
    "max_tokens": 2000,
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "is no YAML"),
        ("family: x", "has no `stages`"),
        ("stages: {}", "has no stage `chat`"),
        ("stages: {mllm: {}}", "the stage is: chat"),
        ("stages: {chat: {}}", "name one with --model"),
        ("stages: {chat: {model: a, ranks: 3}}", "did you mean 'rank'?"),
        ("stages: {chat: {model: /nowhere}}", "cannot be loaded"),
        ("stages: {chat: {model: /nowhere, quantize: int3}}", "'nf4' or 'none'"),
    ],
)
def test_a_wrong_config_is_one_sentence(text, says, tmp_path, capsys):
    file = tmp_path / "own.yaml"
    file.write_text(text)
    assert main(["tune", str(file), "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err.strip()
    assert len(message.splitlines()) == 1
    assert says in message


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["data"], "--out"),
        (["data", "--texts", "--out", "x"], "name your listings with --listings"),
        (["data", "--out", "x", "--listings", "y.csv"], "There is no file y.csv"),
        (["merge", "--base", "x"], "--adapter"),
        (["finetune/configs/none.yaml"], "There is no config"),
    ],
)
def test_missing_options_are_named(arguments, says, capsys):
    assert main(["tune", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_what_cannot_be_merged_is_one_sentence(models, tmp_path, capsys):
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    base.mkdir()
    adapter.mkdir()
    config = json.loads((models("smolvlm") / "config.json").read_text())
    quantised = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    (base / "config.json").write_text(json.dumps({**config, "quantization_config": quantised}))
    command = ["tune", "merge", "--base", str(base), "--adapter", str(adapter), "--out", str(tmp_path / "merged")]
    assert main(command) == 2
    assert "holds no adapter" in capsys.readouterr().err
    (adapter / "adapter_config.json").write_text("{}")
    assert main(command) == 2
    message = capsys.readouterr().err.strip()
    assert len(message.splitlines()) == 1
    assert "is quantised" in message
    assert "16-bit model" in message
    assert not (tmp_path / "merged").exists()


def test_a_merge_keeps_what_stands_beside_the_weights(models, tmp_path, monkeypatch):
    base = tmp_path / "base"
    shutil.copytree(models("ipl-mini"), base)
    (base / "eyes.json").write_text("{}")
    loaded, _, family = load_base(base, pixels={})
    with_lora(loaded, family, ChatConfig("", "", "", rank=2), ()).save_pretrained(tmp_path / "adapter")
    monkeypatch.setattr(loading, "assemble", lambda: base)
    assert (merge("ipl-mini", tmp_path / "adapter", tmp_path / "merged") / "eyes.json").is_file()


@pytest.mark.parametrize("file", sorted((ROOT / "finetune" / "configs").glob("*.yaml")), ids=lambda f: f.stem)
def test_every_shipped_config_is_valid(file):
    content = yaml.safe_load(file.read_text())
    families = [content["family"]] if "family" in content else list(ROWS)
    assert set(families) <= set(ROWS)
    assert set(content["stages"]) == {"chat"}
    stage = {"model": "m", **content["stages"]["chat"], "data": "d", "out": "o"}
    stage["plan"] = strict(TaskPlan, stage.get("plan") or {}, "plan")
    cfg = strict(ChatConfig, stage, "stages.chat")
    for name in families:
        assert set(ROWS[name].modules(cfg.trains)) <= set(ROWS[name].projector)


# -- launch configs for GPU machines: that they train is not shown here ------------------------------------------------


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
def test_accelerate_knows_every_key(file):
    config = ClusterConfig.from_yaml_file(file)  # unknown keys are an error
    assert config.distributed_type == KINDS[file.stem]
    assert not config.use_cpu


def test_accelerate_leaves_the_stages_own_work_alone():
    fsdp = yaml.safe_load((FOLDER / "fsdp.yaml").read_text())["fsdp_config"]
    assert fsdp["fsdp_activation_checkpointing"] is False
    assert fsdp["fsdp_state_dict_type"] == "FULL_STATE_DICT"
    for stage in (2, 3):
        named = yaml.safe_load((FOLDER / f"deepspeed-zero{stage}.yaml").read_text())["deepspeed_config"]
        content = json.loads((ROOT / named["deepspeed_config_file"]).read_text())
        assert content["zero_optimization"]["stage"] == stage
        assert {content[f"gradient_{name}"] for name in ("accumulation_steps", "clipping")} == {"auto"}
        assert {content[f"train_{name}"] for name in ("batch_size", "micro_batch_size_per_gpu")} == {"auto"}


# -- end to end, as the README has it ----------------------------------------------------------------------------------


def table(folder, rows=5):
    lines = ["Product name,Product type,Base color,Gender,Body,Images"]
    for k, name in enumerate("ABCDE"[:rows]):
        photo(folder / f"{k}.png", k)
        words = f'{name}crest Men Navy Hoodie {name},Hooded sweatshirts,Navy,Men,"Navy hoodie for men, has a zip"'
        lines.append(f"{words},{k}.png")
    (folder / "shop.csv").write_text("\n".join(lines))
    return folder / "shop.csv"


@pytest.mark.slow
def test_a_table_becomes_a_model_that_is_asked(models, tmp_path, monkeypatch, capsys):
    base, data, run, out = models("qwen3-vl"), tmp_path / "data", tmp_path / "run", tmp_path / "model"
    config = tmp_path / "own.yaml"
    config.write_text(yaml.safe_dump({"stages": {"chat": CONFIG}}))
    assert main(["tune", "data", "--listings", str(table(tmp_path)), "--out", str(data)]) == 0
    taught = [s for s in read_samples(data / "train.jsonl") if s["tasks"] == ["listing"]]
    assert taught
    assert all(s["images"] and s["messages"][0]["content"].startswith("<image>\nWrite a second-hand") for s in taught)
    titles = {s["messages"][1]["content"].split("\n")[0] for s in taught}
    assert titles <= {"Men Navy Hoodie", "Navy Hoodie", "Men Hoodie"}, "their order, without the model's name"
    monkeypatch.setenv("IPL_HOME", str(tmp_path / "home"))  # no classifier of the embedded model takes part
    tune = ["tune", str(config), "--data", str(data), "--out", str(run)]
    assert main(tune) == 2
    assert "name one with --model" in capsys.readouterr().err
    assert main([*tune, "--model", str(base)]) == 0
    assert main(["tune", "merge", "--base", str(base), "--adapter", str(run / "adapter"), "--out", str(out)]) == 0
    capsys.readouterr()
    draft = ["draft", str(tmp_path / "0.png"), "--json", "--no-rag", "--model", str(out)]
    assert main(draft) == 1, "random weights after two steps write no form, and nothing else looked at the photo"
    assert f"The replies of the model {str(out)!r} cannot be read" in capsys.readouterr().err
