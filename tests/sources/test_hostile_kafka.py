"""A real broker whose log holds bombs and damage: neighbours are read, memory stays bounded."""

import os
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest

from detector.events.reasons import Reason
from detector.events.record import Record
from detector.sources.clients import KAFKA_CLIENTS, KAFKA_PYTHON, LIBRDKAFKA, open_kafka_source
from detector.sources.codecs import Codec
from detector.sources.kafka import KafkaSettings
from tests.services.kafka import running_kafka
from tests.sources.conformance import assigned, read, values
from tests.sources.crafted import PACKERS, bomb, create_roomy_topic, plain, send_batches

# Snappy shrinks zeros to a twentieth only, and what is compressed takes memory as well.
MEGABYTES = {Codec.GZIP: 300, Codec.SNAPPY: 150, Codec.LZ4: 300, Codec.ZSTD: 300}
MEMORY_KIB = 64 << 10
CODECS = pytest.mark.parametrize("codec", list(PACKERS), ids=lambda codec: codec.name.lower())

# Prints the reasons and offsets of what it read, and by how much the process's peak grew over it.
READER = """
import sys
from tests.sources.test_hostile_kafka import peak_kib, read_records
client, bootstrap, calm, hostile = sys.argv[1:]
read_records(bootstrap, calm, 2, client)
before = peak_kib()
records = read_records(bootstrap, hostile, 3, client)
for record in records:
    print(record.position.offset, record.fault.reason if record.fault else record.value.decode())
print(peak_kib() - before)
"""


def peak_kib() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def read_records(
    bootstrap: str, topic: str, count: int, client: str = KAFKA_PYTHON
) -> list[Record]:
    how = KafkaSettings((bootstrap,), (topic,), group=f"group-{uuid.uuid4().hex[:8]}")
    source = open_kafka_source(client, how)
    source.start(assigned(source), None)
    records = read(source, count)
    source.close()
    return records


def read_apart(*arguments: str) -> Sequence[str]:
    done = subprocess.run(
        [sys.executable, "-c", READER, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is Linux's to say")
@CODECS
def test_a_bomb_is_passed_in_bounded_memory(kafka_bootstrap: str, codec: Codec) -> None:
    calm, hostile = (create_roomy_topic(kafka_bootstrap) for _ in range(2))
    send_batches(kafka_bootstrap, calm, plain(b"a", b"b", codec=codec))
    content = bomb(codec, MEGABYTES[codec])
    send_batches(kafka_bootstrap, hostile, plain(b"before"), content, plain(b"after"))
    *lines, growth = read_apart(KAFKA_PYTHON, kafka_bootstrap, calm, hostile)
    assert lines == ["0 before", "2 decompression_bomb", "3 after"]
    assert int(growth) <= MEMORY_KIB


def test_librdkafka_passes_a_bomb_of_zstd_in_bounded_memory(kafka_bootstrap: str) -> None:
    calm, hostile = (create_roomy_topic(kafka_bootstrap) for _ in range(2))
    send_batches(kafka_bootstrap, calm, plain(b"a", b"b"))
    send_batches(kafka_bootstrap, hostile, plain(b"before"), bomb(Codec.ZSTD, 300), plain(b"after"))
    *lines, growth = read_apart(LIBRDKAFKA, kafka_bootstrap, calm, hostile)
    assert lines == ["0 before", "2 decompression_bomb", "3 after"]
    assert int(growth) <= MEMORY_KIB


@pytest.mark.parametrize("client", KAFKA_CLIENTS)
def test_damage_on_the_brokers_disk_costs_its_batch_only(tmp_path: Path, client: str) -> None:
    with running_kafka(tmp_path) as broker:
        topic = create_roomy_topic(broker.bootstrap)
        batches = [plain(*(b"%d-%d" % (n, i) for i in range(3))) for n in range(3)]
        send_batches(broker.bootstrap, topic, *batches)
        broker.stop()
        [log] = tmp_path.glob(f"log/{topic}-0/*.log")
        log.write_bytes(log.read_bytes().replace(b"1-1", b"1-X"))
        broker.start()
        records = read_records(broker.bootstrap, topic, 7, client)
    [fault] = [record for record in records if record.fault is not None]
    assert fault.fault is not None
    assert fault.fault.reason == Reason.DAMAGED_BATCH
    assert "offsets 3 to 5" in fault.fault.detail
    assert fault.position.offset == 5
    sound = [b"0-0", b"0-1", b"0-2", b"2-0", b"2-1", b"2-2"]
    assert values([record for record in records if record is not fault]) == sound
