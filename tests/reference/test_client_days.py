import numpy as np
import pytest

from detector.reference.client_days import DAY_MS, DAY_WIDTH, QUERIES, follow_day


def told(times: list[int], p_values: list[float]) -> list[float]:
    """What one client's inputs tell, one after the other."""
    state = np.zeros(DAY_WIDTH)
    return [follow_day(state, *item) for item in zip(times, p_values, strict=True)]


def days_of(means: list[float]) -> list[float]:
    return [mean for mean in means if not np.isnan(mean)]


def test_a_day_is_the_mean_of_its_first_inputs_told_with_the_last_of_them() -> None:
    p_values = np.linspace(0.1, 0.9, 3 * QUERIES).tolist()
    means = told([5 * DAY_MS] * len(p_values), p_values)
    assert days_of(means) == [pytest.approx(np.mean(p_values[:QUERIES]))]
    assert not np.isnan(means[QUERIES - 1])


def test_every_day_counts_once_however_much_is_asked() -> None:
    times = [day * DAY_MS + second for day in range(3) for second in range(1000)]
    p_values = [0.2 + 0.1 * (time // DAY_MS) for time in times]
    assert days_of(told(times, p_values)) == pytest.approx([0.2, 0.3, 0.4])


def test_a_day_that_ends_too_soon_tells_nothing() -> None:
    times = [time for day in range(4) for time in [day * DAY_MS] * (QUERIES - 1)]
    assert days_of(told(times, [0.5] * len(times))) == []


def test_the_first_day_of_all_is_a_day() -> None:
    assert days_of(told([0] * QUERIES, [0.25] * QUERIES)) == [0.25]
