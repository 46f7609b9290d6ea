"""Logs hold constant names and facts, and never a secret."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from relayer.telemetry.log import LogFormat, configure_logs
from relayer.telemetry.redact import redact_text

KEYED = "https://someone:hunter2@node.example:8443/v2/0123abcd?apikey=42"


@pytest.fixture
def lines() -> io.StringIO:
    """Set up logging into memory."""
    stream = io.StringIO()
    configure_logs(LogFormat.JSON, "info", stream)
    return stream


def test_an_event_is_one_line_of_json_with_its_facts(lines: io.StringIO) -> None:
    """A log event becomes one JSON object with name, level, logger, time and facts."""
    structlog.get_logger("relayer.listener").info("cursor.moved", chain="eip155:56", height=7)

    line = json.loads(lines.getvalue())

    assert line["event"] == "cursor.moved"
    assert (line["level"], line["logger"]) == ("info", "relayer.listener")
    assert (line["chain"], line["height"]) == ("eip155:56", 7)
    assert line["timestamp"].endswith("Z")


def test_of_a_url_only_scheme_and_host_stay(lines: io.StringIO) -> None:
    """Credentials, path and query of an endpoint never reach the log."""
    structlog.get_logger().warning("rpc.failed", endpoint=KEYED, nested={"urls": [KEYED]})

    line = json.loads(lines.getvalue())

    assert line["endpoint"] == "https://node.example:8443"
    assert line["nested"] == {"urls": ["https://node.example:8443"]}


def test_secrets_are_hidden_by_type_and_by_name(lines: io.StringIO) -> None:
    """A SecretStr anywhere, and a field named as a secret, are written as hidden."""
    structlog.get_logger().info("x.y", signer={"k": SecretStr("abc")}, payer_private_key="deadbeef")

    text = lines.getvalue()

    assert "abc" not in text
    assert "deadbeef" not in text


def test_an_exception_is_logged_without_its_url(lines: io.StringIO) -> None:
    """A library's exception that quotes the endpoint's URL loses it on the way."""
    try:
        raise ConnectionError(f"cannot reach {KEYED}")
    except ConnectionError:
        structlog.get_logger().exception("rpc.failed")

    line = json.loads(lines.getvalue())

    assert "cannot reach https://node.example:8443" in line["exception"]
    assert "hunter2" not in line["exception"]


def test_libraries_log_through_the_same_processors(lines: io.StringIO) -> None:
    """A line of a library is JSON too, and as clean."""
    logging.getLogger("somelibrary").warning("retrying %s", KEYED)

    line = json.loads(lines.getvalue())

    assert line["event"] == "retrying https://node.example:8443"


def test_levels_below_the_chosen_one_are_silent(lines: io.StringIO) -> None:
    """Debug events are not written at level info, nor a chatty library's info."""
    structlog.get_logger("relayer").debug("too.fine")
    logging.getLogger("web3").info("chatter")

    assert lines.getvalue() == ""


def test_an_unknown_level_is_refused() -> None:
    """A level that does not exist raises at once."""
    with pytest.raises(KeyError):
        configure_logs(LogFormat.JSON, "loud")


@given(secret=st.from_regex(r"[A-Za-z0-9_\-./?=&%]{1,40}", fullmatch=True))
def test_no_path_survives_redaction(secret: str) -> None:
    """Whatever stands behind the host of a URL is gone."""
    assert redact_text(f"at wss://h.example/{secret} now") == "at wss://h.example now"
