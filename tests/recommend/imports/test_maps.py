"""Maps of logs: each as it must be, and small files of the layout in which each log was published."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from app.cli.main import main
from finetune.data.photosets import data_root
from recommend.config import ConfigError
from recommend.data.parquet import DataError
from recommend.imports.maps import FOLDER, LogMap, log_files, read_map
from recommend.imports.run import import_log
from recommend.research.events import read_events
from tests.recommend.support.imports import EVENTS, table


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
    assert main(["recommend", "import", "--map", "merrec", "-o", str(tmp_path / "out")]) != 0
    sentence = capsys.readouterr().err
    assert f"is not in {data_root()}: name the log's files, or the folder of the project's logs in IPL_DATA" in sentence
    for log_map, _ in (read_map(path.stem) for path in FOLDER.glob("*.yaml")):
        assert log_map.about
        with suppress(ConfigError):
            assert all(file.is_relative_to(data_root()) for file in log_files(log_map))


def text(path, *lines: str):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def rows(tmp_path, monkeypatch, name: str) -> list[dict]:
    """The imported rows of a map whose files lie in the folder of logs."""
    monkeypatch.setenv("IPL_DATA", str(tmp_path))
    log_map, _ = read_map(name)
    import_log(log_files(log_map), log_map, tmp_path / "out")
    return table(tmp_path / "out").to_pylist()


def test_kuairand(tmp_path, monkeypatch):
    folder = tmp_path / "KuaiRand-Pure/data"
    head = (
        "user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,is_comment,is_forward,is_hate,long_view,"
        "play_time_ms,duration_ms,profile_stay_time,comment_stay_time,is_profile_enter,is_rand,tab"
    )
    start = 1_650_643_200_000  # 2022-04-23 00:00 in China
    text(
        folder / "log_standard_4_22_to_5_08_pure.csv",
        head,
        f"0,7,20220423,0,{start + 5},1,1,1,0,1,0,1,9000,20000,0,0,0,0,1",
        f"0,8,20220423,100,{start + 3_600_000},0,0,0,1,0,0,0,100,9000,0,0,0,0,1",
    )
    text(
        folder / "log_random_4_22_to_5_08_pure.csv",
        head,
        f"0,9,20220424,1200,{start + 86_400_000},1,0,0,0,0,0,1,500,9000,0,3,0,1,2",
    )
    text(
        folder / "video_features_basic_pure.csv",
        "video_id,author_id,video_type,upload_dt,upload_type,visible_status,video_duration,server_width,server_height,"
        "music_id,music_type,tag",
        '7,3,NORMAL,2022-04-20,LongImport,0,20000,720,1280,1,9,"12,65"',
        "8,4,AD,2022-04-20,Web,0,9000,720,1280,1,9,12",
        "9,4,NORMAL,2022-04-20,Web,0,9000,720,1280,1,9,",
    )
    imported = rows(tmp_path, monkeypatch, "kuairand")
    assert [(r["item_id"], r["policy"], r["click"], r["long_view"]) for r in imported] == [
        (7, 0, True, True),
        (8, 0, False, False),
        (9, 2, True, True),
    ]
    assert [r["author"] for r in imported] == [3, 4, 4]
    assert [r["category"] for r in imported] == [1, 0, -1]
    assert imported[2]["privileged"] == [500.0, 0.0, 3.0]
    assert [r["history_item"] for r in imported] == [[], [7], [7]]
    assert [(r["day"], r["hour"]) for r in imported] == [(0, 0), (0, 1), (1, 0)]


def test_ali_ccp(tmp_path, monkeypatch):
    def features(*pairs: tuple[str, int]) -> str:
        return "\x01".join(f"{field}\x02{value}\x031.0" for field, value in pairs)

    folder = tmp_path / "ali_ccp"
    for part, at in (("train", 10), ("test", 20)):
        fields = features(("205", at), ("206", 6), ("207", 7), ("216", 8), ("508", 9), ("301", 2))
        other = features(("216", 8), ("205", at + 1), ("301", 1))
        text(folder / f"sample_skeleton_{part}.csv", f"1,1,1,k{part},6,{fields}", f"2,0,0,k{part},3,{other}")
        common = features(("109_14", 205), ("101", at * 100), ("124", 3), ("127_14", 5))
        text(folder / f"common_features_{part}.csv", f"k{part},4,{common}")
    imported = rows(tmp_path, monkeypatch, "ali_ccp")
    assert [r["day"] for r in imported] == [0, 0, 1, 1], "the published parts"
    assert [(r["click"], r["order"]) for r in imported] == [(True, True), (False, False)] * 2
    values = {
        n: pq.read_table(tmp_path / f"out/codes/{n}.parquet")["value"].to_pylist() for n in ("user_id", "item_id")
    }
    assert [values["user_id"][r["user_id"]] for r in imported] == ["1000", "1000", "2000", "2000"]
    assert [values["item_id"][r["item_id"]] for r in imported] == ["10", "11", "20", "21"]
    assert [r["category"] for r in imported] == [0, -1, 0, -1]
    assert [r["scenario"] for r in imported] == [1, 0, 1, 0]


def test_tenrec(tmp_path, monkeypatch):
    text(
        tmp_path / "tenrec/QB-video.csv",
        "user_id,item_id,click,follow,like,share,video_category,watching_times,gender,age",
        "1,10,1,1,1,1,5,3,2,4",
        "2,10,0,0,0,0,5,0,1,3",
        "1,11,1,0,0,0,6,2,2,4",
        "1,12,0,0,0,0,5,0,2,4",
    )
    imported = rows(tmp_path, monkeypatch, "tenrec")
    assert [(r["user_id"], r["item_id"], r["history_item"]) for r in imported] == [
        (1, 10, []),
        (1, 11, [10]),
        (2, 10, []),
        (1, 12, [10, 11]),
    ]
    assert [r["day"] for r in imported] == [0, 0, 1, 1], "everybody's last row is the test"


def test_cascade(tmp_path, monkeypatch):
    start = 1_746_028_800  # 2025-05-01 00:00 in China
    other = "\t".join(f"[x{i}]" for i in range(17))

    def line(at: int, paid: str, back: str, user: str, item: str) -> str:
        return f"{start + at}\t{paid}\t{back}\t[a]\t[{user}]\t[{item}]\t[s]\t[c{item}]\t{other}"

    text(
        tmp_path / "CASCADE/part-0.txt",
        line(60, f"[{start + 86_400}]", f"[{start + 3 * 86_400}]", "u1", "i1"),
        line(120, "[]", "[]", "u1", "i2"),
        line(90_000, f"[{start + 90_060}]", "[]", "u2", "i1"),
    )
    imported = rows(tmp_path, monkeypatch, "cascade")
    assert [(r["order"], r["refund"]) for r in imported] == [(True, True), (False, False), (True, False)]
    assert [(r["order_day"], r["refund_day"]) for r in imported] == [(1, 3), (-1, -1), (1, -1)]
    assert [r["day"] for r in imported] == [0, 0, 1]
    assert [r["history_item"] for r in imported] == [[], [imported[0]["item_id"]], []]
    later = {name: table(tmp_path / "out", name).to_pylist() for name in ("click", "order", "refund")}
    day = 86_400_000
    assert [(r["impression_id"], r["time_ms"]) for r in later["click"]] == [(0, 60_000), (1, 120_000), (2, 90_000_000)]
    assert [(r["impression_id"], r["day"], r["delay_ms"]) for r in later["order"]] == [
        (0, 1, day - 60_000),
        (2, 1, 60_000),
    ]
    assert [(r["impression_id"], r["day"], r["delay_ms"]) for r in later["refund"]] == [(0, 3, 2 * day)]


def test_recflow(tmp_path, monkeypatch):
    at = 1_705_334_400_000 + np.array([0, 1000, 90_000_000])
    columns = {
        "request_id": [1, 1, 2], "user_id": [5, 5, 5], "request_timestamp": at, "device_id": [1, 1, 1],
        "gender": [1, 1, 1], "province": [9, 9, 9], "video_id": [70, 71, 72], "author_id": [3, 3, 4],
        "category_level_two": [20, 21, 20], "upload_type": [1, 1, 2], "upload_timestamp": at, "age": [2, 2, 2],
        "category_level_one": [2, 2, 2],
        "effective_view": [1, 0, 1], "long_view": [0, 0, 1], "like": [0, 0, 1],
    }  # fmt: skip
    path = tmp_path / "recflow/realshow/2024-01-16.feather"
    path.parent.mkdir(parents=True)
    feather.write_feather(pa.table(columns), path)
    imported = rows(tmp_path, monkeypatch, "recflow")
    assert [(r["item_id"], r["request_id"], r["click"], r["history_item"]) for r in imported] == [
        (70, 1, True, []),
        (71, 1, False, [70]),
        (72, 2, True, [70]),
    ]
    assert imported[1]["history_category"] == [20]


def test_merrec(tmp_path, monkeypatch):
    whens = [f"2023-05-01 10:0{i}:00" for i in range(6)] + ["2023-05-02 11:00:00"] * 2
    what = ["item_view", "item_like", "item_view", "item_add_to_cart_tap", "offer_make", "buy_comp", *["item_view"] * 2]
    same = {n: [1] * 8 for n in ("sequence_id", "session_id", "product_id", "c0_id", "c1_id", "shipper_id")}
    columns = {
        **same, "user_id": [*[4] * 7, 5], "item_id": [100, 100, 101, 100, 100, 100, 102, 103],
        "event_id": what, "stime": whens,
        "c2_id": [7, 7, 8, 7, 7, 7, None, 9], "brand_id": [1] * 8, "item_condition_id": [3] * 8, "size_id": [2] * 8,
        "price": [25] * 8, "color": ["red"] * 8,
    }  # fmt: skip
    path = tmp_path / "merrec/20230501/000.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table(columns), path)
    imported = [r for r in rows(tmp_path, monkeypatch, "merrec") if r["click"]]
    assert [(r["item_id"], r["category"], r["cart"], r["order"]) for r in imported] == [
        (100, 7, True, True),
        (101, 8, False, False),
        (102, -1, False, False),
        (103, 9, False, False),
    ]
    assert [r["history_item"] for r in imported] == [[], [100], [100, 101], []]
    assert {r["price"] for r in imported} == {25.0}


def test_events_of_a_file_without_a_header(tmp_path):
    path = tmp_path / "UserBehavior.csv"
    midnight = 1511452800 + 86_400  # 2017-11-25 00:00 in China
    rows = [f"1,10,5,pv,{midnight}", f"2,11,5,buy,{midnight - 1}", "1,12,6,fav,1511712000", "3,13,6,pv,1400000000"]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    events = read_events("taobao", path)
    assert events["user_id"].tolist() == [2, 1, 1], "in the order of time, without the row of another year"
    assert events["behaviour"].tolist() == ["order", "click", "favourite"]
    assert events["day"].tolist() == [0, 1, 3]
