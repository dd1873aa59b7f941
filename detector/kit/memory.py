"""The garbage collector, told what a long-running reader of logs is like."""

import gc

# Events are many, short-lived and free of cycles: look for cycles seldom.
YOUNG_OBJECTS = 50_000


def settle_garbage_collector() -> None:
    """Leave everything loaded so far out of collections, and collect less often from now on.

    To be called once, when a process has loaded what it needs. Without it the collector walks all
    modules again and again, which costs more than decoding does.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 100)
