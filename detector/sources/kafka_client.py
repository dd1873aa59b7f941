"""What kafka-python says by callbacks and errors, in the words of the engine."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.errors import (
    AuthorizationError,
    IllegalStateError,
    KafkaConfigurationError,
    RetriableError,
    SaslAuthenticationFailedError,
)

from detector.events.record import Partition
from detector.kit.errors import ConfigurationError, RecoverableError
from detector.sources.membership import Membership

# What kafka-python's calls raise of a partition that was taken away meanwhile: to ask how far it
# goes, to pause or resume it, to seek in it.
NOT_ASSIGNED = (IllegalStateError, KeyError, ValueError)


class Rebalances(ConsumerRebalanceListener):  # type: ignore[misc] # kafka-python has no types
    """Notes what the group gives and takes.

    Its methods run on the client's own thread, where blocking costs the membership and a commit
    is an error; so they only pause, place and queue.
    """

    def __init__(self, consumer: KafkaConsumer, membership: Membership) -> None:
        self._consumer, self._membership = consumer, membership

    def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Keep new partitions still until the loop knows where they begin."""
        self._consumer.pause(*assigned)
        for place in assigned:
            # Any place will do: without one, polls would raise for as long as it is not started.
            self._consumer.seek(place, 0)
        self._membership.given(map(partition_of, assigned))

    def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Note what is gone."""
        self._membership.taken(map(partition_of, revoked))


@contextmanager
def translated() -> Iterator[None]:
    """Turn kafka-python's errors into those that the loop knows; others stop the worker."""
    try:
        yield
    except (AuthorizationError, SaslAuthenticationFailedError, KafkaConfigurationError) as error:
        raise ConfigurationError(f"Kafka refuses: {error}") from error
    except RetriableError as error:
        raise RecoverableError(f"Kafka does not answer: {error}") from error


def partition_of(place: TopicPartition) -> Partition:
    """Return the same place as the engine names it."""
    return Partition(place.topic, place.partition)
