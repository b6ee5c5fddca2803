"""``./ipl recommend world``: a world that ``train`` reads; what cannot be done is one sentence."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from app.cli.main import main
from recommend.data.schema import table_files

SMALL = ["--set", "impressions=3000", "--set", "days=3", "--set", "clicks=900", "--set", "click_days=30"]


@pytest.mark.parametrize("view", ["impressions", "clicks"])
def test_a_view_is_written_with_the_last_clicks_beside_each_row(view: str, tmp_path: Path, capsys) -> None:
    assert main(["recommend", "world", "--out", str(tmp_path / "w"), "--view", view, "--seed", "3", *SMALL]) == 0
    assert "impression" in capsys.readouterr().out
    file = table_files(tmp_path / "w" / "log", "impression")[-1]
    assert {"history_item", "history_category", "history_single"} <= set(pq.read_schema(file).names)


def test_what_cannot_be_done_is_one_sentence(tmp_path: Path, capsys) -> None:
    both = ["--out", str(tmp_path / "w"), "--table", str(tmp_path / "t.json")]
    for more, why in (
        ([], "name either --out DIR"),
        (both, "name either --out DIR"),
        ([*both[2:], "--set", "days=3"], "--set has no place"),
        ([*both[:2], "--set", "day=3"], "the nearest is 'days'"),
    ):
        assert main(["recommend", "world", *more]) == 2
        assert why in capsys.readouterr().err
    assert not (tmp_path / "w").exists()
