"""The world as files: same bytes by seed, schema, truth apart and calibrated, knobs checked."""

from __future__ import annotations

import ast
import hashlib
import os
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recommend.data.schema import TABLES, arrow_schema, table_files
from recommend.data.world import SCALES, WORLD_VERSION, KnobError, click_model, make_config, write_world
from recommend.data.world.oracle import OracleSealed, no_oracle, open_oracle

TINY = {
    "impressions": 20_000,
    "users": 85,
    "new_items_per_day": 400,
    "many_items": 100,
    "posts_per_day": 15,
    "refund_rate": 0.2,
}
RECOMMEND = Path(__file__).parents[3] / "recommend"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("world")
    return out, write_world(out, seed=7, knobs=TINY)


def read(out: Path, table: str) -> pa.Table:
    return pa.concat_tables([pq.ParquetFile(f).read() for f in table_files(out / "log", table)])


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    written: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    _, manifest = written
    again = write_world(tmp_path / "again", seed=7, knobs=TINY)
    assert again == manifest
    other = write_world(tmp_path / "other", seed=8, knobs=TINY)
    same = [name for name, digest in other["files"].items() if manifest["files"].get(name) == digest]
    assert same == []


def test_every_table_has_the_schema_and_lies_in_its_day(written: tuple[Path, dict[str, Any]]) -> None:
    out, manifest = written
    assert set(manifest["rows"]) == set(TABLES)
    assert manifest["world_version"] == WORLD_VERSION
    for table in TABLES:
        files = table_files(out / "log", table)
        assert sum(pq.read_metadata(f).num_rows for f in files) == manifest["rows"][table] > 0
        for file in files:
            data = pq.ParquetFile(file).read()
            assert data.schema.equals(arrow_schema(table), check_metadata=False)
            if "day" in data.schema.names:
                day = int(file.parent.name.removeprefix("day="))
                assert set(data["day"].to_pylist()) == {day}
                assert (data["time_ms"].to_numpy() // 86_400_000 == day).all()


def test_labels_and_events_agree(written: tuple[Path, dict[str, Any]]) -> None:
    out, _ = written
    impressions = read(out, "impression")
    number = impressions["impression_id"].to_numpy()
    assert (number == np.arange(len(number))).all()
    assert (np.diff(impressions["time_ms"].to_numpy()) >= 0).all()
    for table in ("click", "cart", "order", "refund"):
        events = read(out, table)
        label = impressions[table].to_numpy(zero_copy_only=False)
        assert set(events["impression_id"].to_pylist()) == set(number[label].tolist())
        assert (events["delay_ms"].to_numpy() > 0).all()
    orders = read(out, "order")
    back = read(out, "refund")
    assert set(back["order_id"].to_pylist()) <= set(orders["order_id"].to_pylist())


def test_true_probabilities_are_calibrated(written: tuple[Path, dict[str, Any]]) -> None:
    out, _ = written
    impressions, oracle = read(out, "impression"), open_oracle(out)
    click = impressions["click"].to_numpy(zero_copy_only=False)
    p = oracle["p_click"]
    assert len(p) == len(click)
    for part in np.array_split(np.argsort(p), 10):
        spread = np.sqrt((p[part] * (1 - p[part])).sum())
        assert abs(click[part].sum() - p[part].sum()) < 4 * spread
    assert oracle["p_click_without_page"].mean() == pytest.approx(click.mean(), rel=0.12)
    clicked = click & (impressions["entity"].to_numpy() == 0)
    for name, label in (("p_cart", "cart"), ("p_order", "order")):
        q, y = oracle[name][clicked], impressions[label].to_numpy(zero_copy_only=False)[clicked]
        lost = len(open_oracle(out, "lost")["impression_id"]) if label == "order" else 0
        assert abs(y.sum() + lost - q.sum()) < 4 * np.sqrt((q * (1 - q)).sum())


def test_the_truth_lies_apart_and_no_log_reader_opens_it(written: tuple[Path, dict[str, Any]]) -> None:
    out, _ = written
    assert not list((out / "log").rglob("*.truth"))
    files = list((out / "oracle").iterdir())
    assert files
    for file in files:
        with pytest.raises(pa.ArrowInvalid):
            pq.read_table(file)
    assert table_files(out / "oracle", "impression") == []
    truth_columns = {name for f in files for name in open_oracle(out, f.stem)}
    for table in TABLES:
        assert not {c for c in arrow_schema(table).names if c.startswith("p_")}
    assert "p_click" in truth_columns


def test_sealed_training_cannot_open_the_truth(written: tuple[Path, dict[str, Any]]) -> None:
    out, _ = written
    file = out / "oracle" / "impression.truth"
    with no_oracle():
        for attempt in (
            lambda: open_oracle(out),
            file.read_bytes,
            lambda: np.fromfile(file, dtype=np.uint8),
            lambda: os.open(str(file).encode(), os.O_RDONLY),
        ):
            with pytest.raises(OracleSealed):
                attempt()
        caught: list[BaseException] = []

        def worker() -> None:
            try:
                open_oracle(out)
            except OracleSealed as error:
                caught.append(error)

        thread = threading.Thread(target=worker)
        thread.start()
        thread.join()
        assert len(caught) == 1
        assert len(read(out, "click")) > 0  # the log stays readable
    assert len(open_oracle(out)["p_click"]) > 0


@pytest.mark.parametrize("package", ["data", "features", "layers", "losses", "models", "training", "cascade"])
def test_no_training_code_imports_the_oracle(package: str) -> None:
    for file in sorted((RECOMMEND / package).rglob("*.py")):
        if file.is_relative_to(RECOMMEND / "data" / "world"):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            sealed = [n for n in names if "oracle" in n and not n.endswith(".no_oracle")]
            assert not sealed, f"{file} imports {sealed}"


def test_an_unknown_knob_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(KnobError, match="refund_rate"):
        make_config("small", {"refund_rat": 0.1})
    with pytest.raises(KnobError, match="small"):
        make_config("medium")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "knobs",
    [{"click_rate": 1.5}, {"users": 0}, {"feed_pages": 0.9}, {"users": "many"}, {"sold_leave": "perhaps"}],
    ids=lambda k: next(iter(k)),
)
def test_impossible_knobs_are_refused(knobs: dict[str, Any]) -> None:
    with pytest.raises(KnobError):
        make_config("small", knobs)


def test_text_values_convert() -> None:
    config = make_config("small", {"sold_leave": "false", "users": "900", "life_days": "2"})
    assert (config.sold_leave, config.users, config.life_days) == (False, 900, 2.0)


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="choose another"):
        write_world(tmp_path, knobs=TINY)
    assert (tmp_path / "letter.txt").read_text() == "mine"


def test_the_defaults_are_frozen() -> None:
    """Changing a default changes every verdict: it needs a new WORLD_VERSION, and then this digest."""
    fixed = [
        getattr(click_model, name)
        for name in sorted(vars(click_model))
        if name.isupper() and name.endswith(("OFFSET", "CE"))
    ]
    frozen = (sorted(asdict(make_config("full")).items()), fixed, click_model.PAGE_WEIGHTS.tolist(), SCALES)
    digest = hashlib.sha256(repr(frozen).encode()).hexdigest()[:16]
    assert (WORLD_VERSION, digest) == ("1.1.0", "de1df8e4b8f2ffd4")
