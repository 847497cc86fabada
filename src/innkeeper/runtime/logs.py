"""The log of `up`: one line on standard error for each record, as JSON or for the eye, without personal data.

A record is made of our own words, codes, numbers and places in the code. What others say (an exception's text, the
arguments of a library's message) may hold what a customer sent: of them the type and the place are told, no text.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from types import TracebackType
from typing import Any, Literal

import structlog

Form = Literal["json", "plain"]


def begin(form: Form, process: str) -> None:
    """Write records from now on; *process* stands in each."""
    last: Any = structlog.processors.JSONRenderer()
    if form == "plain":
        last = structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            _one_line,
            last,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    structlog.contextvars.bind_contextvars(process=process)
    logging.basicConfig(handlers=[_Bare()], level=logging.WARNING, force=True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda told: _uncaught(told.exc_type, told.exc_value, told.exc_traceback)


def _one_line(_: Any, __: str, record: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """No text of a record breaks its line or sends commands to a terminal."""
    return {
        key: "".join(each if each.isprintable() else " " for each in value) if isinstance(value, str) else value
        for key, value in record.items()
    }


class _Bare(logging.Handler):
    """Messages of libraries: where they were written, and of an exception its type and place."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one."""
        error = record.exc_info[1] if record.exc_info else None
        structlog.get_logger().log(
            record.levelno, "a library", action=record.name, place=f"{record.module}:{record.lineno}", **told_of(error)
        )


def told_of(error: BaseException | None) -> dict[str, str]:
    """The type of an exception and the place in the code that raised it."""
    if error is None:
        return {}
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return {"reason": type(error).__name__, "raised_at": place}


def _uncaught(kind: type[BaseException], error: BaseException | None, _: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    structlog.get_logger().error("a bug", action="end", **told_of(error))
