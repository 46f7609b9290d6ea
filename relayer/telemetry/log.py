"""Structured logs: an event is a constant name and facts, one line each, on standard error.

Our own events come from structlog, those of the libraries from the standard library's logging;
both pass the same processors, so that no library writes down what we would hide.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import IO, Final

import structlog
from structlog.typing import Processor

from relayer.telemetry.redact import redact

CHATTY: Final = ("aiohttp.access", "asyncio", "urllib3", "web3", "websockets")
"""Libraries that say more than an operator wants below a warning."""

LOUD: Final = ("aiokafka",)
"""Libraries that warn of each of their retries, hundreds a second; what follows from them the bus
says in its own events."""


class LogFormat(StrEnum):
    """How lines are written: for machines, or for the person at a terminal."""

    JSON = "json"
    CONSOLE = "console"


def configure_logs(
    log_format: LogFormat = LogFormat.JSON, level: str = "info", stream: IO[str] | None = None
) -> None:
    """Set up all logging of this process; `level` is debug, info, warning or error.

    Call it once, before the first event; a later call replaces the earlier set-up.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    into = stream or sys.stderr
    renderer = _renderer(log_format)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *_FACTS, *_LAST, renderer],
        logger_factory=lambda *names: Lines(into, *names),
        wrapper_class=structlog.make_filtering_bound_logger(number),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(into)
    handler.setFormatter(_formatter(renderer))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(number)
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    for name in LOUD:
        logging.getLogger(name).setLevel(logging.CRITICAL)


class Lines:
    """A logger that writes each event as a line.

    Our own events do not pass through the standard library's logging, which would look for the
    caller and build a record that nobody reads.
    """

    def __init__(self, stream: IO[str], name: str = "relayer") -> None:
        """Write to ``stream`` as the logger of this name."""
        self.name = name
        self._stream = stream

    def msg(self, line: str) -> None:
        """Write a line at once: what was logged before a crash is there after it."""
        self._stream.write(line + "\n")
        self._stream.flush()

    debug = info = warning = error = critical = exception = log = msg


_FACTS: Final[Sequence[Processor]] = (
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
)
_LAST: Final[Sequence[Processor]] = (structlog.processors.format_exc_info, redact)


def _renderer(log_format: LogFormat) -> Processor:
    match log_format:
        case LogFormat.JSON:
            return structlog.processors.JSONRenderer(sort_keys=False)
        case LogFormat.CONSOLE:
            return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())


def _formatter(renderer: Processor) -> structlog.stdlib.ProcessorFormatter:
    """What the lines of libraries pass."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_FACTS,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_LAST, renderer],
    )
