"""What all attacks that send artificial points share: their signs, geometry and statements."""

from detector.features.observation import Probe
from detector.scoring.finding import Evidence
from detector.scoring.hypotheses.wording import counted, percent, statement
from detector.scoring.hypothesis import Situation

ARTIFICIAL = frozenset({"structure", "step", "probing", "flip", "burst", "manifold", "climb"})
BY_FIELD = ARTIFICIAL | {"search", "one_field", "turns"}
# Points drawn at random from the box of ranges are .41 apart: one centre is half of that.
ONE_CENTRE = 0.2
SEVERAL_CENTRES = 0.37
ENOUGH = 8.0


def about_one_centre(at: Situation) -> bool:
    """Return whether the conspicuous queries keep to one small region."""
    return at.traits.queries >= ENOUGH and at.traits.spread < ONE_CENTRE


def from_record_to_record(at: Situation) -> bool:
    """Return whether bursts go around one natural record after another.

    Queries are closer to the one before than to older ones, and about natural records.
    """
    t = at.traits
    if t.switches > 0.5 or t.natural < 0.3 or t.records < 2:
        return False
    return (t.ratio < 0.85 and t.spread >= 0.06) or (t.ratio < 0.35 and t.records >= 5)


def steps_by_field(at: Situation) -> bool:
    """Return whether fields are changed one at a time, and none is searched or swept."""
    t = at.traits
    steps = t.steps * t.local
    few = t.searching < 0.09 and t.routine < 0.12
    return (t.steps >= 0.3 and steps >= 0.08) or (t.one_field + steps >= 0.4 and few)


def keeps_to_records(at: Situation) -> bool:
    """Return whether steps go out from natural records, or lead to natural points."""
    return at.traits.natural >= 0.25 or at.traits.strange < 0.5


def estimates_slopes(at: Situation) -> bool:
    """Return whether steps by field serve to move on in all fields at once.

    Evasion by coordinates keeps each step that helps; an estimated slope is followed after a round
    of steps in every field. Without rounds, what tells is whether the steps keep to records.
    """
    if "turns" in at.credible:
        return at.traits.lone + at.traits.local * (1.0 - at.traits.steps) >= 0.02
    return not keeps_to_records(at)


def placed(at: Situation) -> Evidence:
    """Return how the close queries were placed."""
    mirrors = counted(at, Probe.SYMMETRIC)
    lines = counted(at, Probe.COLLINEAR)
    steps = counted(at, Probe.FIXED_STEP, Probe.ONE_FIELD_STEP)
    return statement(
        "structured_probing",
        f"{percent(at.feature('near_share'))} of {at.query} queries probe from close by: "
        f"{mirrors} mirrored, {lines} on a line, {steps} at a fixed or single-field step; "
        f"{percent(at.feature('off_grid_share'))} of all hold values off their natural grids",
        mirrored=mirrors, collinear=lines, fixed_step=steps, queries=at.query,
        off_grid_share=at.feature("off_grid_share"),
    )  # fmt: skip


def extent(at: Situation) -> Evidence:
    """Return how large a region the conspicuous queries span."""
    t = at.traits
    return statement(
        "probed_region",
        f"conspicuous queries are {t.spread:.2f} of the fields' ranges apart (random points .41), "
        f"{t.hop:.2f} from one to the next; {percent(t.same)} keep the label of the one before",
        spread=t.spread, hop=t.hop, same_label=t.same,
    )  # fmt: skip


def flips(at: Situation) -> Evidence:
    """Return how often the label flipped from close by, and around how many records."""
    records = max(at.traits.records, 1)
    return statement(
        "boundary_probing",
        f"{percent(at.feature('near_share'))} of {at.query} queries probe from close by and "
        f"{percent(at.feature('flip_share'))} flip the label, around {records} "
        f"record{'s' if records > 1 else ''}",
        near_share=at.feature("near_share"), flip_share=at.feature("flip_share"),
        records=records, queries=at.query,
    )  # fmt: skip


def strange(at: Situation) -> Evidence:
    """Return the shares of strange inputs against what benign clients show."""
    odd, broken = at.feature("strange_share"), at.feature("broken_share")
    off = at.feature("off_grid_share")
    return statement(
        "off_manifold",
        f"{percent(odd)} of {at.query} queries are stranger than 98% of benign inputs "
        f"(reference 2%); {percent(broken)} break more relations between fields than benign ones "
        f"do; {percent(off)} hold values off their fields' natural grids",
        strange=odd, broken=broken, off_grid=off, queries=at.query,
    )  # fmt: skip
