"""The stream's Prometheus metrics, in one list. Labels never carry client ids."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class StreamMetrics:
    """What one reading process counts, in the registry that its API exposes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the metrics; a registry takes them once."""
        # Work done. One event is one log record that decoded and whose effects are stored.
        self.events = Counter(
            "querywatch_events", "Events whose effects are stored.", registry=registry
        )
        self.rejected = Counter(
            "querywatch_records_rejected",
            "Records stored as dead letters, by reason.",
            ["reason"],
            registry=registry,
        )
        self.repeated = Counter(
            "querywatch_records_repeated",
            "Records dropped because their header names a place that was taken before.",
            registry=registry,
        )
        self.unknown_fields = Counter(
            "querywatch_unknown_fields",
            "Fields of stored events that are not part of the event's schema and were ignored.",
            registry=registry,
        )
        # About a reference that no longer fits, not about a client; the warning names the model.
        self.drifts = Counter(
            "querywatch_drift_alarms",
            "Times that a model's clients as a whole were found to look otherwise than before.",
            registry=registry,
        )
        self.unmatched = Counter(
            "querywatch_unmatched_inputs",
            "Inputs of which their model's reference names no field; they are not judged.",
            registry=registry,
        )
        self.batch_seconds = Histogram(
            "querywatch_batch_seconds",
            "Wall-clock seconds from a batch's records to its stored effects.",
            registry=registry,
        )
        # Liveness. A heartbeat that stands still means a stuck loop; lag that grows while the
        # last event's time stands still means a stuck partition.
        self.heartbeat = Gauge(
            "querywatch_stream_heartbeat_timestamp_seconds",
            "Unix time of the loop's latest round, idle ones too.",
            registry=registry,
        )
        self.last_event_time = Gauge(
            "querywatch_last_event_timestamp_seconds",
            "Unix time that the latest stored event carries.",
            registry=registry,
        )
        self.lag = Gauge(
            "querywatch_lag_records",
            "Records in the owned partitions that were not yet read.",
            registry=registry,
        )
        # What is held.
        self.partitions = Gauge(
            "querywatch_partitions_owned",
            "Partitions that this process may write for.",
            registry=registry,
        )
        self.clients = Gauge(
            "querywatch_clients_held", "Clients kept in detection's state.", registry=registry
        )
        self._keep_state(registry)
        self.key_purity = Gauge(
            "querywatch_key_purity",
            "Share of sampled events whose record has the key that their client had first.",
            registry=registry,
        )
        self._count_trouble(registry)

    def _keep_state(self, registry: CollectorRegistry) -> None:
        # Detection's state over restarts.
        self.replayed = Counter(
            "querywatch_records_replayed",
            "Records read again after a restart to bring the state up to where it was.",
            registry=registry,
        )
        self.snapshot_seconds = Histogram(
            "querywatch_snapshot_seconds", "Seconds that a snapshot took.", registry=registry
        )
        self.snapshot_bytes = Counter(
            "querywatch_snapshot_bytes", "Bytes of state written.", registry=registry
        )
        self.states_lost = Counter(
            "querywatch_states_lost",
            "Partitions whose clients begin blank: no snapshot can be used, or the log is another.",
            registry=registry,
        )

    def _count_trouble(self, registry: CollectorRegistry) -> None:
        self.retries = Counter(
            "querywatch_stream_retries",
            "Attempts that failed and were repeated, by what failed (source, store).",
            ["port"],
            registry=registry,
        )
        self.partitions_lost = Counter(
            "querywatch_partitions_lost",
            "Partitions found to belong to another process when writing for them.",
            registry=registry,
        )
        self.log_gaps = Counter(
            "querywatch_log_gaps",
            "Times that a partition's log did not hold the position that was to be read.",
            registry=registry,
        )
        self.stalls = Counter(
            "querywatch_partition_stalls",
            "Times that an owned partition with records to read stood still and was sought anew.",
            registry=registry,
        )
        self.held = Gauge(
            "querywatch_partitions_held",
            "Owned partitions that are not read because too many of their records are unusable.",
            registry=registry,
        )


class RekeyMetrics:
    """What a process counts that copies a topic."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the metrics; a registry takes them once."""
        self._copied = Gauge(
            "querywatch_rekey_copied_records",
            "Records copied and confirmed since the start.",
            registry=registry,
        )
        self._undecodable = Gauge(
            "querywatch_rekey_undecodable_records",
            "Of the copied records, those that are no valid events.",
            registry=registry,
        )
        self._lag = Gauge(
            "querywatch_rekey_lag_records",
            "Records of the source that were not yet read.",
            registry=registry,
        )

    def show(self, copied: int, undecodable: int, lag: int) -> None:
        """Set what stands now."""
        self._copied.set(copied)
        self._undecodable.set(undecodable)
        self._lag.set(lag)
