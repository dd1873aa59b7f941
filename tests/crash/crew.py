"""Three `querywatch consume` as processes of their own, and what may be done to them."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.services.command import ARGUMENTS, environment

STOP_SECONDS = 30.0


class Crew:
    """Workers of one group; each is started anew under its own name when it is gone.

    With `named` false they have no names in the group, so that each start and end moves partitions.

    Attributes:
        disturbances: How many there were.
        stop_seconds: How long each took to end after it was asked to.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, str], size: int, seed: int, named: bool = True
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._chance = random.Random(seed)
        self._members: list[subprocess.Popen[bytes]] = []
        self._named = named
        self.disturbances = 0
        self.stop_seconds: list[float] = []
        for number in range(size):
            self._members.append(self._start(number))

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        own = dict(self._settings)
        if self._named:
            own["kafka_group_instance"] = f"worker-{number}"
        with (self._folder / f"worker-{number}.log").open("ab") as output:
            return subprocess.Popen(
                [*ARGUMENTS, "consume"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._folder,
                env=environment(own),
            )

    def any(self) -> int:
        """Return the number of one of them."""
        return self._chance.randrange(len(self._members))

    def kill(self) -> None:
        """Kill one at once, and start it anew."""
        number = self.any()
        self._members[number].kill()
        self._members[number].wait()
        self._members[number] = self._start(number)
        self.disturbances += 1

    def restart(self) -> None:
        """Ask one to end, and start it anew."""
        number = self.any()
        self._stop(self._members[number])
        self._members[number] = self._start(number)
        self.disturbances += 1

    def resident_mib(self) -> float:
        """Memory of all of them together."""
        pages = [
            int(Path(f"/proc/{member.pid}/statm").read_text().split()[1])
            for member in self._members
        ]
        return sum(pages) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    def mend(self) -> None:
        """Raise `RuntimeError` when one has ended by itself."""
        for number, member in enumerate(self._members):
            if member.poll() is not None:
                said = (self._folder / f"worker-{number}.log").read_text()[-3000:]
                raise RuntimeError(f"worker {number} ended with {member.returncode}:\n{said}")

    @contextmanager
    def frozen(self, number: int) -> Iterator[None]:
        """Stop one for the length of the block, as a machine that swaps or a paused container."""
        self._members[number].send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._members[number].send_signal(signal.SIGCONT)
            self.disturbances += 1

    def end(self) -> None:
        """Ask all of them to end, as a process manager does."""
        for member in self._members:
            if member.poll() is None:
                self._stop(member)

    def _stop(self, member: subprocess.Popen[bytes]) -> None:
        began = time.monotonic()
        member.terminate()
        try:
            member.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            member.kill()
            member.wait()
        self.stop_seconds.append(time.monotonic() - began)

    def tails(self) -> str:
        """What each of them wrote last."""
        logs = sorted(self._folder.glob("worker-*.log"))
        return "\n".join(f"{path.name}:\n{path.read_text()[-3000:]}" for path in logs)
