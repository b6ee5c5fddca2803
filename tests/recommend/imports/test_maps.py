"""Maps of logs: each as it must be, and small files of the layout in which each log was published."""

from __future__ import annotations

from contextlib import suppress

import pytest

from app.cli.main import main
from finetune.data.photosets import data_root
from recommend.config import ConfigError
from recommend.data.parquet import DataError
from recommend.imports.maps import FOLDER, LogMap, log_files, read_map
from recommend.imports.run import import_log
from recommend.imports.tables import Work
from tests.recommend.support.imports import EVENTS


def test_maps_that_cannot_be_are_refused():
    with pytest.raises(ConfigError, match=r"no map 'nowhere'.*taobao"):
        read_map("nowhere")
    for change in ("context={click: x}", "context={Category: x}", "other={_t: x}", "other={history_item: x}",
                   "other={order_day: x}"):  # fmt: skip
        with pytest.raises(ConfigError, match="two meanings"):
            EVENTS.changed([change])
    with pytest.raises(ConfigError, match="no name of a column"):
        EVENTS.changed(["other={../up: x}"])
    with pytest.raises(ConfigError, match="leave 'privileged' out"):
        EVENTS.changed(["privileged={dwell: x}"])
    with pytest.raises(ConfigError, match="name the log's files"):
        log_files(EVENTS)
    with pytest.raises(ConfigError, match="dwell_s is known after the request"):
        LogMap.of({"user": "u", "item": "i", "time": {"column": "t", "unit": "s"}, "context": {"dwell_s": "d"}})
    with pytest.raises(DataError, match="no file"):
        import_log([FOLDER / "none.csv"], EVENTS, FOLDER / "none")


@pytest.mark.parametrize("named", [True, False])
def test_logs_lie_where_the_photos_do(named, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IPL_DATA", str(tmp_path) if named else "")
    own = tmp_path / "own.yaml"
    own.write_text("{file: none.csv, user: u, item: i, time: {column: t, unit: s}}", encoding="utf-8")
    assert main(["recommend", "import", "--map", str(own), "-o", str(tmp_path / "out")]) != 0
    sentence = capsys.readouterr().err
    assert f"is not in {data_root()}: name the log's files, or the folder of the project's logs in IPL_DATA" in sentence
    for log_map, _ in (read_map(path.stem) for path in FOLDER.glob("*.yaml")):
        assert log_map.about
        with suppress(ConfigError):
            assert all(file.is_relative_to(data_root()) for file in log_files(log_map))


def test_events_of_a_file_without_a_header(tmp_path):
    path = tmp_path / "UserBehavior.csv"
    midnight = 1511452800 + 86_400  # 2017-11-25 00:00 in China
    lines = [f"1,10,5,pv,{midnight}", f"2,11,5,buy,{midnight - 1}", "1,12,6,fav,1511712000", "3,13,6,pv,1400000000"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    work = Work(tmp_path, (path,), read_map("taobao")[0], 1_600_000_000_000)
    work.read()
    work.clean()
    events = work.table("SELECT user_id, _behaviour, day FROM events ORDER BY time_ms, _n").to_pydict()
    work.con.close()
    assert events["user_id"] == [2, 1, 1], "in the order of time, without the row of another year"
    assert events["_behaviour"] == ["order", "click", "favourite"]
    assert events["day"] == [0, 1, 3]
