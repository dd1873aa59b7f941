"""What every store must do with notifications that wait."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from detector.incidents.model import Incident
from detector.pipeline.ports import Store
from tests.storage.shapes import ABROAD, AWKWARD, NOW, message, opened

SOON = NOW + timedelta(minutes=1)


def saved(store: Store) -> Incident:
    """An incident for messages to speak of."""
    change = opened()
    with store.transaction() as transaction:
        transaction.incidents.save(change)
    return change.incident


class OutboxConformance:
    """Subclasses provide the fixture `store`, an empty one."""

    def test_a_message_is_leased_once_until_the_lease_ends(self, store: Store) -> None:
        incident = saved(store)
        with store.transaction() as transaction:
            outbox = transaction.outbox
            outbox.put([message(incident.incident_id, "b"), message(incident.incident_id, "a")])
            outbox.put([message(incident.incident_id, "late", due_at=SOON)])
            outbox.put([message(incident.incident_id, "other", level=2)])
        with store.transaction() as transaction:
            leased = transaction.outbox.lease(NOW, SOON, 10, 1)
            assert list(leased) == [
                message(incident.incident_id, "a"),
                message(incident.incident_id, "b"),
            ]
            assert list(transaction.outbox.lease(NOW, SOON, 10, 1)) == []
        with store.transaction() as transaction:
            again = transaction.outbox.lease(SOON, SOON + timedelta(minutes=1), 2, 1)
            assert [each.message_id for each in again] == ["a", "b"]
            assert transaction.outbox.pending() == 4

    def test_what_became_of_a_message(self, store: Store) -> None:
        incident = saved(store)
        names = ["done", "later", "lost"]
        with store.transaction() as transaction:
            transaction.outbox.put([message(incident.incident_id, name) for name in names])
            transaction.outbox.lease(NOW, SOON, 10, 1)
            transaction.outbox.delivered("done", NOW)
            transaction.outbox.retry("later", SOON, AWKWARD)
            transaction.outbox.give_up("lost", NOW, "410 Gone")
        with store.transaction() as transaction:
            assert transaction.outbox.pending() == 1
            transaction.outbox.put([message(incident.incident_id, name) for name in names])
            (left,) = transaction.outbox.lease(SOON, SOON, 10, 1)
        assert (left.message_id, left.attempts, left.due_at) == ("later", 1, SOON)

    def test_what_is_old_expires_and_what_is_leased_does_not(self, store: Store) -> None:
        incident = saved(store)
        early = replace(message(incident.incident_id, "early"), created_at=NOW - timedelta(1))
        sending = replace(early, message_id="sending", due_at=NOW - timedelta(1))
        other = replace(early, message_id="other", level=2)
        with store.transaction() as transaction:
            outbox = transaction.outbox
            outbox.put([early, sending, other, message(incident.incident_id, "new")])
            assert len(outbox.lease(NOW, SOON, 1, 1)) == 1
            assert outbox.expire(1, NOW, NOW, "too old") == 1
            assert outbox.expire(1, NOW, NOW, "too old") == 0
            assert outbox.pending() == 3
            assert [m.message_id for m in outbox.lease(NOW, SOON, 9, 1)] == ["new"]
        with store.transaction() as transaction:
            assert transaction.outbox.expire(1, NOW, SOON, "too old") == 1

    def test_a_level_has_had_a_destination_since_the_first(self, store: Store) -> None:
        for at, level in [(ABROAD, 1), (SOON, 1), (SOON, 2)]:
            with store.transaction() as transaction:
                first = transaction.outbox.serve(level, at)
            assert first == (NOW if level == 1 else SOON)
            assert first.utcoffset() == timedelta(0) or first is ABROAD

    def test_workers_that_lease_at_once_share_no_message(self, store: Store) -> None:
        incident = saved(store)
        with store.transaction() as transaction:
            transaction.outbox.put([message(incident.incident_id, f"m{n:02}") for n in range(40)])
        together = threading.Barrier(4)

        def work(_: int) -> list[str]:
            together.wait()
            taken: list[str] = []
            for _round in range(4):
                with store.transaction() as transaction:
                    leased = transaction.outbox.lease(NOW, SOON, 3, 1)
                taken.extend(each.message_id for each in leased)
            return taken

        with ThreadPoolExecutor(4) as pool:
            taken = [name for names in pool.map(work, range(4)) for name in names]
        assert len(taken) == len(set(taken)) == 40
