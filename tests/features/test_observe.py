import numpy as np
import pytest

from detector.features.follow import SCORE_STEPS
from detector.features.observation import ONE_FIELD_CHANGES, Observation, Probe
from detector.features.observe import Lens
from detector.features.state import Stat
from tests.features.watcher import CAR, GAP, HOUSE, Watcher, lens, uncalibrated

D = 6


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def test_the_first_query_and_queries_without_input_compare_with_nothing() -> None:
    client = Watcher(lens(3))
    assert client.ask((1.0, 2.0, 3.0)).probe is Probe.FIRST
    assert client.ask(None).probe is Probe.FIRST
    assert (client.stat(Stat.QUERIES), client.stat(Stat.INPUTS)) == (2.0, 1.0)


def test_an_exact_repeat_is_one_whatever_its_fields_hold() -> None:
    client = Watcher(lens(4))
    client.ask((1.0, GAP, CAR, 0.0))
    assert client.ask((5.0, GAP, CAR, 0.0)).probe in ONE_FIELD_CHANGES
    assert client.ask((1.0, GAP, CAR, 0.0)).probe is Probe.REPEAT


def test_repeats_do_not_push_others_out_of_the_memory() -> None:
    client = Watcher(lens(3))
    client.ask((1.0, 2.0, 3.0))
    client.ask((9.0, 8.0, 7.0))
    assert client.ask_all([(9.0, 8.0, 7.0)] * 50) == [Probe.REPEAT] * 50
    assert client.ask((1.0, 2.0, 3.0)).probe is Probe.REPEAT


class TestOneField:
    base = (0.0, 10.0, -10.0, 5.0)

    def change(self, value: float, field: int = 0) -> tuple[float, ...]:
        return (*self.base[:field], value, *self.base[field + 1 :])

    @pytest.mark.parametrize("view", [lens(4), uncalibrated(4)])
    def test_bisection_is_a_search_from_the_first_midpoint_on(self, view: Lens) -> None:
        client = Watcher(view)
        low, high = 0.1236, 4.2371
        assert client.ask_all([self.change(low), self.change(high)]) == [
            Probe.FIRST,
            Probe.ONE_FIELD,
        ]
        for go_up in (True, False, False, True, True, False):
            middle = (low + high) / 2
            assert client.ask(self.change(middle)).probe is Probe.ONE_FIELD_SEARCH
            low, high = (middle, high) if go_up else (low, middle)

    def test_ordinary_values_of_one_field_are_no_search(self) -> None:
        client = Watcher(lens(4, grid=(0.1, 0.1, 0.1, 0.1)))
        seen = client.ask_all(self.change(value) for value in (0.0, 30.0, 12.0, 3.0, 19.0, 50.0))
        assert seen[1:] == [Probe.ONE_FIELD] * 5

    def test_a_value_off_the_fields_grid_is_flagged(self) -> None:
        client = Watcher(lens(4, grid=(1.0, 0.0, 0.0, 0.0)))
        client.ask(self.base)
        client.ask(self.change(7.0))
        seen = client.ask(self.change(5.37))
        assert seen.probe in ONE_FIELD_CHANGES
        assert seen.off_grid

    def test_leaving_a_field_out_is_a_search(self) -> None:
        client = Watcher(uncalibrated(4))
        client.ask(self.base)
        for field in range(4):
            assert client.ask(self.change(GAP, field)).probe is Probe.ONE_FIELD_SEARCH

    def test_leaving_a_field_out_that_is_left_out_now_and_then_is_none(self) -> None:
        usual = lens(4)._replace(missing=np.array([0.3, 0.005, 0.0005, 0.0]))
        client = Watcher(usual)
        client.ask(self.base)
        assert client.ask(self.change(GAP)).probe is Probe.ONE_FIELD_CHOICE
        assert client.ask(self.change(GAP, 1)).probe is Probe.ONE_FIELD_CHOICE
        assert client.ask(self.change(GAP, 2)).probe is Probe.ONE_FIELD_SEARCH

    def test_bisection_of_the_range_passes_over_the_records_own_value(self) -> None:
        client = Watcher(lens(4))
        client.ask(self.change(0.7))
        seen = client.ask_all(self.change(value) for value in (-4.0, 4.0, 0.0, 2.0, 1.0, 0.5))
        assert seen == [Probe.ONE_FIELD] * 2 + [Probe.ONE_FIELD_SEARCH] * 4

    def test_round_values_about_the_records_own_are_no_search(self) -> None:
        client = Watcher(lens(4))
        client.ask(self.change(10.0))
        seen = client.ask_all(self.change(value) for value in (5.0, 11.0, 30.0, 8.0))
        assert seen == [Probe.ONE_FIELD] * 4

    @pytest.mark.parametrize("end", [-9.0, -12.0, 9.0, 30.0])
    def test_a_step_to_an_end_of_the_range_is_a_search(self, end: float) -> None:
        client = Watcher(lens(4, ends=(-9.0, -2.0, 2.0, 9.0)))
        client.ask(self.base)
        assert client.ask(self.change(3.0)).probe is Probe.ONE_FIELD
        assert client.ask(self.change(0.5)).probe is Probe.ONE_FIELD
        assert client.ask(self.change(end)).probe is Probe.ONE_FIELD_SEARCH

    def test_values_next_to_an_end_reach_it_by_chance(self) -> None:
        client = Watcher(lens(4, ends=(-9.0, -2.0, 2.0, 9.0)))
        client.ask(self.change(8.0))
        assert client.ask(self.change(9.0)).probe is Probe.ONE_FIELD_CHOICE

    def test_ends_are_no_steps_for_lying_at_equal_parts_of_the_ranges(self) -> None:
        client = Watcher(lens(4, ends=(-9.0, -2.0, 2.0, 9.0)))
        client.ask((0.0, 0.0, 0.0, 0.0))
        for field in range(4):
            ends = [(*[0.0] * field, end, *[0.0] * (3 - field)) for end in (-9.0, 9.0)]
            assert client.ask_all(ends) == [Probe.ONE_FIELD_SEARCH] * 2

    def test_among_a_few_values_the_choice_tells_nothing(self) -> None:
        client = Watcher(lens(4, grid=(0.25, 0.0, 0.0, 0.0)))
        client.ask((*self.base[:3], CAR))
        assert client.ask((*self.base[:3], HOUSE)).probe is Probe.ONE_FIELD_CHOICE
        client.ask(self.base)
        assert client.ask(self.change(0.75)).probe is Probe.ONE_FIELD_CHOICE

    def test_between_neighbouring_values_the_choice_tells_nothing(self) -> None:
        client = Watcher(lens(4, grid=(0.1, 0.0, 0.0, 0.0)))
        client.ask(self.base)
        seen = client.ask_all(self.change(value) for value in (9.0, 9.5, 9.1, 3.0))
        assert seen[2:] == [Probe.ONE_FIELD_CHOICE, Probe.ONE_FIELD]

    def test_a_midpoint_that_many_of_the_values_between_pass_for_tells_nothing(self) -> None:
        client = Watcher(lens(4, grid=(0.1, 0.0, 0.0, 0.0)))
        client.ask(self.base)
        seen = client.ask_all(self.change(value) for value in (6.0, 3.0, 4.5, 3.8, 3.4, 3.6))
        assert seen[1] is Probe.ONE_FIELD_SEARCH
        assert seen[3] is Probe.ONE_FIELD_SEARCH
        assert seen[4:] == [Probe.ONE_FIELD_CHOICE] * 2

    def test_off_its_grid_a_midpoint_tells_in_small_intervals_too(self) -> None:
        client = Watcher(lens(4, grid=(0.1, 0.0, 0.0, 0.0)))
        client.ask_all(self.change(value) for value in (0.0, 2.0, 3.0, 4.0))
        assert client.ask(self.change(3.55)).probe is Probe.ONE_FIELD
        assert client.ask(self.change(3.275)).probe is Probe.ONE_FIELD_SEARCH

    def test_without_a_reference_rounded_values_are_halved_by_chance(
        self, rng: np.random.Generator
    ) -> None:
        client = Watcher(uncalibrated(4))
        seen = client.ask_all(self.change(round(x, 1)) for x in rng.normal(20.0, 0.5, size=60))
        assert set(seen[1:]) <= {Probe.ONE_FIELD, Probe.ONE_FIELD_CHOICE, Probe.REPEAT}

    def test_without_a_reference_whole_steps_in_field_after_field_are_none(self) -> None:
        client = Watcher(uncalibrated(4))
        client.ask(self.base)
        seen = client.ask_all(self.change(self.base[j] + 1.0, j) for j in range(4))
        assert Probe.ONE_FIELD_STEP not in seen

    def test_equal_steps_in_field_after_field_are_steps(self) -> None:
        client = Watcher(lens(4))
        client.ask(self.base)
        seen = client.ask_all(self.change(self.base[j] + 0.125, j) for j in range(4))
        assert seen[1:] == [Probe.ONE_FIELD_STEP] * 3

    def test_two_fields_are_too_few_to_speak_of_one_field_changes(self) -> None:
        client = Watcher(lens(2))
        seen = client.ask_all([(0.0, 0.0), (3.0, 0.0), (1.5, 0.0), (0.0, 2.0)])
        assert not set(seen) & ONE_FIELD_CHANGES

    def test_counts_which_field_changed(self) -> None:
        client = Watcher(lens(4))
        client.ask(self.base)
        client.ask_all(self.change(v, 2) for v in (1.0, 7.0, 20.0))
        assert client.table.changed[0, :4].tolist() == [0, 0, 3, 0]


class TestSweep:
    values = (6.0, 12.0, 24.0, 36.0)

    def test_the_same_values_on_record_after_record_are_a_sweep(
        self, rng: np.random.Generator
    ) -> None:
        client = Watcher(lens(D))
        revalues = self.sweep(client, rng, [self.values] * 5)
        assert not any(revalues[:4])
        assert sum(revalues) >= 3 * 3
        assert client.stat(Stat.REVALUES) == sum(revalues)

    def test_the_order_of_the_values_does_not_matter(self, rng: np.random.Generator) -> None:
        client = Watcher(lens(D))
        orders = [tuple(np.roll(self.values, k)) for k in range(5)]
        assert sum(self.sweep(client, rng, orders)) >= 3 * 3

    def test_two_values_are_a_sweep_once_a_record_is_done(self, rng: np.random.Generator) -> None:
        client = Watcher(lens(D))
        told = [self.told(client, rng, (6.0, 12.0)) for _ in range(5)]
        assert told[2:] == [(True, True)] * 3

    def test_records_that_are_left_untried_speak_against_a_sweep(
        self, rng: np.random.Generator
    ) -> None:
        client = Watcher(lens(D))
        for _ in range(3):
            self.told(client, rng, (6.0, 12.0))
        client.ask(20.0 * rng.normal(size=D))
        seen = client.ask(20.0 * rng.normal(size=D))
        assert (seen.tells_routine, seen.routine) == (True, False)

    def test_records_that_are_swept_side_by_side_are_a_sweep(
        self, rng: np.random.Generator
    ) -> None:
        client = Watcher(lens(4))
        records = 20.0 * rng.normal(size=(6, 4))
        seen = []
        for records[:, 2] in self.values:
            seen.append([client.ask(record).routine for record in records])
        assert seen[-1][1:] == [True] * 5

    def test_searches_side_by_side_are_no_sweep_for_beginning_alike(
        self, rng: np.random.Generator
    ) -> None:
        client = Watcher(lens(4))
        records = 20.0 * rng.normal(size=(6, 4))
        seen = []
        for records[:, 2] in (-8.0, 8.0, 0.0):
            seen.append([client.ask(record) for record in records])
        assert all(item.probe is Probe.ONE_FIELD_SEARCH for item in seen[-1])
        assert not any(item.routine for item in seen[-1])

    def test_what_was_swept_is_known_when_another_field_was_looked_at(
        self, rng: np.random.Generator
    ) -> None:
        client = Watcher(lens(D))
        for _ in range(8):
            record = 20.0 * rng.normal(size=D)
            for record[2] in self.values:
                client.ask(record)
            record[4] += 7.0
            client.ask(record)
        assert client.stat(Stat.SWEPT_FIELD) == 3
        assert client.stat(Stat.SWEPT_VALUES) == len(self.values)
        assert client.stat(Stat.SWEPT_RECORDS) >= 7

    @staticmethod
    def told(
        client: Watcher, rng: np.random.Generator, values: tuple[float, ...]
    ) -> tuple[bool, bool]:
        """Whether trying the values on a new record told and spoke for a sweep."""
        record = 20.0 * rng.normal(size=D)
        seen = []
        for value in values:
            record[2] = value
            seen.append(client.ask(record))
        return any(s.tells_routine for s in seen), any(s.routine for s in seen)

    def test_other_values_on_every_record_are_no_sweep(self, rng: np.random.Generator) -> None:
        client = Watcher(lens(D))
        orders = [tuple(rng.normal(size=4)) for _ in range(5)]
        assert not any(self.sweep(client, rng, orders))

    @staticmethod
    def sweep(
        client: Watcher, rng: np.random.Generator, orders: list[tuple[float, ...]]
    ) -> list[bool]:
        revalues = []
        for order in orders:
            record = 20.0 * rng.normal(size=D)
            for value in order:
                record[2] = value
                revalues.append(client.ask(record).routine)
        return revalues


def test_a_flip_is_another_label_than_the_compared_querys() -> None:
    client = Watcher(lens(3))
    client.ask((0.0, 0.0, 0.0), label=1)
    assert not client.ask((0.2, 0.0, 0.0), label=1).flip
    assert client.ask((0.3, 0.0, 0.0), label=0).flip
    assert client.ask((0.3, 0.0, 0.0), label=1).flip
    assert not client.ask((0.3, 0.1, 0.0), label=-1).flip
    assert client.stat(Stat.FLIPS) == 2


def flags(seen: Observation) -> tuple[bool, bool, bool]:
    return seen.strange, seen.off_grid, seen.low_margin


def test_strange_off_grid_and_low_margins_are_flagged_and_counted() -> None:
    client = Watcher(lens(3, low_margin=0.1, grid=(1.0, 0.1, 0.0)))
    seen = client.ask((1.5, 0.25, 0.33), scores=(0.52, 0.48), p_value=0.001)
    assert flags(seen) == (True, True, True)
    plain = client.ask((7.0, 0.3, 0.77), scores=(0.9, 0.1), p_value=0.4)
    assert flags(plain) == (False, False, False)
    assert [client.stat(s) for s in (Stat.STRANGE, Stat.OFF_GRID, Stat.LOW_MARGINS)] == [1, 1, 1]
    assert client.stat(Stat.MARGIN_SUM) == pytest.approx(0.04 + 0.8)


def test_without_a_reference_nothing_is_strange_off_grid_or_low() -> None:
    client = Watcher(uncalibrated(3))
    seen = client.ask((1.5, 0.25, 0.33), scores=(0.5, 0.5), p_value=0.0001)
    assert flags(seen) == (False, False, False)


def test_records_are_new_heights_of_the_climbing_class_while_probing(
    rng: np.random.Generator,
) -> None:
    client = Watcher(lens(D))
    for score in np.linspace(0.2, 0.3, 9):
        client.ask(1e-2 * rng.normal(size=D), scores=(1 - score, score))
    climbing = [
        client.ask(1e-2 * rng.normal(size=D), scores=(1 - score, score)).record
        for score in np.linspace(0.31, 0.9, 20)
    ]
    resting = [client.ask(1e-2 * rng.normal(size=D), scores=(0.5, 0.5)).record for _ in range(20)]
    assert all(climbing)
    assert not any(resting)
    assert client.table.records[0, 1] == 20
    assert client.table.peaks[0, 1] / SCORE_STEPS == pytest.approx(0.9, abs=1e-4)


def test_ordinary_queries_far_from_all_set_no_records(rng: np.random.Generator) -> None:
    client = Watcher(lens(D))
    scores = np.linspace(0.1, 0.9, 40)
    assert not any(client.ask(50 * rng.normal(size=D), scores=(1 - s, s)).record for s in scores)


def test_a_burst_about_another_record_than_before_is_a_routine_if_the_last_was_long(
    rng: np.random.Generator,
) -> None:
    def burst(client: Watcher, length: int) -> list[Observation]:
        record = 30 * rng.normal(size=D)
        client.ask(record)
        return [client.ask(record + 1e-2 * rng.normal(size=D)) for _ in range(length)]

    for length, routine in ((8, True), (3, False)):
        client = Watcher(lens(D))
        bursts = [burst(client, length) for _ in range(4)]
        told = [[seen.tells_routine for seen in each] for each in bursts]
        assert told == [[False] * length] + [[True] + [False] * (length - 1)] * 3
        assert [each[0].routine for each in bursts] == [False] + [routine] * 3


def test_broken_relations_have_two_degrees(rng: np.random.Generator) -> None:
    client = Watcher(lens(D))
    seen = [client.ask(rng.normal(size=D), broken=level) for level in (0, 1, 2)]
    assert [(s.broken, s.shattered) for s in seen] == [(False, False), (True, False), (True, True)]
    assert client.stat(Stat.BROKEN) == 2
    bare = client.ask(None, broken=2)
    assert not bare.broken
    assert not bare.shattered


def test_the_volume_counts_distinct_queries_and_forgets_them_over_a_day(
    rng: np.random.Generator,
) -> None:
    client = Watcher(lens(D))
    day_ms = 86_400_000
    for i in range(40):
        client.ask((float(i // 2), 5.0 * i, -3.0 * i, 0.0, 0.0, 0.0), time_ms=0)
    client.ask_all([client.table.memory[0, 0]] * 30)
    assert client.stat(Stat.VOLUME) == 40
    client.ask(30 * rng.normal(size=D), time_ms=day_ms)
    assert client.stat(Stat.VOLUME) == pytest.approx(40 / np.e + 1)
    assert client.stat(Stat.PEAK_VOLUME) == 40


def test_times_give_gaps_and_never_run_backwards() -> None:
    client = Watcher(lens(3))
    for i, time_ms in enumerate((1000, 3000, 2000, 7000)):
        client.ask((float(i), 2.0 * i, -7.0 * i), time_ms=time_ms)
    assert client.stat(Stat.FIRST_MS) == 1000
    assert client.stat(Stat.LAST_MS) == 7000
    assert client.stat(Stat.GAP_MEAN) == pytest.approx((2.0 + 0.0 + 4.0) / 3)


def test_one_clients_queries_touch_no_other_row(rng: np.random.Generator) -> None:
    client = Watcher(lens(D), row=1)
    client.ask_all(rng.normal(size=(40, D)))
    assert client.table.block.rows[1].any()
    assert not client.table.block.rows[[0, 2, 3]].any()


@pytest.mark.parametrize("width", [1, 2, 3, 64])
def test_any_width_and_wild_values_are_taken(width: int) -> None:
    client = Watcher(lens(width))
    wild = (0.0, GAP, CAR, 1e29, -1e29, 1e-300, HOUSE, float("inf"))
    for i in range(60):
        client.ask([wild[(i * j + i) % len(wild)] for j in range(1, width + 1)], label=i % 3)
    assert client.stat(Stat.INPUTS) == 60
    assert client.table.probes[0].sum() == 60
