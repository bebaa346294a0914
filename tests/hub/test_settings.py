"""Settings come from the environment, then from ``tocsin.toml``, then from their defaults."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from hub.errors import Misconfigured
from hub.settings import SETTINGS_FILE, default_home, load_settings


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch):
    for name in ("DATABASE_URL", "ALLOW_LOOPBACK_PEERS", "RATE_LIMITS", "LOG_LEVEL"):
        monkeypatch.delenv(f"TOCSIN_{name}", raising=False)


def write(home, text):
    home.mkdir(exist_ok=True)
    (home / SETTINGS_FILE).write_text(text)


def test_the_defaults_are_the_careful_ones(tmp_path):
    settings = load_settings(tmp_path)
    assert settings.allow_loopback_peers is False
    assert settings.rate_limits == "on"
    assert settings.demo is False
    assert settings.effective_database_url == f"sqlite:///{tmp_path / 'tocsin.db'}"


def test_a_file_in_the_home(tmp_path):
    write(tmp_path, 'database_url = "postgresql+psycopg://x/y"\npull_interval_seconds = 60\n')
    settings = load_settings(tmp_path)
    assert settings.effective_database_url == "postgresql+psycopg://x/y"
    assert settings.pull_interval_seconds == 60


def test_a_variable_wins_over_the_file(tmp_path, monkeypatch):
    write(tmp_path, 'log_level = "error"\n')
    monkeypatch.setenv("TOCSIN_LOG_LEVEL", "debug")
    assert load_settings(tmp_path).log_level == "debug"


def test_what_the_caller_gives_wins_over_both(tmp_path, monkeypatch):
    monkeypatch.setenv("TOCSIN_LOG_LEVEL", "debug")
    assert load_settings(tmp_path, log_level="error").log_level == "error"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("pull_interval_seconds = 1\n", "pull_interval_seconds"),
        ('rate_limits = "perhaps"\n', "rate_limits"),
        ("colour = 3\n", "colour"),
        ("not toml\n", SETTINGS_FILE),
    ],
)
def test_a_wrong_setting_is_named_with_where_to_correct_it(tmp_path, text, named):
    write(tmp_path, text)
    with pytest.raises(Misconfigured, match="E_SETTINGS") as caught:
        load_settings(tmp_path)
    assert named in caught.value.detail
    assert caught.value.remedy


def test_a_wrong_variable_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TOCSIN_MAX_CONTENT_LENGTH", "many")
    with pytest.raises(Misconfigured, match="max_content_length"):
        load_settings(tmp_path)


def test_the_home_is_the_variables_or_in_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("TOCSIN_HOME", str(tmp_path))
    assert default_home() == tmp_path
    monkeypatch.delenv("TOCSIN_HOME")
    assert default_home().name == ".tocsin"


def test_settings_do_not_change_under_a_running_node(tmp_path):
    settings = load_settings(tmp_path)
    with pytest.raises(ValidationError):
        settings.demo = True
