"""Apache Kafka in KRaft combined mode on loopback, from the jars that `pom.xml` names."""

import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from tests.services.requirement import unavailable

POM = Path(__file__).with_name("pom.xml")
CACHE = Path(__file__).resolve().parents[1] / ".services"
START_SECONDS = 90.0
STOP_SECONDS = 20.0
JVM_OPTIONS = ("-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
# Small group and transaction topics, no wait for further members: tests start many groups.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{broker_port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker_port}
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller_port}
log.dirs={log_dir}
log.retention.ms=-1
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
"""


def jars() -> Path:
    """Return the folder of Kafka's jars, fetching them by Maven the first time.

    The folder carries the digest of `pom.xml`, so another version is another folder; the rename
    at the end makes it whole or absent when two test sessions fetch at once.
    """
    folder = CACHE / f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"
    if folder.is_dir():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        unavailable("Maven (mvn) is not installed; it fetches the Kafka broker for the tests")
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        _fetch(maven, Path(scratch, "jars"))
        try:
            Path(scratch, "jars").rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    return folder


def _fetch(maven: str, target: Path) -> None:
    command = [maven, "--quiet", "--batch-mode", "--file", str(POM), "dependency:copy-dependencies"]
    done = subprocess.run(
        [*command, "-DincludeScope=runtime", f"-DoutputDirectory={target}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        unavailable(f"Maven could not fetch the Kafka broker:\n{done.stdout[-2000:]}")


class KafkaServer:
    """One broker on free ports of 127.0.0.1 that keeps its log below `directory`.

    `stop` and `start` may be called again: the broker keeps its port and its log.
    """

    def __init__(self, directory: Path) -> None:
        java = shutil.which("java")
        if java is None:
            unavailable("Java is not installed; the Kafka broker for the tests runs on it")
        self._java = [java, *JVM_OPTIONS, "-cp", f"{jars()}{os.sep}*"]
        self._properties = directory / "server.properties"
        self._output = directory / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None
        broker_port, controller_port = _free_ports()
        self.bootstrap = f"127.0.0.1:{broker_port}"
        self._properties.write_text(
            PROPERTIES.format(
                broker_port=broker_port, controller_port=controller_port, log_dir=directory / "log"
            )
        )
        self._format()

    def _format(self) -> None:
        storage_tool = ["kafka.tools.StorageTool", "format", "--cluster-id", uuid.uuid4().hex[:22]]
        done = subprocess.run(
            [*self._java, *storage_tool, "--config", str(self._properties)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"Kafka's StorageTool failed:\n{done.stdout}{done.stderr}")

    def start(self) -> None:
        """Start the broker and return when it answers."""
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [*self._java, "kafka.Kafka", str(self._properties)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"Kafka did not start:\n{self._output.read_text()[-4000:]}")
            time.sleep(0.2)

    def _answers(self) -> bool:
        host, port = self.bootstrap.split(":")
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            KafkaAdminClient(bootstrap_servers=self.bootstrap, bootstrap_timeout_ms=5000).close()
        except (OSError, KafkaError):
            return False
        return True

    def stop(self) -> None:
        """Stop the broker, by force when it does not go by itself."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def _free_ports() -> tuple[int, int]:
    """Two ports that nobody listens on; both are held until both are known, so they differ."""
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]


@contextmanager
def running_kafka(directory: Path) -> Iterator[KafkaServer]:
    """A broker of one's own, for tests that take it away."""
    server = KafkaServer(directory)
    server.start()
    try:
        yield server
    finally:
        server.stop()
