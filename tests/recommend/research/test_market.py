"""A market: the same people and goods for every arm, each by the live feed's own cascade; nothing is sold twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest

from app.cli.main import main
from recommend.config import ConfigError
from recommend.data.schema import table_files
from recommend.research.market import table
from recommend.research.market.arms import Arm, read_arm
from recommend.research.market.measures import MEASURES, gini
from recommend.research.market.play import Player
from recommend.research.market.table import play_market, summary
from recommend.research.market.town import Rules, Town

TINY = Rules(people=30, before=2, days=2, order=0.3, refund=0.5)


def played(folder, arm: Arm, rules: Rules = TINY, seed: int = 1) -> Player:
    """A player after all days, with its folder still there."""
    player = Player(Town(seed, rules), arm, folder)
    player.live(range(rules.before + rules.days), False, lambda day: None)
    player.feed.close()
    return player


def test_chance_is_the_same_for_all_arms():
    town, again = Town(3, TINY), Town(3, TINY)
    numbers = town.visits(1)[0].number, [5, 9]
    one = town.draw("click", numbers[0], np.array(numbers[1]))
    assert (one == again.draw("click", numbers[0], np.array([5, 9, 11]))[:2]).all()
    assert (one != town.draw("click other-chance", numbers[0], np.array(numbers[1]))).all()
    assert town.visits(1) == again.visits(1)
    every = np.concatenate([town.draw("click", v.number, np.arange(50)) for v in town.visits(0)])
    assert abs(every.mean() - 0.5) < 0.05
    assert 0.25 < every.std() < 0.33


def test_one_piece_sells_once_and_the_log_says_what_happened(tmp_path):
    player = played(tmp_path / "arm", Arm(rank="oracle", exploration=0.0))
    sold = Counter(n for _, n, _, _ in player.record.sold)
    assert sum(sold.values()) > 3
    assert all(many <= player.town.pieces[n] for n, many in sold.items())
    rows = [pq.ParquetFile(f).read() for f in table_files(player.log, "impression")]
    orders = sum(t["order"].to_pylist().count(True) for t in rows)
    assert orders == sum(sold.values())
    assert sum(t["click"].to_pylist().count(True) for t in rows) == player.record.clicks + player.record.post_clicks
    back = sum(t.num_rows for t in (pq.ParquetFile(f).read() for f in table_files(player.log, "refund")))
    assert back == sum(t["refund"].to_pylist().count(True) for t in rows)


def test_an_arm_goes_on_from_the_common_log(tmp_path):
    """Played in two parts, the second by another player from the first one's log, as in one."""
    arm = Arm(rank="newest", exploration=0.0)
    whole = played(tmp_path / "whole", arm)
    first = Player(Town(1, TINY), arm, tmp_path / "first")
    first.live(range(TINY.before), False, lambda day: None)
    first.save()
    first.feed.close()
    then = Player(Town(1, TINY), arm, tmp_path / "then")
    then.go_on(tmp_path / "first")
    then.live(range(TINY.before, 4), False, lambda day: None)
    then.feed.close()
    after = [sale for sale in whole.record.sold if sale[0] >= TINY.before * 86_400_000]
    assert then.record.sold == after
    logs = [[pq.ParquetFile(f).read() for f in table_files(p.log, "impression")] for p in (whole, then)]
    assert logs[0] == logs[1]


@pytest.mark.slow
def test_a_market_is_played_once_and_says_what_each_arm_brings(tmp_path, monkeypatch, capsys):
    """By the command: the table, a page and a picture; a second call plays nothing and gives the same."""
    out = tmp_path / "market.json"
    arms = ["random", "oracle", "random:other-chance"]
    command = [
        "recommend",
        "market",
        *(x for a in arms for x in ("--arm", a)),
        "--days",
        "2",
        "--seeds",
        "1-2",
        "--out",
        str(out),
    ]
    command += [x for name in ("people", "before", "order") for x in ("--set", f"{name}={getattr(TINY, name)}")]
    assert main(command) == 0
    result = json.loads(out.read_text())
    assert set(result["arms"]) == set(arms)
    assert set(result["arms"]["oracle"]) == set(MEASURES)
    assert result["differences"]["oracle over random"]["clicks_page"]["mean"] > 0
    assert set(result["aa"]) == {"random:other-chance over random"}
    assert "<svg" in (tmp_path / "market.html").read_text()
    assert "| clicks a page |" in capsys.readouterr().out
    monkeypatch.setattr(table, "_play", None)
    assert main(command) == 0
    assert json.loads(out.read_text()) == result


@pytest.mark.slow
def test_two_processes_give_the_same_numbers(tmp_path):
    """The whole table but for times, by another order of hashes, in another folder."""
    command = [sys.executable, "-m", "app.cli", "recommend", "market", "--arm", "newest", "--arm", "dcn"]
    command += ["--days", "2", "--seeds", "1"]
    command += [x for s in ("people=40", "before=4", "order=0.3", "refund=0.5") for x in ("--set", s)]
    tables = []
    for n in ("1", "2"):
        out = tmp_path / n / "market.json"
        run = subprocess.run([*command, "--out", str(out)], env={**os.environ, "PYTHONHASHSEED": n},
                             capture_output=True, text=True, check=False)  # fmt: skip
        assert run.returncode == 0, run.stderr
        table = json.loads(out.read_text())
        for of in (*table["arms"].values(), *table["differences"].values()):
            of.pop("cpu_ms")
        table.pop("seconds")
        tables.append(json.dumps(table))
    assert tables[0] == tables[1]


@pytest.mark.nightly
def test_models_are_trained_each_night_on_their_own_log(tmp_path):
    rules = Rules(people=150, before=6, days=2)
    result = play_market(["dcn", "trees", "dcn:conversion=esmm,prerank=two_tower,content=true"], rules, [1],
                         tmp_path / "out.json", lambda *said: None)  # fmt: skip
    assert not any(result["faults"].values())
    again = play_market(["dcn", "newest"], rules, [1], tmp_path / "again.json", lambda *said: None)
    pure = {name: value for name, value in result["arms"]["dcn"].items() if name != "cpu_ms"}
    assert pure == {name: value for name, value in again["arms"]["dcn"].items() if name != "cpu_ms"}


def test_arms_and_settings_that_there_are_not_are_refused(tmp_path):
    assert read_arm("dcn:conversion=esmm,exploration=0")[1] == Arm(rank="dcn", conversion="esmm", exploration=0.0)
    (tmp_path / "mine.yaml").write_text("rank: din\nposts: mkt\n")
    assert read_arm(str(tmp_path / "mine.yaml")) == ("mine", Arm(rank="din", posts="mkt"))
    for text, message in (("dnc", "no arm 'dnc'; did you mean"), ("dcn:pre=1", "no setting 'pre'"),
                          ("keep", "published knowledge")):  # fmt: skip
        with pytest.raises(ConfigError, match=message):
            read_arm(text)
    for setting, message in (
        ("poeple=3", "did you mean 'people'"),
        ("days=x", "must be a number"),
        ("days=0", "above 0"),
    ):
        with pytest.raises(ConfigError, match=message):
            Rules.of([setting])
    with pytest.raises(ConfigError, match="two arms or more"):
        play_market(["dcn"], TINY, [1], tmp_path / "out.json", lambda *said: None)


def test_differences_are_paired_and_gini_is_known():
    def of(pieces, clicks):
        return {**dict.fromkeys(MEASURES, 1.0), "pieces": pieces, "clicks_page": clicks, "sold_by_day": [1, 2],
                "faults": {}, "seconds": 1.0}  # fmt: skip

    result = summary({"a": [of(10, 1.0), of(20, 1.2)], "b": [of(12, 1.0), of(22, 1.2)]})
    assert result["differences"]["b over a"]["pieces"] == {"mean": 2, "low": 2, "high": 2, "seeds": 2}
    assert gini(np.array([1.0, 1, 1, 1])) == pytest.approx(0)
    assert gini(np.array([0.0, 0, 0, 1])) == pytest.approx(0.75)
