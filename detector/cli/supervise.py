"""Running the parts of a process together: all work, or all stop.

The main thread waits for a signal; each part has a thread of its own. A part that fails or ends
takes the others down with it, so that a process that looks alive is at work in full.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from detector.kit.errors import QuerywatchError
from detector.stream.signals import stopping_on_signals

_log = logging.getLogger(__name__)
STOP_SECONDS = 8.0
"""A process manager's patience is often 10 s; a part that needs longer is abandoned."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the process.

    Attributes:
        name: For the log.
        run: Works until stopped.
        ask_stop: Makes `run` return soon; called from another thread.
    """

    name: str
    run: Callable[[], object]
    ask_stop: Callable[[], None]


def supervise(parts: Sequence[Part], stop: threading.Event) -> None:
    """Run all parts until a signal, or until one of them ends; raises the first part's error."""
    failures: list[BaseException] = []
    threads = [
        threading.Thread(target=_guarded, args=(part, stop, failures), name=part.name, daemon=True)
        for part in parts
    ]
    with stopping_on_signals(stop):
        for thread in threads:
            thread.start()
        stop.wait()
        _log.info("stopping")
        for part in parts:
            part.ask_stop()
        _join(threads)
    if failures:
        raise failures[0]


def _guarded(part: Part, stop: threading.Event, failures: list[BaseException]) -> None:
    try:
        part.run()
    except BaseException as error:
        failures.append(error)
    else:
        if not stop.is_set():
            failures.append(QuerywatchError(f"{part.name} ended unasked"))
    finally:
        stop.set()


def _join(threads: Sequence[threading.Thread]) -> None:
    until = time.monotonic() + STOP_SECONDS
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0.0))
        if thread.is_alive():
            _log.warning("%s does not stop and is abandoned", thread.name)
