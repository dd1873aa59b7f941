"""Logging of the process: lines for people or JSON lines for collectors, on standard error."""

import json
import logging
import math
import re
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

# What every `logging.LogRecord` has; anything else was given as `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
REPEAT_SECONDS = 60.0
_MOST_LINES = 256
_DIGITS = re.compile(r"\d+")
_TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class LogFormat(StrEnum):
    """How a log line looks."""

    TEXT = "text"
    JSON = "json"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time`, `level`, `logger`, `message`, then what `extra` gave."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; values that JSON does not know become their `str`."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class Repeats(logging.Filter):
    """Lets a line of one library pass once a minute, whatever its numbers are."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._passed: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line may pass; those of others do."""
        if not super().filter(record):
            return True
        said = (record.name, _DIGITS.sub("#", record.getMessage()))
        if record.created - self._passed.get(said, -math.inf) < REPEAT_SECONDS:
            return False
        if len(self._passed) >= _MOST_LINES:
            self._passed.clear()
        self._passed[said] = record.created
        return True


def configure_logging(
    level: str = "INFO", form: LogFormat = LogFormat.TEXT, stream: TextIO | None = None
) -> None:
    """Send this process's log to `stream`, standard error when None, replacing what was set up.

    kafka-python reports every step of a connection as INFO, Alembic every plugin, and httpx every
    URL with what is secret in it; from them only warnings come through. kafka-python says the same
    ten times a second, of which one a minute does.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.addFilter(Repeats("kafka"))
    text = logging.Formatter(_TEXT)
    handler.setFormatter(JsonFormatter() if form is LogFormat.JSON else text)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("kafka", "alembic", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
