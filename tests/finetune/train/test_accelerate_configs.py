"""The launch configs for GPU machines: accelerate knows every key, and they agree with what the stages do themselves.

No GPU is used: that they train is not shown here.
"""

import json
from dataclasses import fields

import pytest
import yaml
from accelerate.commands.config.config_args import ClusterConfig
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

from finetune.embedded.assemble import ROOT

FOLDER = ROOT / "finetune" / "configs" / "accelerate"
KINDS = {
    "ddp": DistributedType.MULTI_GPU,
    "fsdp": DistributedType.FSDP,
    "deepspeed-zero2": DistributedType.DEEPSPEED,
    "deepspeed-zero3": DistributedType.DEEPSPEED,
}


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
def test_accelerate_knows_every_key(file):
    config = ClusterConfig.from_yaml_file(file)  # unknown keys are an error
    assert config.distributed_type == KINDS[file.stem]
    assert not config.use_cpu


def test_fsdp_leaves_checkpointing_to_the_stage_and_writes_whole_models():
    settings = yaml.safe_load((FOLDER / "fsdp.yaml").read_text())["fsdp_config"]
    plugin = {key.removeprefix("fsdp_").replace("offload_params", "cpu_offload"): v for key, v in settings.items()}
    plugin["fsdp_version"] = plugin.pop("version")
    assert set(plugin) <= {f.name for f in fields(FullyShardedDataParallelPlugin)}
    assert settings["fsdp_activation_checkpointing"] is False
    assert settings["fsdp_state_dict_type"] == "FULL_STATE_DICT"


@pytest.mark.parametrize("stage", [2, 3])
def test_deepspeed_takes_batch_and_clipping_from_the_stage(stage):
    named = yaml.safe_load((FOLDER / f"deepspeed-zero{stage}.yaml").read_text())["deepspeed_config"]
    file = ROOT / named["deepspeed_config_file"]
    content = json.loads(file.read_text())
    assert content["zero_optimization"]["stage"] == stage
    taken = ("gradient_accumulation_steps", "gradient_clipping", "train_batch_size", "train_micro_batch_size_per_gpu")
    assert all(content[key] == "auto" for key in taken)
