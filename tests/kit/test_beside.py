import threading

import pytest

from detector.kit.beside import OneThread


def test_calls_run_one_after_the_other_beside_the_caller() -> None:
    beside, order = OneThread("beside"), list[int]()
    futures = [beside.submit(order.append, n) for n in range(50)]
    name = beside.submit(lambda: threading.current_thread().name)
    assert [future.result() for future in futures] == [None] * 50
    assert order == [*range(50)]
    assert name.result() == "beside"
    beside.shutdown()


def test_an_error_is_the_result_of_its_call_alone() -> None:
    beside = OneThread("beside")
    failed = beside.submit(divmod, 1, 0)
    fine = beside.submit(divmod, 7, 2)
    with pytest.raises(ZeroDivisionError):
        failed.result()
    assert fine.result() == (3, 1)
    beside.shutdown()


def test_it_ends_behind_the_last_call() -> None:
    beside, go = OneThread("ending"), threading.Event()
    last = beside.submit(go.wait)
    beside.shutdown(wait=False)
    assert not last.done()
    go.set()
    beside.shutdown()
    assert last.done()
    assert "ending" not in {thread.name for thread in threading.enumerate()}
