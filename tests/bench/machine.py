"""The machine: which cores measure and which serve, and the servers."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.servers import Servers, running_servers


class Cores:
    """One core for what is measured, all the others for the servers; as many as there are."""

    def __init__(self) -> None:
        self.divided = hasattr(os, "sched_setaffinity")
        cores = os.sched_getaffinity(0) if self.divided else {0}
        self.measured = {max(cores)}
        self.others = cores - self.measured or cores

    def use(self, cores: set[int]) -> None:
        """Keep all threads of this process on these cores, and what it starts from now on."""
        if self.divided:
            for thread in Path("/proc/self/task").iterdir():
                os.sched_setaffinity(int(thread.name), cores)


@contextmanager
def servers_beside(cores: Cores) -> Iterator[Servers]:
    """Start servers away from the measured core, or take those that the tests would take."""
    cores.use(cores.others)
    with running_servers() as servers:
        yield servers
