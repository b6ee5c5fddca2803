"""Settings from the environment."""

from __future__ import annotations

import os

import pytest

from app.settings import Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def variables(monkeypatch):
    """Sets ``IPL_*`` variables; there are no others."""
    for name in [name for name in os.environ if name.startswith("IPL_")]:
        monkeypatch.delenv(name)
    return monkeypatch.setenv


def test_values_come_from_the_environment_and_given_ones_win(tmp_path, variables):
    for name, value in {"IPL_HOME": str(tmp_path), "IPL_PORT": "8080", "IPL_RAG": "0", "IPL_MODEL": ""}.items():
        variables(name, value)
    settings = load_settings(port=9)
    assert (settings.home, settings.port, settings.rag, settings.model) == (tmp_path, 9, False, None)
    assert settings.store_url == f"sqlite:///{tmp_path / 'store.sqlite'}"


def test_the_home_is_absolute(tmp_path, variables, monkeypatch):
    monkeypatch.chdir(tmp_path)
    variables("IPL_HOME", "here")
    assert load_settings().home == tmp_path / "here"
    variables("IPL_HOME", "")
    assert load_settings().home == Settings().home


def test_a_home_that_nobody_names_lies_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert load_settings().home == tmp_path / ".cache" / "ipl"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    assert load_settings().home == tmp_path / "other" / "ipl"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("IPL_PROT", "no setting IPL_PROT; did you mean 'IPL_PORT'"),
        ("IPL_QQQQQQQQ", "unset it"),
        ("IPL_FEED_ALWAYS", "any more: feed.yaml alone says what serves"),
        ("IPL_ALERT_WEBHOOK", "any more: Prometheus alerts"),
        ("IPL_VISITORS_WAITING", "any more: it is a share of the limit on everybody"),
        ("IPL_BODY_MB", "any more: it is fixed"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_name(variables, name, hint):
    variables(name, "1")
    with pytest.raises(SettingsError, match=hint):
        load_settings()


@pytest.mark.parametrize(("name", "value"), [("IPL_PORT", "high"), ("IPL_CURRENCY", "euro"), ("IPL_QUEUE_LENGTH", "0")])
def test_an_unusable_value_names_its_variable(variables, name, value):
    variables(name, value)
    with pytest.raises(SettingsError, match=f"{name} is unusable"):
        load_settings()


def test_the_network_is_reached_only_with_accounts(tmp_path, build):
    with pytest.raises(SettingsError, match="accounts add NAME"):
        build(host="0.0.0.0")
    assert Settings(home=tmp_path).host == "127.0.0.1"
    for host in ("127.0.0.1", "localhost", "::1"):
        assert build(host=host).sellers.single
    assert not build(host="0.0.0.0", sellers=("ann",)).sellers.single


def test_the_limits_on_one_are_shares_of_those_on_all(tmp_path):
    small, usual = Settings(home=tmp_path, queue_length=1, requests_waiting=1, connections=8), Settings(home=tmp_path)
    shares = [(s.queue_per_seller, s.requests_per_seller, s.connections_per_address) for s in (small, usual)]
    assert shares == [(1, 2, 4), (4, 16, 256)]
