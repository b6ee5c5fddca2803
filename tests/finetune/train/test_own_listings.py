"""A person's own table, end to end as the README has it: data, tuning, merging, a draft."""

import json

import numpy as np
import yaml
from PIL import Image

from app.cli.main import main
from finetune.train.collator import read_samples

CONFIG = {
    "quantize": "none", "rank": 2, "trains": ["projector"], "pixels": {}, "steps": 2, "batch_size": 1,
    "accumulate": 1, "warmup": 0, "evaluate_every": 2, "evaluate_on": 2, "fixed_samples": 1, "workers": 0,
    "max_tokens": 2000,
}  # fmt: skip


def table(folder, rows=5):
    lines = ["Product name,Product type,Base color,Gender,Body,Images"]
    for k in range(rows):
        rough = Image.fromarray(np.random.default_rng(k).integers(0, 255, (6, 6, 3), dtype=np.uint8))
        rough.resize((64, 64), Image.Resampling.BICUBIC).save(folder / f"{k}.png")
        name = "ABCDE"[k]
        lines.append(
            f'{name}crest Men Navy Hoodie {name},Hooded sweatshirts,Navy,Men,"Navy hoodie for men, has a zip",{k}.png'
        )
    (folder / "shop.csv").write_text("\n".join(lines))
    return folder / "shop.csv"


def test_a_table_becomes_a_model_that_drafts(models, tmp_path, monkeypatch, capsys):
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
    assert main(["draft", str(tmp_path / "0.png"), "--json", "--no-rag", "--model", str(out)]) == 0
    draft = json.loads(capsys.readouterr().out)
    assert draft["model"] == str(out)
    assert draft["category"]["candidates"]
