import pytest

from recommend.config import ConfigError, ModelConfig, TrainConfig, sort_changes


def test_unknown_key_names_the_nearest():
    with pytest.raises(ConfigError, match="no setting 'learning_rat'; did you mean 'learning_rate'"):
        TrainConfig.of({"learning_rat": 0.1})


def test_settings_are_typed():
    config = ModelConfig().changed(["mlp=[32, 16]", "dropout=0.1", "softmax=true"])
    assert (config.mlp, config.dropout, config.softmax) == ((32, 16), 0.1, True)
    with pytest.raises(ConfigError, match="'batch_rows' cannot be 'many'"):
        TrainConfig().changed(["batch_rows=many"])
    with pytest.raises(ConfigError, match="'batch_rows' cannot be 0: input should be greater than 0"):
        TrainConfig().changed(["batch_rows=0"])
    with pytest.raises(ConfigError, match="'precision' cannot be 'fp16': input should be 'fp32' or 'bf16'"):
        TrainConfig().changed(["precision=fp16"])
    with pytest.raises(ConfigError, match="write knob=value"):
        TrainConfig().changed(["batch_rows"])


def test_yaml_file(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("name: dnn\nembedding: 8\n")
    assert ModelConfig.read(path).embedding == 8
    path.write_text("just a text")
    with pytest.raises(ConfigError, match="name: value"):
        ModelConfig.read(path)
    with pytest.raises(ConfigError, match="cannot read"):
        ModelConfig.read(tmp_path / "none.yaml")


def test_settings_go_to_the_model_or_to_the_training():
    assert sort_changes(["mlp=[8]", "epochs=2"]) == (("mlp=[8]",), ("epochs=2",))
    for wrong, message in (
        ("epoch=2", "did you mean 'epochs'"),
        ("epochs", "write knob=value"),
        ("epochs=x", "cannot be"),
        ("seed=1", "no knob 'seed'"),
    ):
        with pytest.raises(ConfigError, match=message):
            sort_changes([wrong])
