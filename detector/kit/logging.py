"""Logging of the process: lines for people or JSON lines for collectors, on standard error."""

import json
import logging
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

# What every `logging.LogRecord` has; anything else was given as `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
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


def configure_logging(
    level: str = "INFO", form: LogFormat = LogFormat.TEXT, stream: TextIO | None = None
) -> None:
    """Send this process's log to `stream`, standard error when None, replacing what was set up.

    kafka-python reports every step of a connection as INFO and Alembic every plugin; from them
    only warnings come through.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    text = logging.Formatter(_TEXT)
    handler.setFormatter(JsonFormatter() if form is LogFormat.JSON else text)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("kafka", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
