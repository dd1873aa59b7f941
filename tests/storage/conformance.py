"""What every `Store` must do; each backend's test class inherits this one."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import timedelta

import pytest

from detector.incidents import acts
from detector.incidents.model import Incident, IncidentChange, Severity, Stage, Verdict
from detector.incidents.timeline import verify_timeline
from detector.kit.errors import ConfigurationError, ConflictError, NotFoundError
from detector.pipeline.analyst import Analyst
from detector.pipeline.ports import IncidentQuery, ReferenceStatus, Store, WaitingQuery
from detector.scoring.finding import AttackClass
from tests.fakes.clock import SetClock
from tests.incidents.findings import CLIENT
from tests.storage.dead_letter_conformance import DeadLetterConformance
from tests.storage.outbox_conformance import OutboxConformance
from tests.storage.partition_conformance import HERE, PartitionConformance
from tests.storage.shapes import (
    ABROAD,
    AWKWARD,
    MODEL,
    NOW,
    letter,
    opened,
    profile,
    reference,
)

SOON = NOW + timedelta(minutes=1)


class InterruptionError(Exception):
    """Stands for anything that goes wrong inside a transaction."""


def saved(store: Store, *changes: IncidentChange) -> Incident:
    with store.transaction() as transaction:
        for change in changes:
            transaction.incidents.save(change)
    return changes[-1].incident


class StoreConformance(PartitionConformance, DeadLetterConformance, OutboxConformance):
    """Subclasses provide the fixture `store`, an empty one."""

    # Incidents

    def test_an_incident_comes_back_as_it_was_saved(self, store: Store) -> None:
        change = opened(client_id=AWKWARD)
        saved(store, change)
        with store.transaction() as transaction:
            assert transaction.incidents.get(change.incident.incident_id) == change.incident
            stored = transaction.incidents.timeline(change.incident.incident_id)
        assert tuple(stored) == change.entries
        assert verify_timeline(stored, change.incident.timeline_head) is None

    def test_a_handled_incident_comes_back_whole(self, store: Store) -> None:
        incident = saved(store, opened())
        incident = saved(store, acts.acknowledge(incident, "ana", ABROAD))
        incident = saved(store, acts.override_severity(incident, "ana", NOW, Severity.LOW))
        incident = saved(store, acts.comment(incident, "ana", NOW, AWKWARD))
        incident = saved(store, acts.close(incident, "ana", NOW, Verdict.BENIGN))
        with store.transaction() as transaction:
            stored = transaction.incidents.get(incident.incident_id)
            entries = transaction.incidents.timeline(incident.incident_id)
        assert stored == incident
        assert verify_timeline(entries, incident.timeline_head) is None
        assert len(entries) == incident.timeline_length == 5

    def test_unknown_ids_are_none_whatever_they_hold(self, store: Store) -> None:
        with store.transaction() as transaction:
            for incident_id in ("", "no-such-id", "nul\0", "half \ud800", AWKWARD):
                assert transaction.incidents.get(incident_id) is None
                assert tuple(transaction.incidents.timeline(incident_id)) == ()
            assert transaction.incidents.count(IncidentQuery(client_id="nul\0")) == 0

    def test_a_change_from_another_version_is_a_conflict(self, store: Store) -> None:
        incident = saved(store, opened())
        mine = acts.comment(incident, "ana", NOW, "mine")
        theirs = acts.comment(incident, "bo", NOW, "theirs")
        saved(store, mine)
        with pytest.raises(ConflictError):
            saved(store, theirs)
        with store.transaction() as transaction:
            entries = transaction.incidents.timeline(incident.incident_id)
        assert [entry.actor for entry in entries] == ["querywatch", "ana"]

    def test_the_same_incident_twice_is_a_conflict(self, store: Store) -> None:
        saved(store, opened())
        with pytest.raises(ConflictError):
            saved(store, opened())

    def test_one_open_incident_of_a_class_for_a_client(self, store: Store) -> None:
        first = saved(store, opened(100))
        with pytest.raises(ConflictError):
            saved(store, opened(200))
        saved(store, acts.close(first, "ana", NOW, Verdict.DUPLICATE))
        second = saved(store, opened(200))
        with store.transaction() as transaction:
            known = transaction.incidents.for_client(CLIENT)
        assert [i.incident_id for i in known] == [first.incident_id, second.incident_id]

    def test_reopening_beside_an_open_one_is_a_conflict(self, store: Store) -> None:
        first = saved(store, acts.close(saved(store, opened()), "ana", NOW, Verdict.BENIGN))
        saved(store, opened(200))
        with pytest.raises(ConflictError):
            saved(store, acts.reopen(first, "ana", NOW))

    def test_a_transaction_goes_on_after_a_conflict(self, store: Store) -> None:
        saved(store, opened())
        with store.transaction() as transaction:
            with pytest.raises(ConflictError):
                transaction.incidents.save(opened())
            transaction.incidents.save(opened(client_id="another"))
        with store.transaction() as transaction:
            assert transaction.incidents.count(IncidentQuery()) == 2

    def test_pages_hold_every_incident_once_newest_first(self, store: Store) -> None:
        queries = [5, 5, 5, 1, 9, 9, 3]
        for number, query in enumerate(queries):
            saved(store, opened(query, client_id=f"client-{number}"))
        found: list[Incident] = []
        cursor = None
        while True:
            with store.transaction() as transaction:
                page = transaction.incidents.list(IncidentQuery(after=cursor, limit=2))
            found.extend(page.items)
            cursor = page.next_cursor
            if cursor is None:
                break
        keys = [(incident.opened_at, incident.incident_id) for incident in found]
        assert keys == sorted(keys, reverse=True)
        assert len(set(keys)) == len(queries)

    def test_a_last_page_that_is_full_has_no_next_one(self, store: Store) -> None:
        saved(store, opened(client_id="a"))
        saved(store, opened(client_id="b"))
        with store.transaction() as transaction:
            assert transaction.incidents.list(IncidentQuery(limit=2)).next_cursor is None

    @pytest.mark.parametrize("cursor", ["", "x", "!!!", "bnVsbA", "WzEsMl0", "é", "a" * 999])
    def test_a_cursor_of_no_page_is_refused(self, store: Store, cursor: str) -> None:
        query = IncidentQuery(after=cursor)
        with store.transaction() as transaction, pytest.raises(ConfigurationError, match="cursor"):
            transaction.incidents.list(query)

    @pytest.mark.parametrize("limit", [0, -1, 501])
    def test_a_page_is_bounded(self, store: Store, limit: int) -> None:
        query = IncidentQuery(limit=limit)
        with store.transaction() as transaction, pytest.raises(ConfigurationError, match="limit"):
            transaction.incidents.list(query)

    def test_filters_choose_and_combine(self, store: Store) -> None:
        early = saved(store, opened(10, client_id="early"))
        late = saved(store, opened(20, client_id="late", attack_class=AttackClass.HARVESTING))
        mine = saved(store, acts.acknowledge(early, "ana", NOW))
        shut = saved(store, acts.close(late, "bo", NOW, Verdict.BENIGN))
        assert mine.severity.rank > shut.severity.rank
        one, other = {mine.incident_id}, {shut.incident_id}
        cases = [
            (IncidentQuery(), one | other),
            (IncidentQuery(tenant_id="acme", model_id="churn"), one | other),
            (IncidentQuery(tenant_id="other"), set()),
            (IncidentQuery(client_id="early"), one),
            (IncidentQuery(attack_class=frozenset({AttackClass.HARVESTING})), other),
            (IncidentQuery(stage=frozenset({Stage.NEW, Stage.TRIAGED})), one),
            (IncidentQuery(min_severity=mine.severity), one),
            (IncidentQuery(assignee="ana"), one),
            (IncidentQuery(acknowledged=True), one),
            (IncidentQuery(acknowledged=False), other),
            (IncidentQuery(opened_from=shut.opened_at), other),
            (IncidentQuery(opened_before=shut.opened_at), one),
            (IncidentQuery(client_id="early", acknowledged=False), set()),
        ]
        with store.transaction() as transaction:
            for query, expected in cases:
                found = transaction.incidents.list(query).items
                assert {incident.incident_id for incident in found} == expected, query
                assert transaction.incidents.count(query) == len(expected), query

    def test_unacknowledged_are_those_that_wait_for_somebody(self, store: Store) -> None:
        waiting = saved(store, opened(1, client_id="waiting"))
        saved(store, acts.acknowledge(saved(store, opened(2, client_id="a")), "ana", NOW))
        saved(store, acts.move(saved(store, opened(3, client_id="b")), "x", NOW, Stage.SUPPRESSED))
        saved(
            store, acts.close(saved(store, opened(4, client_id="c")), "x", NOW, Verdict.DUPLICATE)
        )
        saved(store, acts.escalate(saved(store, opened(5, client_id="d")), NOW, 2))
        query = WaitingQuery(Severity.LOW, NOW, SOON, below_level=2, limit=9)
        with store.transaction() as transaction:
            find = transaction.incidents.unacknowledged
            assert [incident.incident_id for incident in find(query)] == [waiting.incident_id]
            assert not find(replace(query, before=NOW))
            assert not find(replace(query, since=NOW + timedelta(microseconds=1)))
            assert not find(replace(query, min_severity=Severity.CRITICAL))
            assert len(find(replace(query, below_level=3))) == 2
            assert len(find(replace(query, below_level=3, limit=1))) == 1

    def test_waiting_goes_by_the_severity_asked_for(self, store: Store) -> None:
        """In whatever zone the times were given."""
        mild = saved(store, opened(confidence=0.6, progress=0.0))
        assert mild.severity.rank < Severity.CRITICAL.rank
        risen = acts.override_severity(mild, "ana", ABROAD + timedelta(hours=1), Severity.CRITICAL)
        saved(store, risen)
        later = NOW + timedelta(hours=1)
        span = WaitingQuery(mild.severity, NOW, SOON, below_level=2, limit=9)
        with store.transaction() as transaction:
            find = transaction.incidents.unacknowledged
            assert len(find(span)) == 1
            assert not find(replace(span, min_severity=Severity.CRITICAL))
            grave = replace(span, min_severity=Severity.CRITICAL, since=later)
            assert not find(replace(grave, before=later))
            assert len(find(replace(grave, before=later + timedelta(microseconds=1)))) == 1

    def test_acts_at_one_moment_follow_each_other(self, store: Store) -> None:
        """An analyst who named no version is told of no conflict with the machine or others."""
        key = saved(store, opened()).incident_id
        together = threading.Barrier(4)

        def work(name: int) -> None:
            together.wait()
            for _round in range(8):
                with store.transaction() as transaction:
                    Analyst(transaction, f"ana-{name}", SetClock(NOW)).comment(key, "hm")

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        with store.transaction() as transaction:
            incident = transaction.incidents.get(key)
            entries = transaction.incidents.timeline(key)
        assert incident is not None
        assert (incident.version, len(entries)) == (33, 33)
        assert verify_timeline(entries, incident.timeline_head) is None

    # Clients and references

    def test_the_newest_profile_replaces_the_older_one(self, store: Store) -> None:
        with store.transaction() as transaction:
            transaction.clients.put([profile(queries=7), profile("b"), profile(queries=8)])
            transaction.clients.put([])
        with store.transaction() as transaction:
            transaction.clients.put([profile("b", queries=9)])
            assert transaction.clients.get(profile().client) == profile(queries=8)
            assert transaction.clients.get(profile("b").client) == profile("b", queries=9)
            assert transaction.clients.get(CLIENT) is None

    def test_references_are_numbered_and_one_is_active(self, store: Store) -> None:
        with store.transaction() as transaction:
            first = transaction.references.add(reference("a"), b"one")
            second = transaction.references.add(reference("b"), b"two")
            idle = transaction.references.add(reference("c", ReferenceStatus.INACTIVE), b"three")
        with store.transaction() as transaction:
            known = transaction.references.list(MODEL)
            assert [info.version for info in known] == [3, 2, 1]
            assert known[1] == second
            assert known[0] == idle
            assert known[2] == replace(first, status=ReferenceStatus.INACTIVE)
            assert transaction.references.body(MODEL) == b"two"
            assert transaction.references.body(MODEL, 1) == b"one"
            assert transaction.references.body(MODEL, 4) is None
            assert transaction.references.list(MODEL._replace(model_id="other")) == []
            assert len(transaction.references.list()) == 3

    def test_the_active_body_is_not_stored_again(self, store: Store) -> None:
        with store.transaction() as transaction:
            first = transaction.references.add(reference("a"), b"one")
            assert transaction.references.add(reference("a"), b"one") == first
            assert len(transaction.references.list()) == 1

    def test_an_older_reference_can_be_activated(self, store: Store) -> None:
        with store.transaction() as transaction:
            first = transaction.references.add(reference("a"), b"one")
            transaction.references.add(reference("b"), b"two")
            assert transaction.references.activate(MODEL, 1) == first
            assert transaction.references.body(MODEL) == b"one"
            with pytest.raises(NotFoundError):
                transaction.references.activate(MODEL, 9)
            assert transaction.references.body(MODEL) == b"one"

    def test_two_that_activate_at_once_leave_one_active(self, store: Store) -> None:
        """The later one gives way, or waits for its turn."""
        with store.transaction() as transaction:
            transaction.references.add(reference("a"), b"one")
        began = threading.Event()

        def other() -> None:
            began.set()
            with store.transaction() as transaction:
                transaction.references.activate(MODEL, 1)

        with ThreadPoolExecutor(1) as pool:
            with store.transaction() as transaction:
                transaction.references.add(reference("b"), b"two")
                later = pool.submit(other)
                began.wait()
                wait([later], timeout=0.3)  # until it waits for what this one holds
            error = later.exception()
        assert error is None or isinstance(error, ConflictError)
        with store.transaction() as transaction:
            active = [
                i for i in transaction.references.list() if i.status == ReferenceStatus.ACTIVE
            ]
        assert len(active) == 1

    # Transactions

    def test_an_error_leaves_nothing_behind(self, store: Store) -> None:
        def interrupted() -> None:
            with store.transaction() as transaction:
                transaction.incidents.save(opened())
                ownership = transaction.partitions.claim(HERE)
                transaction.partitions.advance(ownership, 5)
                transaction.dead_letters.add([letter(1)], NOW)
                transaction.clients.put([profile()])
                transaction.references.add(reference("a"), b"one")
                raise InterruptionError

        with pytest.raises(InterruptionError):
            interrupted()
        with store.transaction() as transaction:
            assert transaction.incidents.count(IncidentQuery()) == 0
            assert transaction.partitions.claim(HERE).epoch == 1
            assert transaction.partitions.positions() == {}
            assert transaction.dead_letters.counts() == {}
            assert transaction.clients.get(profile().client) is None
            assert transaction.references.list() == []

    def test_a_store_with_its_schema_is_ready(self, store: Store) -> None:
        store.ready()
        with store.transaction() as transaction:
            assert transaction.incidents.count(IncidentQuery()) == 0


class DatabaseConformance(StoreConformance):
    """What holds for databases, which forget the zone that a time was written in."""

    def test_times_come_back_aware_and_in_utc(self, store: Store) -> None:
        incident = saved(store, acts.acknowledge(saved(store, opened()), "ana", ABROAD))
        with store.transaction() as transaction:
            stored = transaction.incidents.get(incident.incident_id)
        assert stored is not None
        assert stored.acknowledged_at == NOW
        assert stored.acknowledged_at.utcoffset() == timedelta(0)
