"""Workers that take turns: each is a thread, but only one runs, and who is next is decided here.

A worker runs from one call of a port to the next. It can be killed there, or, when a countdown is
set, in front of any line of the engine's own modules.
"""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import detector.pipeline.process
import detector.pipeline.work
import detector.stream

_STREAM = str(Path(detector.stream.__file__).parent)
_ENGINE = {str(detector.pipeline.work.__file__), str(detector.pipeline.process.__file__)}


class KilledError(BaseException):
    """The process is gone; nothing in it may catch this."""


class Turn:
    """One incarnation of a worker.

    Attributes:
        dead: Whether it was killed; what it still does must have no effect.
        ended: Whether its thread has ended.
        error: What ended it, when that was not a kill.
        lines: How many more lines of the engine it may run, None for any number.
    """

    def __init__(self, run: Callable[[], object]) -> None:
        self.dead = False
        self.ended = False
        self.error: BaseException | None = None
        self.lines: int | None = None
        self._run = run
        self._mine, self._others = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._whole, daemon=True)
        self._thread.start()

    def _whole(self) -> None:
        self._mine.acquire()
        try:
            if not self.dead:
                self._run()
        except KilledError:
            self.dead = True
        except BaseException as error:
            self.error = error
        finally:
            sys.settrace(None)
            self.ended = True
            self._others.release()

    def go(self) -> None:
        """Let it run until it calls a port; called by who decides."""
        self._mine.release()
        self._others.acquire()

    def kill(self) -> None:
        """End it where it waits."""
        self.dead = True
        while not self.ended:
            self.go()

    def step(self) -> None:
        """Wait for the next turn; called by the worker's ports."""
        if not self.dead:
            self._others.release()
            self._mine.acquire()
        if self.dead:
            raise KilledError
        if self.lines is not None:
            self._count_lines()

    def _count_lines(self) -> None:
        frame: FrameType | None = sys._getframe()
        while frame is not None:
            frame.f_trace = self._trace
            frame = frame.f_back
        sys.settrace(self._trace)

    def _trace(self, frame: FrameType, event: str, arg: object) -> Any:
        name = frame.f_code.co_filename
        if not (name.startswith(_STREAM) or name in _ENGINE):
            return None
        if event == "line" and self.lines is not None and not self.dead:
            self.lines -= 1
            if self.lines < 0:
                self.dead = True
                raise KilledError
        return self._trace
