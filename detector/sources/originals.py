"""Records fetched once more from where they stand, one at a time."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from detector.events.record import Partition, Position, Record
from detector.sources.files import FileSource
from detector.sources.kafka import KafkaSettings
from detector.sources.one_place import NothingCameError, read_at

FETCH_SECONDS = 5.0


class KafkaOriginals:
    """Records of a Kafka topic, read with the same bounds as any other."""

    where = "the log"

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings

    def fetch(self, position: Position) -> Record | None:
        """Return the record; None when the log does not hold it or does not hand it over in time.

        Raises `RecoverableError` when no broker answers.
        """
        partition = Partition(position.topic, position.partition)
        try:
            records = read_at(self._settings, partition, position.offset, 1, FETCH_SECONDS)
        except NothingCameError:
            return None
        return _at(position, records)


class FileOriginals:
    """Lines of log files that are still there."""

    where = "any file"

    def fetch(self, position: Position) -> Record | None:
        """Return the line; None when there is no such file or it has become shorter."""
        if not Path(position.topic).is_file():
            return None
        partition = Partition(position.topic, position.partition)
        with closing(FileSource([position.topic])) as source:
            source.poll(1, 0.0)
            source.start(partition, position.offset)
            return _at(position, source.poll(1, 0.0).records)


def _at(position: Position, records: Sequence[Record]) -> Record | None:
    return next((record for record in records if record.position == position), None)
