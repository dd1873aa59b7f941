import io
import json
import logging
from collections.abc import Iterator

import pytest

from detector.kit.logging import LogFormat, Repeats, configure_logging

log = logging.getLogger("detector.test")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root, others = logging.getLogger(), [*map(logging.getLogger, ("kafka", "httpx", "httpcore"))]
    handlers, level, levels = root.handlers[:], root.level, [other.level for other in others]
    # `force` closes the handlers that it replaces; pytest's must live on.
    root.handlers[:] = []
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for other, before in zip(others, levels, strict=True):
        other.setLevel(before)


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
    logging.getLogger("httpx").info("HTTP Request: POST https://u:secret@host/hook")
    [line] = out.getvalue().splitlines()
    assert line.endswith("INFO    detector.test: hello")


def test_what_kafka_python_says_again_and_again_comes_once_a_minute() -> None:
    out = io.StringIO()
    configure_logging("info", LogFormat.TEXT, out)
    kafka = logging.getLogger("kafka.cluster")
    for number in range(20):
        kafka.error("Topic %s not found, attempt %d", "nosuch", number)
        kafka.error("Topic %s not found, attempt %d", "other", number)
        log.info("ours")
    lines = out.getvalue().splitlines()
    assert sum("ours" in line for line in lines) == 20
    assert len(lines) == 22


def test_a_repeat_passes_once_its_minute_is_over() -> None:
    repeats = Repeats("kafka")
    record = logging.makeLogRecord({"name": "kafka.client", "msg": "gone", "created": 0.0})
    passed = []
    for record.created in (0.0, 59.0, 60.0, 61.0):
        passed.append(repeats.filter(record))
    assert passed == [True, False, True, False]
