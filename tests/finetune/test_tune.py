"""The YAML of a run: what is wrong in it is one sentence on the command line."""

import pytest

from app.cli.main import main


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "is no YAML"),
        ("family: x", "has no `stages`"),
        ("stages: {tune: {}}", "has no stage"),
        ("stages: {mllm: {}}", "the stages are: tower, projector, chat"),
        ("stages: {chat: {}, tower: {}}", "name one with --model"),
        ("stages: {chat: {model: a, ranks: 3}}", "did you mean 'rank'?"),
        ("stages: {chat: {model: /nowhere}}", "cannot be loaded"),
        ("stages: {chat: {model: /nowhere, quantize: int3}}", "'nf4' or 'none'"),
    ],
)
def test_what_is_wrong_in_a_config_is_one_sentence(text, says, tmp_path, capsys):
    file = tmp_path / "own.yaml"
    file.write_text(text)
    stage = ["--stage", "chat"] if "tune" in text else []
    assert main(["tune", str(file), *stage, "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err.strip()
    assert len(message.splitlines()) == 1
    assert says in message
