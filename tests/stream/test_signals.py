import os
import signal
import threading

from detector.stream.signals import stopping_on_signals


def test_sigterm_asks_for_a_stop_and_the_earlier_handler_returns() -> None:
    stop = threading.Event()
    before = signal.getsignal(signal.SIGTERM)
    with stopping_on_signals(stop):
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(10)
    assert signal.getsignal(signal.SIGTERM) is before
