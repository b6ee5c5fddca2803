"""Settings: typed, from a file, from a command line; what cannot be is one sentence."""

from __future__ import annotations

import pytest

from recommend.config import ConfigError, ModelConfig, TrainConfig, sort_changes


def test_settings_are_typed():
    config = ModelConfig().changed(["mlp=[32, 16]", "dropout=0.1", "softmax=true"])
    assert (config.mlp, config.dropout, config.softmax) == ((32, 16), 0.1, True)
    for wrong, message in (
        ("learning_rat=0.1", "no setting 'learning_rat'; did you mean 'learning_rate'"),
        ("batch_rows=many", "'batch_rows' cannot be 'many'"),
        ("batch_rows=0", "'batch_rows' cannot be 0: input should be greater than 0"),
        ("precision=fp16", "'precision' cannot be 'fp16': input should be 'fp32' or 'bf16'"),
        ("batch_rows", "write knob=value"),
    ):
        with pytest.raises(ConfigError, match=message):
            TrainConfig().changed([wrong])


def test_a_yaml_file_is_read_or_refused(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("name: dnn\nembedding: 8\n")
    assert ModelConfig.read(path).embedding == 8
    path.write_text("just a text")
    with pytest.raises(ConfigError, match="name: value"):
        ModelConfig.read(path)
    with pytest.raises(ConfigError, match="cannot read"):
        ModelConfig.read(tmp_path / "none.yaml")


def test_settings_go_to_model_or_training():
    assert sort_changes(["mlp=[8]", "epochs=2"]) == (("mlp=[8]",), ("epochs=2",))
    for wrong, message in (
        ("epoch=2", "did you mean 'epochs'"),
        ("epochs", "write knob=value"),
        ("epochs=x", "cannot be"),
        ("seed=1", "no knob 'seed'"),
    ):
        with pytest.raises(ConfigError, match=message):
            sort_changes([wrong])
