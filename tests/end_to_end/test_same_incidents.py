"""The same log gives the same incidents, whatever way it takes."""

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from detector import bootstrap
from detector.cli.document import incidents_document
from detector.cli.learn import learn_references
from detector.cli.listing import all_incidents
from detector.config import Settings
from detector.evaluation import demo_data
from detector.kit.metrics import StreamMetrics
from tests.end_to_end.conftest import PATIENCE, querywatch


def through_file(settings: Settings, log: Path, reference: Path) -> list[dict[str, Any]]:
    with closing(bootstrap.open_database(settings, upgrade=True)) as store:
        learn_references(store, [str(reference)])
        bootstrap.file_loop(settings, store, [str(log)]).run()
        return incidents_document(all_incidents(store))


def through_kafka(settings: Settings, records: int, reference: Path) -> list[dict[str, Any]]:
    with closing(bootstrap.open_database(settings, upgrade=True)) as store:
        learn_references(store, [str(reference)])
        stop = threading.Event()
        loop = bootstrap.kafka_loop(settings, store, StreamMetrics(CollectorRegistry()), stop)
        thread = threading.Thread(target=loop.run)
        thread.start()
        waited = 0.0
        while loop.stats.events + loop.stats.rejected.total() < records and thread.is_alive():
            stop.wait(0.2)
            waited += 0.2
            if waited > PATIENCE:
                break
        stop.set()
        thread.join()
        assert loop.stats.events + loop.stats.rejected.total() == records
        return incidents_document(all_incidents(store))


def without_positions(incidents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The incidents without the places in the log, which a partitioned log has elsewhere."""
    for incident in incidents:
        for evidence in incident["evidence"]:
            del evidence["ranges"]
    return incidents


def test_file_into_sqlite_and_kafka_into_postgresql_agree(
    kafka_bootstrap: str,
    create_topic: Callable[..., str],
    postgres_database_url: str,
    tmp_path: Path,
) -> None:
    log, reference = demo_data.log_path(), demo_data.reference_path()
    topic = create_topic(partitions=4)
    by_kafka = Settings(
        kafka_bootstrap_servers=(kafka_bootstrap,),
        kafka_topic=topic,
        kafka_group=topic,
        database_url=postgres_database_url,
        batch_size=777,
    )
    querywatch(
        tmp_path,
        "produce",
        str(log),
        kafka_bootstrap_servers=kafka_bootstrap,
        kafka_topic=topic,
    )
    by_file = Settings(database_url=f"sqlite:///{tmp_path}/q.db")
    records = sum(1 for batch in bootstrap.file_records([str(log)]) for _ in batch)
    expected = without_positions(through_file(by_file, log, reference))
    assert {"extraction", "inversion", "membership"} <= {item["attack_class"] for item in expected}
    assert without_positions(through_kafka(by_kafka, records, reference)) == expected
