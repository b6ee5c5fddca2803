"""A world as a log: what hangs together in it, where the truth lies, and who may read that."""

from __future__ import annotations

import ast
import os
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recommend.config import ModelConfig, TrainConfig
from recommend.data.oracle import OracleSealed, no_oracle, open_oracle
from recommend.data.schema import CHANNELS, POLICIES, table_files
from recommend.research.world import make_config, write_world
from recommend.research.world.impressions import ITEM, Impressions
from recommend.research.world.stored import store_histories
from recommend.simulation.config import DAY_MS, WorldConfig
from recommend.training.runs import plan, train_run

RECOMMEND = Path(__file__).parents[4] / "recommend"
KNOBS = {"impressions": 20_000, "days": 6, "promotion_first": 2, "promotion_days": 1, "promotion_every": 9}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("world")
    write_world(out, seed=7, knobs=KNOBS)
    return out


def read(root: Path, table: str) -> dict[str, np.ndarray]:
    parts = pa.concat_tables([pq.ParquetFile(f).read() for f in table_files(root / "log", table)])
    return {n: parts[n].to_numpy() for n in parts.column_names if not pa.types.is_list(parts[n].type)}


def test_channels_entities_and_policies_are_what_they_say(root: Path) -> None:
    rows = read(root, "impression")
    video, ads = (rows["channel"] == CHANNELS.index(name) for name in ("video", "ads"))
    assert (video == (rows["post_id"] >= 0)).all()
    assert (video == (rows["item_id"] < 0)).all()
    assert not rows["order"][video].any()
    assert (rows["is_ad"] == ads).all()
    assert ads.mean() == pytest.approx(0.12, abs=0.02)
    uniform = rows["policy"] == POLICIES.index("uniform")
    assert not uniform[~ads].any()
    assert uniform[ads].mean() == pytest.approx(WorldConfig().uniform_share, abs=0.06)


def test_labels_and_events_agree_and_what_follows_comes_later(root: Path) -> None:
    rows = read(root, "impression")
    since = rows["time_ms"]
    for table in ("click", "order", "refund"):
        events = read(root, table)
        assert sorted(events["impression_id"]) == np.flatnonzero(rows[table]).tolist()
        assert (events["delay_ms"] > 0).all()
        assert (events["time_ms"] - events["delay_ms"] == since[events["impression_id"]]).all()
        since = np.zeros(len(rows["day"]), dtype=np.int64)
        since[events["impression_id"]] = events["time_ms"]
    assert read(root, "order")["time_ms"].max() > KNOBS["days"] * DAY_MS  # the log goes on after the last page


def test_things_are_shown_only_between_listing_and_leaving(root: Path) -> None:
    world = Impressions(make_config(KNOBS), 7)
    items, posts = world.truth.items, world.truth.posts
    for day, rows, _ in world.days():
        at = rows["entity"] == ITEM
        item, post = rows["item"][at], rows["post"][~at]
        assert (items.listed[item] <= day).all()
        assert (items.leaves[item] > day).all()
        assert (posts.created[post] <= day).all()
        assert (posts.leaves[post] > day).all()
    impressions, table = read(root, "impression"), read(root, "item")
    at = impressions["item_id"] >= 0
    for name in ("single", "category", "brand", "condition", "price", "seller_id"):
        assert (
            impressions[name][at] == table[name][impressions["item_id"][at]]
        ).all()  # of the listing, not of its future
    assert (impressions["time_ms"][at] >= table["listed_ms"][impressions["item_id"][at]]).all()


def test_stored_histories_are_earlier_clicks_and_training_reads_them(tmp_path: Path) -> None:
    write_world(tmp_path / "w", seed=7, knobs=KNOBS | {"impressions": 8_000})
    before = read(tmp_path / "w", "impression")
    manifest = store_histories(tmp_path / "w")
    after, clicks = read(tmp_path / "w", "impression"), read(tmp_path / "w", "click")
    assert all((after[n] == before[n]).all() for n in before)
    assert manifest["histories"] == 20
    log = tmp_path / "w" / "log"
    past = pa.concat_tables([pq.ParquetFile(f).read() for f in table_files(log, "impression")])
    lists = {n: past[n].to_pylist() for n in ("history_item", "history_single", "history_category", "history_post")}
    single, clicks_before = read(tmp_path / "w", "item")["single"], 0
    for i in range(0, len(before["day"]), 61):
        mine = (clicks["user_id"] == after["user_id"][i]) & (clicks["time_ms"] < after["time_ms"][i])
        for name, column in (("history_item", "item_id"), ("history_post", "post_id")):
            at = np.flatnonzero(mine & (clicks[column] >= 0))
            at = at[np.argsort(clicks["time_ms"][at], kind="stable")][-20:]
            assert lists[name][i] == clicks[column][at].tolist()
            clicks_before += len(at)
        assert lists["history_single"][i] == single[lists["history_item"][i]].astype(int).tolist()
        assert len(lists["history_category"][i]) == len(lists["history_item"][i])
    assert clicks_before
    run = plan(
        log, ModelConfig(name="din", embedding=4, mlp=(8,)), TrainConfig(batch_rows=512, threads=1), ("click",), 1
    )
    with no_oracle():
        assert train_run(log, run, tmp_path / "run").rows > 5_000


def test_no_log_reader_opens_the_truth(root: Path) -> None:
    assert not list((root / "log").rglob("*.truth"))
    files = [f for f in (root / "oracle").rglob("*") if f.is_file()]
    assert files
    for file in files:
        with pytest.raises(pa.ArrowInvalid):
            pq.read_table(file)
    assert table_files(root / "oracle", "impression") == []
    with pytest.raises(FileNotFoundError, match="no truth 'lost'"):
        open_oracle(root, "lost")


def test_sealed_training_cannot_open_the_truth_by_any_function_in_any_thread(root: Path) -> None:
    file = root / "oracle" / "impression" / "day=000.truth"
    caught: list[BaseException] = []

    def worker() -> None:
        try:
            open_oracle(root, "item")
        except OracleSealed as error:
            caught.append(error)

    with no_oracle():
        for attempt in (
            lambda: open_oracle(root, "impression/day=000"),
            file.read_bytes,
            lambda: np.fromfile(file, dtype=np.uint8),
            lambda: os.open(str(file).encode(), os.O_RDONLY),
        ):
            with pytest.raises(OracleSealed):
                attempt()
        thread = threading.Thread(target=worker)
        thread.start()
        thread.join()
        assert len(read(root, "click")["day"]) > 0  # the log stays readable
    assert len(caught) == 1
    assert len(open_oracle(root, "impression/day=000")["p_click"]) > 0


@pytest.mark.parametrize(
    "package", ["data", "features", "layers", "losses", "models", "training", "cascade", "serving"]
)
def test_no_training_code_imports_the_oracle(package: str) -> None:
    for file in sorted((RECOMMEND / package).rglob("*.py")):
        if file.name == "evaluation.py":  # measures beside the truth, after training
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            sealed = [n for n in names if "oracle" in n and not n.endswith(".no_oracle")]
            assert not sealed, f"{file} imports {sealed}"


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="choose another"):
        write_world(tmp_path, knobs=KNOBS)
    assert (tmp_path / "letter.txt").read_text() == "mine"
    with pytest.raises(FileExistsError, match="is a file"):
        write_world(tmp_path / "letter.txt", knobs=KNOBS)
