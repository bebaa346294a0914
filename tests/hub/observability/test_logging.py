from __future__ import annotations

import json
import logging

import pytest

from hub.observability.logging import configure_logging
from hub.settings import load_settings


@pytest.fixture(autouse=True)
def _logging_as_before():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def log_with(tmp_path, capsys, **settings):
    configure_logging(load_settings(tmp_path, **settings))
    logging.getLogger("tocsin.test").info("peer %s", "evil\nforged line \x1b[2J")
    logging.getLogger("httpx2").info("chatter")
    return capsys.readouterr().err


def test_t43_class12_an_event_for_people_is_one_line(tmp_path, capsys):
    lines = log_with(tmp_path, capsys).splitlines()
    assert len(lines) == 1
    assert lines[0].endswith("info tocsin.test: peer evil\\nforged line \\x1b[2J")


def test_an_event_for_machines_is_one_json_line(tmp_path, capsys):
    event = json.loads(log_with(tmp_path, capsys, log_format="json"))
    assert set(event) == {"at", "level", "logger", "message"}
    assert event["level"] == "info"


def test_the_level_is_the_settings(tmp_path, capsys):
    assert log_with(tmp_path, capsys, log_level="warning") == ""


def test_a_traceback_goes_along(tmp_path, capsys):
    configure_logging(load_settings(tmp_path, log_format="json"))
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        logging.getLogger("tocsin.test").exception("broke")
    assert "ZeroDivisionError" in json.loads(capsys.readouterr().err)["traceback"]
