"""``feed.yaml``: which model answers whom, what a wrong file does, trials and going back."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml

from recommend.cascade.feed import Feed
from recommend.cascade.health import healthy
from recommend.cascade.page import FeedConfig
from recommend.cascade.registry import Registry
from recommend.cascade.routes import Entry, Routes, answering, read_routes, write_routes
from recommend.cascade.scoring import SIMPLE, Models
from recommend.config import ConfigError
from recommend.data.parquet import DataError
from tests.recommend.support.feed import NOW, SIZE, item


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "models", healthy)


def spoil(registry, role, version):
    weights = registry.folder(role, version) / "checkpoint.safetensors"
    weights.write_bytes(weights.read_bytes()[:-64] + b"\0" * 64)


def served(models, role="ranking"):
    return [(s.loaded.version, s.share) for s in models.serving(role)]


def named(registry, role="ranking"):
    return [(e.version, e.share) for e in registry.routes().of(role)]


def test_a_share_grows_without_taking_visitors_back():
    trial = {share: [answering("ranking", (1 - share, share), v) for v in range(20_000)] for share in (0.1, 0.3)}
    for share, drawn in trial.items():
        assert np.mean(drawn) == pytest.approx(share, abs=0.01)
    assert all(later >= earlier for earlier, later in zip(trial[0.1], trial[0.3], strict=True))
    other = [answering("conversion", (0.7, 0.3), v) for v in range(20_000)]
    assert np.mean(np.array(other)[np.array(trial[0.3]) == 1]) == pytest.approx(0.3, abs=0.03)
    assert answering("ranking", (1.0,), 7) == 0


def test_a_file_reads_as_it_was_written(tmp_path):
    routes = Routes(
        ranking=(Entry(model="din", version="0010", share=0.9), Entry(model="keep", version="2", share=0.1))
    )
    write_routes(tmp_path / "feed.yaml", routes)
    assert read_routes(tmp_path / "feed.yaml") == routes
    (tmp_path / "feed.yaml").write_text("ads:\nranking: [{model: din, version: 0010}]")
    assert read_routes(tmp_path / "feed.yaml").ranking[0].version == "0010"


WRONG = {
    "ranking:\n- {model: din": "(line 2: expected ',' or '}', but got '<stream end>')",
    "ranking: \0": "(it is no text of YAML)",
    "rankin: []": "rankin: Extra inputs are not permitted",
    "ranking: [{model: din}]": "ranking.0.version: Field required",
    "ranking: [{model: din, version: '1', share: .5}]": "ranking: the shares sum to 0.5 instead of 1",
    "ranking: [{model: din, version: '1', share: .5}, {model: din, version: '1', share: .5}]": "stands there twice",
    "[]]": "cannot be used",
}


@pytest.mark.parametrize("text", [*WRONG, None])
def test_a_wrong_file_keeps_what_served(registry, runs, text):
    registry.install(runs["din"], "ranking")
    models = Models(registry)
    models.refresh()
    if text is None:
        registry.file.unlink()
    else:
        registry.file.write_text(text)
    assert models.refresh() == []
    assert served(models) == [("0001", 1.0)]
    assert "what served before goes on" in models.problems["feed.yaml"]
    assert WRONG.get(text, "(no such file or directory)") in models.problems["feed.yaml"]
    again = Models(registry)  # after a restart as well
    again.refresh()
    assert served(again) == [("0001", 1.0)]
    write_routes(registry.file, Routes())
    assert models.refresh() == ["ranking"]
    assert models.problems == {}


def test_a_sick_version_never_serves(registry, runs):
    for _ in range(2):
        registry.install(runs["din"], "ranking")
    registry.serve("ranking", "0001")
    models = Models(registry)
    models.refresh()
    spoil(registry, "ranking", "0002")
    with pytest.raises(DataError, match="din 0002 does not serve as ranking: the weights are not those"):
        registry.serve("ranking", "0002")
    assert named(registry) == [("0001", 1.0)]
    write_routes(registry.file, Routes(ranking=(Entry(model="din", version="0002"),)))  # by hand, past the command
    for follower in (models, Models(registry)):
        follower.refresh()
        assert served(follower) == [("0001", 1.0)]
        assert "names din 0002, which does not serve: the weights" in follower.problems["ranking"]
        assert follower.problems["ranking"].endswith("; din 0001 serves.")
    assert registry.events(1)[0]["what"] == "failed"
    write_routes(registry.file, Routes(ranking=(Entry(model="keep", version="0001"),)))
    models.refresh()
    assert "version 0001 is of din" in models.problems["ranking"]


def test_trials_are_promoted_ended_and_rolled_back(registry, runs):
    with pytest.raises(ConfigError, match="nothing else serves ranking"):
        registry.install(runs["din"], "ranking", share=0.1)
    assert registry.versions("ranking") == []
    with pytest.raises(ConfigError, match="nothing served ranking before"):
        registry.rollback("ranking")
    registry.install(runs["din"], "ranking")
    registry.install(runs["din"], "ranking", share=0.1)
    assert named(registry) == [("0001", 0.9), ("0002", 0.1)]
    registry.install(runs["din"], "ranking", share=0.5)  # another trial in the place of the first
    assert named(registry) == [("0001", 0.5), ("0003", 0.5)]
    assert registry.rollback("ranking") == "0001"
    assert named(registry) == [("0001", 1.0)]
    registry.serve("ranking", "0003")
    registry.serve("ranking", "0002")
    assert registry.rollback("ranking") == "0003"
    spoil(registry, "ranking", "0001")
    with pytest.raises(DataError, match="din 0001 does not serve"):
        registry.rollback("ranking")
    assert named(registry) == [("0003", 1.0)]
    registry.file.unlink()
    registry.install(runs["two_tower"], "pre_ranking")  # the file is made again, of what served last
    assert (named(registry), named(registry, "pre_ranking")) == ([("0003", 1.0)], [("0001", 1.0)])


def test_each_visitor_has_one_model_a_stage(registry, runs):
    for role, model in (("pre_ranking", "two_tower"), ("ranking", "din")):
        registry.install(runs[model], role)
        registry.install(runs[model], role, share=0.4)
    cascade = Feed(SIZE, Models(registry), FeedConfig(candidates=50, ranked=20, size=10))
    cascade.models.refresh()
    for item_id in range(1, 40):
        cascade.put(item(item_id), NOW)
    cascade.pre_ranker.rebuild(NOW)
    by = {v: cascade.slate(v, NOW).models for v in range(60)}
    for stage, shares in (("pre_ranking", (0.6, 0.4)), ("ranking", (0.6, 0.4))):
        assert {v: models[stage].split()[1] for v, models in by.items()} == {
            v: f"000{1 + answering(stage, shares, v)}" for v in by
        }
        assert len({models[stage] for models in by.values()}) == 2
    assert {v: cascade.slate(v, NOW).models for v in range(60)} == by
    cascade.close()


def test_a_former_home_is_taken_over_once(registry, runs):
    registry.install(runs["din"], "ranking")
    registry.file.unlink()
    (registry.root / "ranking" / "current").write_text("0001\n")
    (registry.root / "promotion" / "0001").mkdir(parents=True)
    again = Registry(registry.root, healthy)
    assert yaml.safe_load(again.file.read_text())["ranking"] == [{"model": "din", "version": "0001", "share": 1.0}]
    assert not (registry.root / "ranking" / "current").exists()
    assert not (registry.root / "promotion").exists()
    models = Models(again)
    models.refresh()
    assert served(models) == [("0001", 1.0)]
    events = [{"what": w, "role": "ranking", "version": v} for w, v in (("activated", "0001"), ("failed", "0002"))]
    (registry.root / "events.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))
    assert again.history("ranking") == ["0001"]
    assert models.get("ads") is None
    assert models.simpler("ads") == "din 0001"
    assert models.simpler("posts") == SIMPLE
