"""Structured logs: an event is a constant name and facts, one line each, on standard error.

Our own events come from structlog, those of the libraries from the standard library's logging;
both pass the same processors, so that no library writes down what we would hide.
"""

from __future__ import annotations

import logging
import sys
from enum import StrEnum
from typing import IO, Final

import structlog
from structlog.typing import Processor

from relayer.telemetry.redact import redact

CHATTY: Final = ("aiohttp.access", "aiokafka", "asyncio", "urllib3", "web3", "websockets")
"""Libraries that say more than an operator wants below a warning."""


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
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            *_facts(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_formatter(log_format))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(number)
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


def _facts() -> list[Processor]:
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _formatter(log_format: LogFormat) -> structlog.stdlib.ProcessorFormatter:
    renderer: Processor
    match log_format:
        case LogFormat.JSON:
            renderer = structlog.processors.JSONRenderer(sort_keys=False)
        case LogFormat.CONSOLE:
            renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_facts(),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redact,
            renderer,
        ],
    )
