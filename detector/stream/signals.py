"""Stopping on SIGTERM and SIGINT."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stopping_on_signals(stop: threading.Event) -> Iterator[None]:
    """Set `stop` when the process is asked to end; the earlier handlers return afterwards.

    Only the main thread may use it, as Python demands.
    """

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    earlier = {number: signal.signal(number, ask) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
