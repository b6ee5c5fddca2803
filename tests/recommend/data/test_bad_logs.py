"""Bad input of an import: one sentence, and nothing is left behind."""

from __future__ import annotations

import pytest

from recommend.errors import RecommendError
from recommend.imports.maps import Label
from tests.recommend.data.test_imports import EVENTS, bring, events, parquet, table


def bad(tmp_path, case):
    """The file and the map of a bad case."""
    log, log_map = events(50), EVENTS
    path = tmp_path / "log.parquet"
    if case == "column":
        log_map = EVENTS.changed(["user={column: whom}"])
    elif case == "future":
        log["at"] = [t * 1000 for t in log["at"]]
    elif case == "class":
        log_map = EVENTS.model_copy(update={"behaviour": None, "labels": {"click": Label(column="one")}})
        log["one"] = [1] * 50
    elif case == "sql":
        log_map = EVENTS.changed(["where=SELECT"])
    elif case == "snoop":
        log_map = EVENTS.changed(["where=(SELECT count(*) FROM read_text('/etc/hostname')) > 0"])
    parquet(path, log)
    if case == "half":
        path.write_bytes(path.read_bytes()[:-500])
    elif case in WRITTEN:
        path = path.with_suffix(".csv")
        path.write_bytes(WRITTEN[case])
    return path, log_map


WRITTEN = {"void": b"", "head": b"who,sku,at,did,cat,price\n", "bytes": bytes(range(256)) * 20}


def test_numbers_that_are_none_are_nought_and_counted(tmp_path):
    log = events(50)
    log["price"] = [float("nan"), float("inf"), None, *[1.5] * 47]
    report = bring(parquet(tmp_path / "log.parquet", log), EVENTS, tmp_path / "out")
    assert report["empty"]["price"] == 3
    assert set(table(tmp_path / "out")["price"].to_pylist()) <= {0.0, 1.5}


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("column", "column 'whom', which log.parquet does not have; did you mean 'who'"),
        ("future", r"none of the 50 rows can be used \(50 in the future\).*unit of the time, which it gives as 's'"),
        ("class", "'click' is true in every row"),
        ("half", "damaged"),
        ("sql", "does not fit its map"),
        ("void", "names a column 'who', which log.csv does not have"),
        ("head", "the files are empty"),
        ("bytes", "does not fit its map|does not have"),
        ("snoop", "does not fit its map.*Permission"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(tmp_path, case, said):
    path, log_map = bad(tmp_path, case)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(RecommendError, match=said) as caught:
        bring(path, log_map, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before
