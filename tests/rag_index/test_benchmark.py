"""The benchmark at a small size: its figures exist, nothing is lost, nearly everything is found."""

from __future__ import annotations

import pytest

from benchmarks.rag_index import retrieval


@pytest.mark.server
def test_small_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    result = retrieval.main(["--small"])
    assert result["recall_at_10"] >= 0.95
    assert result["killed_server"]["confirmed"] == 200
    assert result["killed_server"]["lost"] == 0
    assert "does not answer" in result["killed_server"]["error"]
    for kind in ("embedded_ms", "server_ms"):
        assert 0 < result[kind]["filtered"]["p50"] <= result[kind]["filtered"]["p99"]
    assert '"build_per_s"' in capsys.readouterr().out
