"""Triage, analysts and escalation as use cases, over the fake store and a real database."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest

from detector.incidents.model import Incident, IncidentChange, Severity, Stage, Verdict
from detector.incidents.timeline import verify_timeline
from detector.kit.errors import ConflictError, NotFoundError, RecoverableError
from detector.pipeline import escalation
from detector.pipeline.analyst import Analyst
from detector.pipeline.escalation import EscalationPolicy, escalate
from detector.pipeline.ports import IncidentQuery, OutboxMessage, Store
from detector.pipeline.triage import Triage, TriagePolicy
from detector.scoring.finding import AttackClass, Finding
from detector.storage.store import MEMORY_URL, open_store
from tests.fakes.clock import SetClock
from tests.fakes.store import FakeStore
from tests.incidents.findings import CLIENT, finding

LOG = (
    finding(60, technique="attribute_sweep", attack_class=AttackClass.INVERSION),
    finding(100, supersedes=("attribute_sweep",)),
    finding(200, progress=1.0),
    finding(200, technique="off_manifold"),
    finding(300, client=CLIENT._replace(client_id="oscar")),
)


@pytest.fixture(params=["fake", "sqlite"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    opened = FakeStore() if request.param == "fake" else open_store(MEMORY_URL)
    yield opened
    opened.close()


class Desk:
    """Triage and analysts over one store and one clock."""

    def __init__(self, store: Store, notify_from: Severity = Severity.MEDIUM) -> None:
        self.store = store
        self.clock = SetClock()
        self.triage = Triage(TriagePolicy(notify_from=notify_from), self.clock)

    def take(self, *findings: Finding) -> tuple[IncidentChange, ...]:
        with self.store.transaction() as transaction:
            return self.triage.apply(transaction, findings)

    def incidents(self) -> Sequence[Incident]:
        with self.store.transaction() as transaction:
            return transaction.incidents.list(IncidentQuery()).items

    def messages(self, level: int = 1) -> Sequence[OutboxMessage]:
        """All messages of a level that wait; they stay free for the next call."""
        now = self.clock.now()
        with self.store.transaction() as transaction:
            return transaction.outbox.lease(now, now, 100, level)

    def escalate(self, policy: EscalationPolicy) -> int:
        with self.store.transaction() as transaction:
            return len(escalate(transaction, self.clock.now(), policy))


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store)


def events(messages: Sequence[OutboxMessage]) -> list[str]:
    return sorted(message.event for message in messages)


def test_a_batch_makes_one_change_of_each_incident(desk: Desk) -> None:
    changes = desk.take(*LOG)
    assert len(changes) == 2
    assert all(change.previous_version == 0 for change in changes)
    first = changes[0].incident
    assert first.attack_class is AttackClass.EXTRACTION
    assert first.techniques == ("tree_path_finding", "off_manifold")
    with desk.store.transaction() as transaction:
        assert transaction.incidents.get(first.incident_id) == first
        entries = transaction.incidents.timeline(first.incident_id)
    assert verify_timeline(entries, first.timeline_head) is None


def test_where_batches_are_cut_does_not_matter(store: Store) -> None:
    desk, other = Desk(store), Desk(FakeStore())
    other.clock.time = desk.clock.time
    desk.take(*LOG)
    for each in LOG:
        other.take(each)
    assert desk.incidents() == other.incidents()
    assert desk.messages() == other.messages()


@pytest.mark.parametrize("start", range(len(LOG)))
def test_a_replay_changes_nothing_that_stands(desk: Desk, start: int) -> None:
    desk.take(*LOG)
    before, messages = desk.incidents(), desk.messages()
    desk.clock.advance(minutes=5)
    assert desk.take(*LOG[start:]) == ()
    assert desk.incidents() == before
    assert desk.messages() == messages


def test_somebody_is_told_when_it_opens_and_when_it_gets_worse(desk: Desk) -> None:
    desk.take(finding(100))
    assert events(desk.messages()) == ["incident.opened"]
    desk.take(finding(110, progress=0.2))
    assert events(desk.messages()) == ["incident.opened"]
    desk.take(finding(120, progress=1.0))
    assert events(desk.messages()) == ["incident.opened", "incident.severity_raised"]


def test_nobody_is_told_below_the_floor(store: Store) -> None:
    desk = Desk(store, Severity.CRITICAL)
    desk.take(finding(100))
    assert desk.messages() == []
    desk.take(finding(120, progress=1.0))
    assert events(desk.messages()) == ["incident.severity_raised"]


def test_nobody_is_told_of_what_is_suppressed(desk: Desk) -> None:
    (change,) = desk.take(finding(100))
    with desk.store.transaction() as transaction:
        Analyst(transaction, "ana", desk.clock).move(change.incident.incident_id, Stage.SUPPRESSED)
    desk.take(finding(120, progress=1.0))
    assert events(desk.messages()) == ["incident.opened"]


def test_another_writer_in_between_is_a_reason_to_try_again(desk: Desk) -> None:
    desk.take(finding(100))

    class Blind:
        """Another worker's transaction that does not see the incident yet."""

        def __init__(self, wrapped: object) -> None:
            self._wrapped = wrapped

        def for_client(self, client: object) -> Sequence[Incident]:
            return ()

        def __getattr__(self, name: str) -> object:
            return getattr(self._wrapped, name)

    def race() -> None:
        with desk.store.transaction() as transaction:
            transaction.incidents = Blind(transaction.incidents)  # type: ignore[misc, assignment]
            desk.triage.apply(transaction, [finding(150)])

    with pytest.raises(RecoverableError, match="another worker"):
        race()


def test_an_analysts_acts_follow_one_another(desk: Desk) -> None:
    (change,) = desk.take(finding(100))
    key = change.incident.incident_id
    with desk.store.transaction() as transaction:
        ana = Analyst(transaction, "ana", desk.clock)
        ana.acknowledge(key, expected_version=1)
        ana.assign(key, "bo")
        ana.comment(key, "looks like a tree walk")
        ana.move(key, Stage.IN_PROGRESS)
        ana.override_severity(key, Severity.CRITICAL)
        ana.close(key, Verdict.TRUE_POSITIVE, "key revoked")
        last = ana.reopen(key, expected_version=7)
        entries = transaction.incidents.timeline(key)
    assert last.incident.stage is Stage.REOPENED
    assert (last.incident.assignee, last.incident.version) == ("bo", 8)
    assert [entry.actor for entry in entries] == ["querywatch", *["ana"] * 7]
    assert verify_timeline(entries, last.incident.timeline_head) is None


def test_an_act_from_an_old_view_is_a_conflict(desk: Desk) -> None:
    (change,) = desk.take(finding(100))
    desk.take(finding(200))
    with desk.store.transaction() as transaction:
        analyst = Analyst(transaction, "ana", desk.clock)
        with pytest.raises(ConflictError, match="version 2, not 1"):
            analyst.acknowledge(change.incident.incident_id, expected_version=1)
        with pytest.raises(NotFoundError):
            analyst.comment("nothing", "hello")


def test_what_nobody_acknowledges_goes_a_level_up_once(desk: Desk) -> None:
    policy = EscalationPolicy(Severity.HIGH, timedelta(minutes=30))
    (change,) = desk.take(finding(100))
    assert desk.escalate(policy) == 0
    desk.clock.advance(minutes=31)
    assert desk.escalate(policy) == 1
    desk.clock.advance(minutes=31)
    assert desk.escalate(policy) == 0
    assert events(desk.messages(level=2)) == ["incident.escalated"]
    (incident,) = desk.incidents()
    assert incident.escalation_level == 2
    with desk.store.transaction() as transaction:
        entries = transaction.incidents.timeline(change.incident.incident_id)
    assert entries[-1].data == {"level": 2}


def test_the_time_to_acknowledge_begins_when_it_becomes_severe(desk: Desk) -> None:
    policy = EscalationPolicy(Severity.HIGH, timedelta(minutes=30))
    (change,) = desk.take(finding(100, confidence=0.6, progress=0.0))
    assert change.incident.severity.rank < Severity.HIGH.rank
    desk.clock.advance(hours=1)
    desk.take(finding(120, confidence=0.999, progress=1.0))
    desk.clock.advance(minutes=29)
    assert desk.escalate(policy) == 0
    desk.clock.advance(minutes=2)
    assert desk.escalate(policy) == 1


def test_the_time_to_acknowledge_begins_anew_when_it_is_watched_again(desk: Desk) -> None:
    policy = EscalationPolicy(Severity.HIGH, timedelta(minutes=30))
    (change,) = desk.take(finding(120, progress=1.0))
    for stage in (Stage.SUPPRESSED, Stage.NEW):
        desk.clock.advance(hours=1)
        with desk.store.transaction() as transaction:
            Analyst(transaction, "ana", desk.clock).move(change.incident.incident_id, stage)
    assert desk.escalate(policy) == 0
    desk.clock.advance(minutes=31)
    assert desk.escalate(policy) == 1


def test_a_second_level_is_told_what_was_overdue_since_it_is_there(desk: Desk) -> None:
    """Not all that an installation without one has ever left unacknowledged."""
    policy = EscalationPolicy(Severity.HIGH, timedelta(minutes=30))
    desk.take(finding(100, client=CLIENT._replace(client_id="long-ago")))
    desk.clock.advance(days=2)
    desk.take(finding(100, client=CLIENT._replace(client_id="just-before")))
    desk.clock.advance(minutes=31)
    assert desk.escalate(policy) == 1
    desk.take(finding(100, client=CLIENT._replace(client_id="afterwards")))
    desk.clock.advance(days=9)
    assert desk.escalate(policy) == 1
    waiting = [i.client_id for i in desk.incidents() if i.escalation_level == 1]
    assert waiting == ["long-ago"]


def test_many_go_up_in_bounded_steps(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(escalation, "MOST", 3)
    policy = EscalationPolicy(Severity.HIGH, timedelta(minutes=30))
    for number in range(7):
        desk.take(finding(100, client=CLIENT._replace(client_id=f"client-{number}")))
    desk.clock.advance(minutes=31)
    assert [desk.escalate(policy) for _ in range(4)] == [3, 3, 1, 0]


def test_an_acknowledged_incident_does_not_escalate(desk: Desk) -> None:
    (change,) = desk.take(finding(100))
    with desk.store.transaction() as transaction:
        Analyst(transaction, "ana", desk.clock).acknowledge(change.incident.incident_id)
    desk.clock.advance(hours=2)
    assert desk.escalate(EscalationPolicy()) == 0
    assert desk.messages(level=2) == []
