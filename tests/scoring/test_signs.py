"""What each sign sees in one query, and what it must know of the log to see it."""

import pickle

import pytest

from detector.features.observation import CODES, FLAGS, Observation, Probe, decode
from detector.scoring.evidence import MAX_STAGES
from detector.scoring.hypotheses import ALL
from detector.scoring.hypothesis import Need
from detector.scoring.signs import SIGNS, SKIP, Sign

OBSERVATIONS = [decode(code) for code in range(CODES)]
STAGED = [sign for sign in SIGNS if sign.stages]
BY_NAME = {sign.name: sign for sign in SIGNS}
EACH = pytest.mark.parametrize("sign", SIGNS, ids=lambda sign: sign.name)
EACH_STAGED = pytest.mark.parametrize("sign", STAGED, ids=lambda sign: sign.name)
# What the kernel cannot see of a model that has no reference.
CALIBRATED_PROBES = {Probe.NEAR, Probe.FIXED_STEP, Probe.EQUAL_STEP}
CALIBRATED_FLAGS = (
    "strange",
    "broken",
    "shattered",
    "off_grid",
    "scattered",
    "remote",
    "low_margin",
    "aligned",
)


def with_flags(observation: Observation, *flags: str) -> Observation:
    """The same observation with these flags as well."""
    return Observation(**observation._asdict() | dict.fromkeys(flags, True))


def seen(probe: Probe, *flags: str) -> Observation:
    """An observation with these flags alone."""
    return with_flags(decode(probe << FLAGS), *flags)


def depends_on(sign: Sign, flag: str) -> bool:
    """Whether the level ever changes with this flag alone."""
    return any(
        sign.level(item) != sign.level(with_flags(item, flag))
        for item in OBSERVATIONS
        if not getattr(item, flag)
    )


LEVELS = [
    ("off_grid", seen(Probe.REPEAT, "off_grid"), SKIP),
    ("off_grid", seen(Probe.FAR, "off_grid"), 0),
    ("off_grid", seen(Probe.FAR, "off_grid", "broken"), 1),
    ("off_grid", seen(Probe.FAR, "scattered", "shattered", "broken"), 0),
    ("off_grid", seen(Probe.NEAR, "strange", "broken"), 0),
    ("off_grid", seen(Probe.NEAR, "off_grid"), 1),
    ("off_grid", seen(Probe.COLLINEAR, "off_grid"), 1),
    ("off_grid", seen(Probe.ONE_FIELD, "off_grid"), 1),
    ("off_grid", seen(Probe.EQUAL_STEP, "off_grid"), 0),
    ("search", seen(Probe.ONE_FIELD), 0),
    ("search", seen(Probe.ONE_FIELD_SEARCH), 1),
    ("search", seen(Probe.ONE_FIELD_SEARCH, "tells_routine", "routine"), 0),
    ("search", seen(Probe.ONE_FIELD_CHOICE), SKIP),
    ("search", seen(Probe.ONE_FIELD_STEP), SKIP),
    ("search", seen(Probe.FAR), SKIP),
    ("one_field", seen(Probe.FAR), 0),
    ("one_field", seen(Probe.ONE_FIELD), 1),
    ("one_field", seen(Probe.ONE_FIELD_CHOICE), 1),
    ("one_field", seen(Probe.ONE_FIELD_SEARCH), 2),
    ("one_field", seen(Probe.REPEAT), SKIP),
    ("sweep", seen(Probe.ONE_FIELD, "tells_routine"), 0),
    ("sweep", seen(Probe.ONE_FIELD, "tells_routine", "routine"), 1),
    ("sweep", seen(Probe.FAR, "tells_routine"), 0),
    ("sweep", seen(Probe.ONE_FIELD), SKIP),
    ("sweep", seen(Probe.NEAR, "tells_routine", "routine"), SKIP),
    ("step", seen(Probe.ONE_FIELD), 0),
    ("step", seen(Probe.ONE_FIELD_STEP), 1),
    ("step", seen(Probe.NEAR), SKIP),
    ("cross", seen(Probe.ONE_FIELD), 0),
    ("cross", seen(Probe.ONE_FIELD, "aligned"), 1),
    ("cross", seen(Probe.FAR, "aligned"), SKIP),
    ("structure", seen(Probe.FAR), 0),
    ("structure", seen(Probe.FAR, "aligned"), 1),
    ("structure", seen(Probe.ONE_FIELD, "aligned"), 0),
    ("structure", seen(Probe.COLLINEAR), 1),
    ("structure", seen(Probe.SYMMETRIC), 1),
    ("structure", seen(Probe.EQUAL_STEP), 1),
    ("structure", seen(Probe.REPEAT), SKIP),
    ("probing", seen(Probe.NEAR), 0),
    ("probing", seen(Probe.NEAR, "off_grid"), 1),
    ("probing", seen(Probe.NEAR, "broken", "shattered"), 0),
    ("probing", seen(Probe.ONE_FIELD), 0),
    ("probing", seen(Probe.ONE_FIELD, "off_grid"), 1),
    ("probing", seen(Probe.FIXED_STEP), 1),
    ("probing", seen(Probe.FAR, "off_grid"), SKIP),
    ("flip", seen(Probe.NEAR), 0),
    ("flip", seen(Probe.NEAR, "flip"), 1),
    ("flip", seen(Probe.NEAR, "flip", "off_grid"), 2),
    ("flip", seen(Probe.COLLINEAR, "flip"), 2),
    ("flip", seen(Probe.FAR, "flip"), SKIP),
    ("flip", seen(Probe.ONE_FIELD_STEP, "flip"), SKIP),
    ("burst", seen(Probe.NEAR, "tells_routine"), 0),
    ("burst", seen(Probe.NEAR, "tells_routine", "routine"), 1),
    ("burst", seen(Probe.NEAR), SKIP),
    ("burst", seen(Probe.ONE_FIELD, "tells_routine", "routine"), SKIP),
    ("manifold", seen(Probe.FAR), 0),
    ("manifold", seen(Probe.FAR, "strange"), 0),
    ("manifold", seen(Probe.FAR, "broken"), 1),
    ("manifold", seen(Probe.FAR, "broken", "off_grid"), 2),
    ("manifold", seen(Probe.FAR, "broken", "scattered"), 1),
    ("manifold", seen(Probe.FAR, "broken", "scattered", "remote"), 2),
    ("manifold", seen(Probe.FAR, "broken", "shattered"), 1),
    ("manifold", seen(Probe.REPEAT, "broken"), SKIP),
    ("margin", seen(Probe.FAR), 0),
    ("margin", seen(Probe.FAR, "low_margin"), 1),
    ("margin", seen(Probe.FAR, "low_margin", "strange"), SKIP),
    ("margin", seen(Probe.NEAR, "low_margin"), SKIP),
    ("climb", seen(Probe.SYMMETRIC), 0),
    ("climb", seen(Probe.SYMMETRIC, "record"), 1),
    ("relations", seen(Probe.FAR, "strange", "scattered"), 0),
    ("relations", seen(Probe.FAR, "broken"), 1),
    ("relations", seen(Probe.EQUAL_STEP, "broken", "shattered"), 2),
    ("relations", seen(Probe.NEAR, "broken"), SKIP),
    ("relations", seen(Probe.ONE_FIELD, "broken"), SKIP),
    ("relations", seen(Probe.REPEAT, "broken"), SKIP),
    ("scatter", seen(Probe.FAR, "strange", "broken"), 0),
    ("scatter", seen(Probe.FAR, "scattered"), 1),
    ("scatter", seen(Probe.EQUAL_STEP, "scattered"), 1),
    ("scatter", seen(Probe.NEAR, "scattered"), SKIP),
    ("scatter", seen(Probe.ONE_FIELD, "scattered"), SKIP),
    ("scatter", seen(Probe.REPEAT, "scattered"), SKIP),
    ("climb", seen(Probe.FAR, "off_grid", "record"), 1),
    ("climb", seen(Probe.FAR, "record"), SKIP),
]


@pytest.mark.parametrize(("name", "observation", "level"), LEVELS)
def test_what_a_sign_sees_in_a_query(name: str, observation: Observation, level: int) -> None:
    assert BY_NAME[name].level(observation) == level


def test_every_sign_has_its_own_name_and_carries_a_hypothesis() -> None:
    assert len(BY_NAME) == len(SIGNS)
    assert frozenset.union(*(item.signs for item in ALL)) == BY_NAME.keys()


@EACH
def test_levels_reach_each_stage_and_never_beyond(sign: Sign) -> None:
    levels = {sign.level(item) for item in OBSERVATIONS} - {SKIP}
    assert levels == (set(range(len(sign.stages) + 1)) if sign.stages else set())


@EACH
@pytest.mark.parametrize("probe", [Probe.FIRST, Probe.REPEAT, Probe.FAR])
def test_an_ordinary_query_is_nothing(sign: Sign, probe: Probe) -> None:
    assert sign.level(seen(probe)) <= 0


@EACH_STAGED
def test_stages_are_sound(sign: Sign) -> None:
    assert 1 <= len(sign.stages) <= MAX_STAGES
    for stage in sign.stages:
        assert 0 < stage.benign < stage.attack < 1
        assert 0 < stage.floor < 1
        assert stage.benign_strength > 0
        assert stage.attack_strength > 0


@EACH_STAGED
def test_needs_cover_what_levels_read(sign: Sign) -> None:
    assert Need.INPUT in sign.needs
    if depends_on(sign, "flip"):
        assert Need.LABEL in sign.needs
    if depends_on(sign, "low_margin") or depends_on(sign, "record"):
        assert Need.SCORES in sign.needs


@EACH_STAGED
def test_all_stages_are_in_reach_without_a_reference_unless_one_is_needed(sign: Sign) -> None:
    uncalibrated = [
        item
        for item in OBSERVATIONS
        if item.probe not in CALIBRATED_PROBES
        and not any(getattr(item, flag) for flag in CALIBRATED_FLAGS)
    ]
    reached = max(sign.level(item) for item in uncalibrated)
    assert reached == len(sign.stages) or Need.REFERENCE in sign.needs


@EACH_STAGED
def test_levels_are_the_same_every_time(sign: Sign) -> None:
    again: Sign = pickle.loads(pickle.dumps(STAGED))[STAGED.index(sign)]  # noqa: S301 - our own
    for item in OBSERVATIONS[::7]:
        assert again.level(item) == sign.level(item) == sign.level(item)
