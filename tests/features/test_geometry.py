import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.events.batch import category_code
from detector.features import geometry
from detector.features.geometry import (
    project,
    stride,
)

GAP = float("nan")
CAR, HOUSE = category_code("car"), category_code("house")


def row(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def compare(a: np.ndarray, b: np.ndarray, limit: float = np.inf) -> tuple[int, int, float]:
    """Compare to the end."""
    changed, last, square = geometry.compare(a, b, limit)
    return changed, last, square


def on_line(x: np.ndarray, a: np.ndarray, b: np.ndarray, rounded: float = 0.0) -> float:
    """Ask for lines of three numbers or more."""
    return float(geometry.on_line(x, a, b, rounded, 3))


def same_center(
    *pairs: np.ndarray, span: float = 100.0, rounded: float = 0.0, least: int = 3
) -> bool:
    """Ask for pairs of three numbers or more."""
    return bool(geometry.same_center(*pairs, np.full(len(pairs[0]), span), rounded, least))


class TestCompare:
    def test_equal_rows_with_gaps_and_categories_differ_nowhere(self) -> None:
        a = row(1.0, GAP, CAR)
        assert compare(a, a.copy()) == (0, -1, 0.0)

    def test_counts_the_changed_fields_and_names_the_last(self) -> None:
        changed, last, square = compare(row(0.0, 0.5, 2.0), row(0.0, 0.25, 1.75))
        assert (changed, last) == (2, 2)
        assert square == pytest.approx(2 * 0.25**2)

    @pytest.mark.parametrize(
        ("x", "y"), [(GAP, 1.0), (1.0, GAP), (CAR, HOUSE), (CAR, 1.0), (CAR, GAP), (-50.0, 50.0)]
    )
    def test_no_field_weighs_more_than_one(self, x: float, y: float) -> None:
        assert compare(row(3.0, x), row(3.0, y)) == (1, 1, 1.0)

    @given(st.lists(st.floats(-5, 5, width=32), min_size=6, max_size=6))
    @settings(max_examples=50, deadline=None)
    def test_is_symmetric(self, values: list[float]) -> None:
        a, b = row(*values[:3]), row(*values[3:])
        assert compare(a, b) == compare(b, a)

    def test_breaks_off_when_it_is_too_far_but_never_before_two_fields(self) -> None:
        a, b = np.zeros(6, dtype=np.float32), np.ones(6, dtype=np.float32)
        assert compare(a, b, 2.5)[0] == 3
        assert compare(a, b, 0.0)[0] == 2
        assert compare(a, row(0, 0, 0, 0, 0, 1), 0.0) == (1, 5, 1.0)


class TestStride:
    span = np.full(4, 2.0)

    def test_is_the_root_mean_square_step_in_shares_of_the_ranges(self) -> None:
        assert stride(row(0, 0, 0, 0), row(1, 1, 1, 1), self.span) == pytest.approx(0.5)
        assert stride(row(0, 0, 0, 0), row(1, 0, 0, 0), self.span) == pytest.approx(0.25)

    def test_no_field_counts_more_than_its_range(self) -> None:
        assert stride(row(0, 0, 0, 0), row(50, 0, 0, 0), self.span) == pytest.approx(0.5)

    def test_categories_and_gaps_are_left_out(self) -> None:
        assert stride(row(0, CAR, GAP, 1), row(1, HOUSE, 0, 1), self.span) == pytest.approx(
            0.5 / np.sqrt(2)
        )
        assert stride(row(CAR, CAR, GAP, GAP), row(CAR, HOUSE, 0, 1), self.span) == 0.0

    def test_random_points_of_the_ranges_are_41_hundredths_apart(self) -> None:
        a, b = 2.0 * np.random.default_rng(0).random((2, 4000, 20))
        strides = [stride(*pair, np.full(20, 2.0)) for pair in zip(a, b, strict=True)]
        assert np.mean(strides) == pytest.approx(1 / np.sqrt(6), abs=0.01)


class TestOnLine:
    rng = np.random.default_rng(7)
    a = rng.normal(size=8)
    b = rng.normal(size=8)

    def at(self, share: float) -> float:
        """Return t of the point that far from a towards b."""
        x = self.a + share * (self.b - self.a)
        return float(on_line(row(*x), row(*self.a), row(*self.b)))

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
    def test_between_two_points_t_is_negative(self, share: float) -> None:
        assert self.at(share) == pytest.approx(share / (share - 1.0), rel=1e-2)

    def test_a_mirror_image_has_t_two_or_a_half(self) -> None:
        assert self.at(2.0) == pytest.approx(2.0, abs=1e-3)
        assert self.at(-1.0) == pytest.approx(0.5, abs=1e-3)

    @pytest.mark.parametrize("share", [-0.5, 1.4, 3.0])
    def test_beyond_the_ends_t_is_positive(self, share: float) -> None:
        assert self.at(share) == pytest.approx(share / (share - 1.0), rel=1e-2)

    def test_a_point_beside_the_line_is_not_on_it(self) -> None:
        x = 0.5 * (self.a + self.b) + 0.05 * self.rng.normal(size=8)
        assert np.isnan(on_line(row(*x), row(*self.a), row(*self.b)))

    def test_an_end_of_the_line_is_not_on_it(self) -> None:
        assert np.isnan(self.at(0.0))
        assert np.isnan(self.at(1.0))

    def test_two_fields_of_many_are_too_few_for_a_line(self) -> None:
        a, b = np.zeros(8), np.zeros(8)
        b[:2] = 1.0
        assert np.isnan(on_line(row(*(0.5 * (a + b))), row(*a), row(*b)))

    @pytest.mark.parametrize("width", [1, 2])
    def test_rows_of_one_changing_field_are_on_no_line(self, width: int) -> None:
        a, b, x = np.zeros(width), np.zeros(width), np.zeros(width)
        b[0], x[0] = 1.0, 0.3
        assert np.isnan(on_line(row(*x), row(*a), row(*b)))

    def test_categories_and_gaps_must_agree(self) -> None:
        a, b = [*self.a, CAR, GAP], [*self.b, CAR, GAP]
        x = 0.3 * self.a + 0.7 * self.b
        assert on_line(row(*x, CAR, GAP), row(*a), row(*b)) < 0
        assert np.isnan(on_line(row(*x, HOUSE, GAP), row(*a), row(*b)))
        assert np.isnan(on_line(row(*x, CAR, 0.0), row(*a), row(*b)))

    def test_rounded_points_of_a_long_line_are_on_it(self) -> None:
        rounded = 1e-4
        x, a, b = (np.round(v, 4) for v in (0.3 * self.a + 0.7 * self.b, self.a, self.b))
        assert on_line(row(*x), row(*a), row(*b), rounded) < 0

    def test_steps_of_a_few_roundings_have_no_direction(self) -> None:
        a, b = np.zeros(8), np.full(8, 2.0)
        assert on_line(row(*(0.5 * b)), row(*a), row(*b)) < 0
        assert np.isnan(on_line(row(*(0.5 * b)), row(*a), row(*b), 0.5))

    def test_three_random_points_hardly_ever_share_a_line(self) -> None:
        rng = np.random.default_rng(0)
        triples = rng.normal(size=(2000, 3, 6)).astype(np.float32)
        assert all(np.isnan(on_line(x, a, b)) for x, a, b in triples)


class TestSameCenter:
    rng = np.random.default_rng(3)
    center = rng.normal(size=6)
    u, v = rng.normal(size=(2, 6))

    def pairs(self, off: np.ndarray) -> tuple[np.ndarray, ...]:
        c, u, v = self.center, self.u, self.v
        return row(*(c + u)), row(*(c - u)), row(*(c + v)), row(*(c - v + off))

    def test_pairs_about_one_centre_are_found(self) -> None:
        assert same_center(*self.pairs(np.zeros(6)))

    def test_one_clipped_field_of_six_is_forgiven(self) -> None:
        off = np.zeros(6)
        off[2] = 0.7
        assert same_center(*self.pairs(off))

    def test_other_centres_are_not(self) -> None:
        assert not same_center(*self.pairs(np.full(6, 0.1)))

    @pytest.mark.parametrize(("width", "least", "most"), [(128, 40, 50), (8, 0, 5)])
    def test_pairs_on_a_sphere_have_one_centre_where_inputs_are_wide(
        self, width: int, least: int, most: int
    ) -> None:
        rng = np.random.default_rng(8)
        center = rng.normal(size=width)
        found = []
        for _ in range(50):
            u, v = 0.05 * rng.normal(size=(2, width))
            points = [center + u, center - u, center + v, center - v]
            found.append(same_center(*(row(*(p / np.linalg.norm(p))) for p in points)))
        assert least <= sum(found) <= most

    def test_pairs_of_unrelated_points_have_none_however_wide(self) -> None:
        rng = np.random.default_rng(9)
        assert not any(
            same_center(*(row(*p) for p in rng.normal(size=(4, 64)))) for _ in range(500)
        )

    def test_flags_that_both_pairs_cross_say_nothing(self) -> None:
        one = (1.0, 0.0, 1.0, 0.0, 0.3, 0.2), (1.0, 0.0, 1.0, 0.0, 0.1, 0.7)
        other = (0.0, 1.0, 0.0, 1.0, 0.9, 0.4), (0.0, 1.0, 0.0, 1.0, 0.5, 0.8)
        pairs = row(*one[0]), row(*other[0]), row(*one[1]), row(*other[1])
        assert same_center(*pairs)
        assert not same_center(*pairs, span=1.0)

    def test_two_fields_are_too_few(self) -> None:
        x, y = row(1.0, 1.0, 0.0), row(-1.0, -1.0, 0.0)
        assert not same_center(x, y, row(2.0, 0.5, 0.0), row(-2.0, -0.5, 0.0))


@given(st.lists(st.floats(-3, 3, width=32), min_size=10, max_size=10), st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_projections_keep_points_of_a_line_on_a_line(values: list[float], share: float) -> None:
    a, b = np.array(values[:5]), np.array(values[5:])
    ends = np.array([project(a), project(b)])
    middle = project(share * a + (1 - share) * b)
    np.testing.assert_allclose(middle, share * ends[0] + (1 - share) * ends[1], atol=1e-9)


def test_projections_pass_over_gaps_and_categories() -> None:
    assert project(row(1.0, GAP, CAR, 2.0)) == project(row(1.0, 0.0, 0.0, 2.0))
