import io
import json
import logging
from collections.abc import Iterator

import pytest

from detector.kit.logging import LogFormat, configure_logging

log = logging.getLogger("detector.test")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root, kafka = logging.getLogger(), logging.getLogger("kafka")
    handlers, level, kafka_level = root.handlers[:], root.level, kafka.level
    # `force` closes the handlers that it replaces; pytest's must live on.
    root.handlers[:] = []
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    kafka.setLevel(kafka_level)


def test_json_lines_carry_what_extra_gave_and_the_exception() -> None:
    out = io.StringIO()
    configure_logging("INFO", LogFormat.JSON, out)
    log.warning("moved %d", 3, extra={"partition": 7})
    try:
        raise ValueError("broken\nline")
    except ValueError:
        log.exception("failed")
    moved, failed = map(json.loads, out.getvalue().splitlines())
    assert moved["time"].endswith("+00:00")
    assert {name: moved[name] for name in ("level", "logger", "message", "partition")} == {
        "level": "warning",
        "logger": "detector.test",
        "message": "moved 3",
        "partition": 7,
    }
    assert "ValueError: broken\nline" in failed["exception"]


def test_text_is_one_line_and_kafka_python_keeps_quiet() -> None:
    out = io.StringIO()
    configure_logging("info", LogFormat.TEXT, out)
    log.info("hello")
    log.debug("too fine")
    logging.getLogger("kafka.client").info("chatter")
    [line] = out.getvalue().splitlines()
    assert line.endswith("INFO    detector.test: hello")
