"""Recipes: statistics, resuming, the command, and a tiny run of every arm."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from app.cli.main import main
from recommend.config import ConfigError
from recommend.experiments.arms import swap_histories, swap_users
from recommend.experiments.recipe import RECIPES, Changes, Recipe, find_recipe, sort_changes
from recommend.experiments.results import Progress
from recommend.experiments.runner import run_recipe, table
from recommend.experiments.statistics import Claim, interval, judge, judge_control, verdict
from recommend.features.ragged import Ragged
from tests.recommend import tiny

TINY = [f"{knob}={value}" for knob, value in tiny.WORLD.items()]
FORMAT = {
    *("paper", "recipe", "world_version", "scale", "seeds", "knobs", "verdict", "claims", "controls", "arms"),
    *("seconds", "machine"),
}


def test_the_interval_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.3, 1, 8), rng.normal(0, 1, 8)
    mean, low, high = interval(a - b)
    expected = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert (low, high) == pytest.approx((expected.low, expected.high))
    assert mean == pytest.approx((a - b).mean())
    assert interval([0.4])[1:] == (-math.inf, math.inf)


ARMS = {
    "a": {"auc": [0.61, 0.62, 0.63], "loss": [0.3, 0.31, 0.32]},
    "b": {"auc": [0.60, 0.61, 0.618], "loss": [0.4, 0.41, 0.43]},
    "c": {"auc": [0.602, 0.608, 0.619], "loss": [0.4, 0.4, 0.4]},
}
LARGE = Claim("x", "auc", "a", "b", expected=0.015)


def test_claims_hold_when_the_whole_interval_does() -> None:
    found = judge(LARGE, ARMS)
    assert found["holds"]
    assert found["mean"] == pytest.approx(0.032 / 3)
    assert not judge(Claim("x", "auc", "b", "a"), ARMS)["holds"]
    assert judge(Claim("x", "loss", "a", "b", lower_is_better=True), ARMS)["holds"]


def test_a_control_holds_when_the_effect_is_gone() -> None:
    assert judge_control(Claim("y", "auc", "c", "b", controls="x"), ARMS, 0.0107)["holds"]
    assert not judge_control(LARGE, ARMS, 0.0107)["holds"]


def test_verdicts() -> None:
    holds, fails = {"holds": True}, {"holds": False}
    strong = judge(LARGE, ARMS)
    assert verdict([strong], [holds]) == "reproduced"
    assert verdict([strong], [fails]) == "direction only"
    assert verdict([judge(Claim("x", "auc", "a", "b", expected=0.1), ARMS)], []) == "direction only"
    wide = {"holds": False, "mean": 0.01, "low": -0.03, "high": 0.05, "expected": 0.02}
    narrow = wide | {"mean": 0.0, "low": -0.001, "high": 0.001}
    below = wide | {"mean": -0.2, "low": -0.3, "high": -0.1}
    assert verdict([wide], []) == "underpowered"
    assert verdict([narrow], []) == "not reproduced"
    assert verdict([below], []) == "not reproduced"
    assert verdict([wide, narrow], []) == "not reproduced"


def toy(calls: list[tuple[str, int]], fail_at: tuple[str, int] | None = None) -> Recipe:
    """Two arms whose figures follow from the seed."""

    def run(arm: str, prepared: int, setting) -> dict[str, float]:
        if (arm, setting.seed) == fail_at:
            raise KeyboardInterrupt
        calls.append((arm, setting.seed))
        return {"auc": prepared / 100 + (0.1 if arm == "new" else 0)}

    def prepare(setting) -> int:
        return setting.seed

    return Recipe("toy", "0000.00000", ("old", "new"), prepare, run, (Claim("better", "auc", "new", "old", 0.1),))


def test_an_interrupted_run_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    nothing = Changes({}, (), ())
    whole = run_recipe(toy([]), range(3), "small", nothing, tmp_path, tmp_path / "whole.json", lambda _: None)
    out, calls = tmp_path / "r.json", []
    with pytest.raises(KeyboardInterrupt):
        run_recipe(toy(calls, ("new", 1)), range(3), "small", nothing, tmp_path, out, lambda _: None)
    assert not out.exists()
    assert calls == [("old", 0), ("new", 0), ("old", 1)]
    again: list[tuple[str, int]] = []
    found = run_recipe(toy(again), range(3), "small", nothing, tmp_path, out, lambda _: None)
    assert again == [("new", 1), ("old", 2), ("new", 2)]
    for name in ("claims", "verdict", "seeds"):
        assert found[name] == whole[name]
    assert found["verdict"] == "reproduced"
    assert json.loads(out.read_text())["arms"]["new"]["auc"] == [0.1, 0.11, 0.12]
    assert not list(tmp_path.glob("*.tmp"))
    assert "better: new - old in auc = +0.1000" in table(found)


def test_progress_of_another_world_is_not_continued(tmp_path: Path) -> None:
    first = Progress(tmp_path / "r.json", {"world_version": "1"})
    first.add("a", 0, {"auc": 0.5, "gauc": math.nan})
    assert Progress(tmp_path / "r.json", {"world_version": "1"}).get("a", 0) == {"auc": 0.5, "gauc": None}
    assert Progress(tmp_path / "r.json", {"world_version": "2"}).get("a", 0) is None


def test_settings_go_where_they_belong() -> None:
    found = sort_changes(["click_drift=0.1", "mlp=[8]", "learning_rate=0.01"])
    assert found == Changes({"click_drift": 0.1}, ("mlp=[8]",), ("learning_rate=0.01",))
    with pytest.raises(ConfigError, match="no knob 'learning_rat'; did you mean 'learning_rate'"):
        sort_changes(["learning_rat=0.01"])
    with pytest.raises(ConfigError, match="value of 'users' cannot be read"):
        sort_changes(["users=[1"])
    with pytest.raises(ConfigError, match="no knob 'click_drift'"):
        sort_changes(["click_drift=0.1"], only="training")
    with pytest.raises(ConfigError, match="needs a value like"):
        sort_changes(["users=many"])
    with pytest.raises(ConfigError, match="no experiment 'baseline'; did you mean 'baselines'"):
        find_recipe("baseline")


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_whole(name: str) -> None:
    """Arms that claims name exist, and every control names a claim."""
    recipe = find_recipe(name)
    assert recipe.name == name
    assert {arm for c in (*recipe.claims, *recipe.controls) for arm in (c.arm, c.baseline)} <= set(recipe.arms)
    assert {c.controls for c in recipe.controls} <= {c.name for c in recipe.claims}
    assert recipe.controls


def test_swapped_rows_keep_what_the_control_must_keep() -> None:
    torch.manual_seed(0)
    of_row = torch.arange(50)
    data = dict.fromkeys(("user_id", "item_id", "hour", "click"), of_row)
    data |= {name: Ragged(of_row, torch.ones(50, dtype=torch.int64)) for name in ("history_item", "history_category")}
    for swap, moved in ((swap_histories, False), (swap_users, True)):
        got = swap(data, 3)
        assert torch.equal(got["item_id"], of_row)
        assert torch.equal(got["click"], of_row)
        assert torch.equal(got["user_id"], of_row) is not moved
        history = got["history_item"].values
        assert torch.equal(got["history_category"].values, history)
        assert sorted(history.tolist()) == of_row.tolist()
        assert (history == of_row).float().mean() < 0.2
        assert not moved or torch.equal(got["user_id"], history)  # a user keeps the own history


def run_command(*arguments: str) -> int:
    return main(["recommend", *arguments])


def knobs(*settings: str) -> list[str]:
    return [part for setting in settings for part in ("--set", setting)]


def test_the_experiment_command_runs_every_arm(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("IPL_HOME", str(tmp_path / "home"))
    out = tmp_path / "r.json"
    small = knobs(*TINY, "mlp=[8]", "embedding=4", "threads=1")
    assert run_command("experiment", "baselines", "--seeds", "1", "--seed", "5", "--out", str(out), *small) == 0
    found = json.loads(out.read_text())
    assert set(found) == FORMAT
    assert found["seeds"] == [5]
    assert found["verdict"] == "underpowered"  # one seed shows nothing: its interval has no ends
    assert [c["low"] for c in found["claims"]] == [None] * len(found["claims"])
    assert set(found["arms"]) == set(find_recipe("baselines").arms)
    for arm, measures in found["arms"].items():
        assert all(0 < value < 1 for value in measures["auc"]), arm
        assert all(len(values) == 1 for values in measures.values())
    assert found["arms"]["oracle"]["share"] == [1]
    assert found["arms"]["popularity"]["share"] == [0]
    assert found["arms"]["oracle"]["regret"] == [0]
    assert min(found["arms"]["oracle"]["auc"]) > max(found["arms"]["popularity"]["auc"])
    assert "verdict:" in capsys.readouterr().out
    assert run_command("experiment", "baselines", *small) == 2
    assert "name its file with --out" in capsys.readouterr().err


def test_world_train_evaluate(tmp_path: Path, capsys) -> None:
    world, run, out = (str(tmp_path / name) for name in ("world", "run", "measures.json"))
    assert run_command("world", "--out", world, "--seed", "3", *knobs(*TINY)) == 0
    settings = knobs("mlp=[8]", "embedding=4", "threads=1", "batch_rows=256")
    train = ["train", "--data", world, "--out", run, "--model", "esmm", *settings]
    assert run_command(*train) == 0
    assert run_command("evaluate", "--run", run, "--data", world, "--out", out) == 0
    found = json.loads(Path(out).read_text())
    assert found["days"] == [26, 29]
    assert set(found["measures"]) == {"click", "order", "ctcvr", "oracle of click"}
    assert found["measures"]["oracle of click"]["auc"] > found["measures"]["click"]["auc"]
    # The same call goes on with what is there (nothing is left to do); another one is refused.
    capsys.readouterr()
    assert run_command(*train) == 0
    assert "in 0 steps" not in capsys.readouterr().out
    for arguments, sentence in {
        (*train, "--seed", "9"): "holds a run on another log, or with other settings",
        (*train, *knobs("learning_rat=1")): "did you mean 'learning_rate'",
        ("train", "--data", str(tmp_path / "none"), "--out", run): "there is no log in",
        ("train", "--data", world, "--out", run, "--model", "dim"): "no model 'dim'",
        ("evaluate", "--run", world, "--data", world): "holds no training run",
        ("world", "--out", str(tmp_path), "--seed", "1"): "holds no world",
        ("experiment", "baselinse"): "did you mean 'baselines'",
    }.items():
        assert run_command(*arguments) == 2, arguments
        error = capsys.readouterr().err
        assert sentence in error
        assert "Traceback" not in error


def test_a_report_states_every_claim_and_draws_it(tmp_path):
    from PIL import Image

    from recommend.experiments.plot import markdown, plot, read_results
    from recommend.experiments.runner import result_file

    results = read_results(result_file("baselines", "small"))
    text = markdown(results, ["auc", "gauc"])
    assert text.count("\n| ") >= len(results["arms"]) + len(results["claims"]) + len(results["controls"])
    mean = sum(results["arms"]["din"]["auc"]) / len(results["seeds"])
    assert f"| din | {mean:.4f} |" in text
    assert f"**{results['verdict']}**" in text
    plot(results, tmp_path / "figures" / "p.png")
    with Image.open(tmp_path / "figures" / "p.png") as picture:
        assert picture.width > 500
        assert picture.convert("L").getextrema()[0] < 100  # something is drawn


def test_a_report_without_results_says_what_to_do(tmp_path):
    from recommend.experiments.plot import markdown, read_results

    with pytest.raises(ConfigError, match="run the experiment first"):
        read_results(tmp_path / "none.json")
    with pytest.raises(ConfigError, match="there are"):
        markdown({"arms": {"a": {"auc": [0.5]}}, "claims": [], "controls": []}, ["ndcg"])


def test_scale_full_leaves_out_what_only_explains() -> None:
    recipe = toy([])
    wider = dataclasses.replace(recipe, arms=("popularity", "old", "beside", "new", "oracle"))
    assert wider.arms_at("small") == wider.arms
    assert wider.arms_at("full") == ("popularity", "old", "new", "oracle")
    assert wider.arms_at("small", deciding=True) == wider.arms_at("full")
