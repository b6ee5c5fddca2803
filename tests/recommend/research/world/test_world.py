"""World 2: same seed, same bytes; probabilities that hold; nothing of future or truth in what training reads."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest

from recommend.data.oracle import OracleSealed, no_oracle, open_oracle
from recommend.data.ragged import array_of
from recommend.data.schema import table_files
from recommend.research.headroom import rows
from recommend.research.world import KNOBS, KnobError, WorldConfig, make_config, write_world
from recommend.research.world.read import WorldStream, world_map

KNOBS_SMALL = {"impressions": 60_000, "days": 10, "clicks": 20_000}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    return root, write_world(root, seed=3, knobs=KNOBS_SMALL)


def test_same_seed_same_bytes_other_seed_other_bytes(world, tmp_path):
    again = write_world(tmp_path / "again", seed=3, knobs=KNOBS_SMALL)
    assert again["files"] == world[1]["files"]
    other = write_world(tmp_path / "other", seed=4, knobs=KNOBS_SMALL)
    assert (
        other["files"]["log/impression/day=000/part-0.parquet"]
        != again["files"]["log/impression/day=000/part-0.parquet"]
    )


def test_labels_follow_the_true_probabilities(world):
    log_rows = rows(world[0], ("click", "order", "refund", "entity"), ("p_click", "p_order", "p_refund", "p_cart"))
    for label, p, condition in (
        ("click", "p_click", np.ones(len(log_rows["click"]), dtype=bool)),
        ("refund", "p_refund", log_rows["order"]),
    ):
        y, q = log_rows[label][condition].astype(float), log_rows[p][condition].astype(float)
        assert abs(y.mean() - q.mean()) < 4 * np.sqrt((q * (1 - q)).sum()) / len(q)
        top = q > np.median(q)
        assert y[top].mean() > y[~top].mean()
    wished = log_rows["p_order"][log_rows["click"] & (log_rows["entity"] == 0)]
    lost = wished.sum() - log_rows["order"].sum()  # single pieces that somebody else got first
    assert -4 * np.sqrt(wished.sum()) < lost < 0.3 * wished.sum()


def test_no_truth_in_the_log_and_none_within_training(world):
    truth = set(open_oracle(world[0], "impression/day=000")) | {"vector", "quality", "long", "intent", "taste"}
    for table in ("impression", "click", "order", "refund", "item", "user", "post"):
        assert not truth & set(pq.read_schema(table_files(world[0] / "log", table)[0]).names)
    with no_oracle(), pytest.raises(OracleSealed):
        open_oracle(world[0], "impression/day=000")


def test_a_stream_goes_on_where_a_position_says(world):
    log = world[0] / "log"
    whole = WorldStream(log, (2, 4), ["impression_id"], batch_rows=1_500)
    pairs = list(whole.with_positions())
    from dataclasses import replace

    for at in (0, 1, len(pairs) - 2):
        rest = list(replace(whole, start=pairs[at][1]).with_positions())
        assert [array_of(b["impression_id"]).tolist() for b, _ in rest] == [
            array_of(b["impression_id"]).tolist() for b, _ in pairs[at + 1 :]
        ]


def test_a_single_piece_is_sold_once_and_then_gone(world):
    log = world[0] / "log"
    log_rows = rows(world[0], ("item_id", "single", "day", "order", "time_ms"), ())
    sold = log_rows["single"] & log_rows["order"]
    assert sold.any()
    assert len(np.unique(log_rows["item_id"][sold])) == sold.sum()
    orders = [pq.read_table(f).to_pandas() for f in table_files(log, "order")]
    day = {i: t // 86_400_000 for o in orders for i, t in zip(o.item_id, o.time_ms, strict=True)}
    single = np.flatnonzero(log_rows["single"])
    late = [i for i in single if log_rows["day"][i] > day.get(log_rows["item_id"][i], 10**9)]
    assert not late


def test_the_view_of_clicks_has_promotions_of_three_kinds(tmp_path):
    write_world(tmp_path, view="clicks", seed=1, knobs=KNOBS_SMALL)
    log_rows = rows(tmp_path, ("click", "promotion", "promotion_kind", "day"), ("p_order", "p_order_without_promotion"))
    assert log_rows["click"].all()
    assert log_rows["promotion"].max() >= 8
    assert set(log_rows["promotion_kind"]) == {-1, 0, 1, 2}
    plain = log_rows["promotion"] == 0
    assert np.allclose(log_rows["p_order"][plain], log_rows["p_order_without_promotion"][plain])
    assert log_rows["p_order"][~plain].mean() > 1.2 * log_rows["p_order_without_promotion"][~plain].mean()


def test_knobs():
    with pytest.raises(KnobError, match="taste"):
        make_config({"tast": 1})
    with pytest.raises(KnobError, match="share"):
        make_config({"refund_rate": 1.5})
    for knob in KNOBS.values():
        assert getattr(WorldConfig(), knob.name) in knob.doses
        assert len(knob.doses) == 5
        for value in (knob.off, *knob.doses):
            make_config({knob.name: value})


def test_the_map_reads_nothing_but_what_is_known_at_the_request():
    read = {f.column for f in world_map().features}
    assert not read & {"dwell_s", "privileged", "cart", "order", "refund", "policy"}
