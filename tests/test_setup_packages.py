"""Which settings and commands install the packages; the launcher's tests play the steps around it."""

import subprocess
from collections.abc import Sequence
from typing import Any

import pytest

from app.setup import packages

LISTED = """\
:env:.cert='/etc/ssl/own.crt'
:env:.disable-pip-version-check='1'
global.cert='/etc/ssl/certs.crt'
global.extra-index-url='\\nhttps://one.example/simple\\nhttps://two.example/simple'
global.find-links='/wheels /more'
install.index-url='https://mirror.example/simple'
"""


def test_pips_settings_hold_for_uv() -> None:
    assert packages.uv_settings(LISTED) == {
        "SSL_CERT_FILE": "/etc/ssl/own.crt",
        "UV_INDEX": "https://one.example/simple https://two.example/simple",
        "UV_FIND_LINKS": "/wheels,/more",
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
    }


@pytest.mark.parametrize(
    ("fails", "tools", "status"),
    [
        ((), ["pip uv", "uv"], 0),
        (("pip uv",), ["pip uv", "pip"], 0),  # no uv for this machine
        (("uv",), ["pip uv", "uv", "pip"], 0),
        (("pip uv", "pip"), ["pip uv", "pip"], 1),
    ],
)
def test_where_uv_fails_pip_installs(
    monkeypatch: pytest.MonkeyPatch, fails: Sequence[str], tools: list[str], status: int
) -> None:
    ran = []

    def run(command: Sequence[str], **kwargs: Any) -> subprocess.CompletedProcess[str]:
        if "config" in command:
            return subprocess.CompletedProcess(command, 0, LISTED)
        if "uv" in command[:3]:
            tool = "uv"
            assert kwargs["env"]["UV_FIND_LINKS"] == "/wheels,/more"
        else:
            tool = "pip uv" if command[-1].startswith("uv") else "pip"
        assert tool == "pip uv" or list(command[-2:]) == ["--editable", "here[serve]"]
        ran.append(tool)
        return subprocess.CompletedProcess(command, int(tool in fails))

    monkeypatch.delenv("UV_FIND_LINKS", raising=False)
    monkeypatch.setattr(subprocess, "run", run)
    assert packages.main("here[serve]") == status
    assert ran == tools
