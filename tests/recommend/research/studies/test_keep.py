"""KEEP's days: what is known at a midnight comes from the days before it alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from recommend.research.studies.papers import keep
from recommend.research.studies.study import Setting
from recommend.research.world import write_world

SETTING = Setting(0.6, 3, ("mlp=[8,4]", "embedding=4", "attention=[4]"))


def test_a_day_reads_what_the_days_before_it_taught(tmp_path: Path) -> None:
    write_world(tmp_path / "w", seed=3, knobs={"impressions": 12_000, "days": 14})
    domains = keep.prepare(tmp_path / "w", SETTING)
    day, click = domains.keyed.learned["day"], domains.keyed.train["click"]
    assert isinstance(click, torch.Tensor)
    other = {**domains.keyed.train, "click": torch.where(torch.from_numpy(day) >= 9, ~click.bool(), click.bool())}
    changed = replace(domains, keyed=replace(domains.keyed, train=other))
    (first, test), (second, test_too) = (d.knowledge("keep_clicks", SETTING) for d in (domains, changed))
    of = domains.ads.learned["day"]
    for name in first:
        a, b = first[name], second[name]
        assert isinstance(a, torch.Tensor)
        assert isinstance(b, torch.Tensor)
        assert not a[of < keep.WEEK].any()
        assert a[of >= keep.WEEK].any()
        assert torch.equal(a[of <= 9], b[of <= 9])
        assert not torch.equal(a[of > 9], b[of > 9])
        assert not torch.equal(test[name], test_too[name])
    once, once_too = (d.knowledge("keep_once", SETTING)[0]["knowledge_item"] for d in (domains, changed))
    assert torch.equal(once, once_too)  # all of it is from the first week


def test_midnight_comes_before_its_day() -> None:
    events: list[tuple[str, int]] = []
    day = np.array([3, 3, 3, 5, 5])
    stream = keep.Daily({"x": torch.arange(5)}, day, lambda d: events.append(("midnight", d)), 2)
    for batch, _ in stream.with_positions():
        events.extend(("row", int(v)) for v in batch["x"])
    assert events == [("midnight", 3), ("row", 0), ("row", 1), ("row", 2), ("midnight", 5), ("row", 3), ("row", 4)]
