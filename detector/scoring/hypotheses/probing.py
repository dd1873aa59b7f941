"""What all attacks that send artificial points share: their signs, geometry and statements."""

from detector.features.observation import Probe
from detector.scoring.finding import Evidence
from detector.scoring.hypotheses.wording import counted, percent, statement
from detector.scoring.hypothesis import Situation

ARTIFICIAL = frozenset(
    {
        "structure", "step", "cross", "probing", "flip", "burst", "manifold", "relations",
        "scatter", "off_grid", "climb",
    }
)  # fmt: skip
BY_FIELD = ARTIFICIAL | {"search", "one_field", "turns"}
# Points drawn at random from the box of ranges are .41 apart: one region is half of that.
AS_RANDOM, ONE_REGION = 0.4, 0.24
# So close to a record, they are about it; farther than random points are apart, it is out of sight;
# from .75 on, most of them have none at all.
CLOSE_HOME, IN_SIGHT, MOSTLY_HOMELESS = 0.16, 0.45, 0.75
# Around a record they are .7 times as far from it as from each other (a cloud) to 1.5 times (a
# shell, a path); what moved on is farther. Steps by field make paths, so they are told earlier.
AWAY, MOVED_ON = 1.8, 1.5
# With more, ordinary queries come between, and what is nearest may be so by chance.
FEW_HOMES = 4
# Evaders spend hundreds of queries on a record, membership inference tens (published budgets go up
# to thousands, but over tens of records at least): one in so many is about another one.
ON_A_RECORD, MANY_HOMES = 150.0, 7
# Who begins so many searches right behind a record of its own wants to know all of their distances.
MANY_VISITS = 6
# Who asks about points as far apart as this and still goes from record to record changes few fields
# of each by all of their ranges.
FAR_CHANGES = 0.3
# Membership inference has not done with a record after six queries: evaders wander between some.
HURRIED = 0.17
SCATTERED_LONE = 0.85
# Who halves the way from a record to the other side is far from it, and still in its sight.
BISECTS, BISECTED = 0.15, 0.6
ENOUGH = 8.0
GENERATED = 0.2
SEARCHED = 0.12


def in_one_region(at: Situation) -> bool:
    """Return whether the conspicuous queries keep to one small region."""
    return at.traits.queries >= ENOUGH and at.traits.spread < ONE_REGION


def walks_beyond(at: Situation) -> bool:
    """Return whether a small region away from one record is probed, where labels are others."""
    t = at.traits
    away = MOSTLY_HOMELESS > t.home >= AWAY * t.spread and t.homes <= 2
    # On the other side a class holds for long as well; that it is searched shows in flips. A walk
    # goes by small steps, where draws about a centre are far from each other.
    return away and t.local >= 0.1 and t.beyond >= 0.3 and (t.same < 0.95 or t.flips >= 0.06)


def about_a_record(at: Situation) -> bool:
    """Return whether the conspicuous queries go about an ordinary record.

    They do where it is close, or where it is no farther away than they are from each other; and
    those that walk along the boundary are about a record on its other side.
    """
    t = at.traits
    if t.moves >= 0.15:
        return False
    if t.homes > FEW_HOMES:
        return t.natural >= 0.25
    return walks_beyond(at) or (t.home < MOSTLY_HOMELESS and (t.home < CLOSE_HOME or t.away < AWAY))


def went_out_from_a_record(at: Situation) -> bool:
    """Return whether a record was probed, and such a home is still in sight.

    Who inverts a class makes up where to begin; of ordinary queries in between some are homes by
    chance, but far away.
    """
    return at.traits.homes > 0 and at.traits.home < IN_SIGHT


def drifts_from_a_record(at: Situation) -> bool:
    """Return whether close queries in one small region have left the record they went out from."""
    few = at.traits.homes <= FEW_HOMES and at.traits.lone < SCATTERED_LONE
    return in_one_region(at) and few and went_out_from_a_record(at)


def keeps_one_class(at: Situation) -> bool:
    """Return whether the answers stay with one class, more often than not."""
    return at.traits.same >= 0.5


def drawn_at_random(at: Situation) -> bool:
    """Return whether they are independent draws that no record has to do with."""
    t = at.traits
    return t.homes == 0 and t.lone >= SCATTERED_LONE and t.ratio >= 0.96


def makes_lines(at: Situation) -> bool:
    """Return whether some stand on lines, as draws and generated points do not."""
    return at.traits.lined >= 0.0125


def drawn_around(at: Situation) -> bool:
    """Return whether they are drawn independently around one centre, each far from the others."""
    t = at.traits
    one = t.homes <= 2 and not walks_beyond(at) and not drawn_at_random(at) and not makes_lines(at)
    return one and t.lone >= SCATTERED_LONE and t.ratio >= 0.62 and keeps_one_class(at)


def generated(at: Situation) -> bool:
    """Return whether the conspicuous queries are points of one low-dimensional space.

    Pairs about points far from each other stand in the span of those points, too.
    """
    t = at.traits
    pairs = t.paired >= 0.05 and t.hop >= 0.3
    return t.queries >= ENOUGH and t.spanned >= GENERATED and not pairs


def visits_records(at: Situation) -> bool:
    """Return whether one record after another is the home of many queries in a row.

    Of many records, or of few that are soon left for the next: who stays longer is about each.
    """
    t = at.traits
    goes_on = t.homes >= MANY_HOMES or t.moves >= 1.0 / ON_A_RECORD
    bisects = t.lined >= BISECTS
    reach = BISECTED if bisects else IN_SIGHT
    stays = t.homes >= 3 and t.home < reach and t.spread < reach and t.ratio < 0.9
    in_turn = t.switches <= 0.8 or t.local < 0.02
    about = t.away < 0.75 or (t.away < 1.1 and t.moves < 0.12) or (bisects and t.away < 1.6)
    return goes_on and stays and in_turn and about


def evades_in_turn(at: Situation) -> bool:
    """Return whether record after record is changed field by field, by far, or in a hurry."""
    t = at.traits
    stepped = t.steps >= 0.3 and t.stepped >= 0.12
    return visits_records(at) and (t.moves >= HURRIED or stepped or t.hop >= FAR_CHANGES)


def from_record_to_record(at: Situation) -> bool:
    """Return whether one record after another is asked about for its membership."""
    return visits_records(at) and not evades_in_turn(at)


def asks_and_searches(at: Situation) -> bool:
    """Return whether record after record is asked, and the boundary searched right behind it.

    Ordinary queries in between, of a client that does its work beside, do not begin a search.
    """
    t = at.traits
    in_turn = t.visits >= MANY_VISITS and 2 * t.visits >= t.asked
    return in_turn and t.flips >= 0.15 and not estimates_slopes(at)


def estimates_slopes(at: Situation) -> bool:
    """Return whether mirrored pairs around a moving point estimate the slope of a score."""
    t = at.traits
    return t.mirrored >= 4 and t.paired >= 0.03 and t.lines < 0.3


def steps_by_field(at: Situation) -> bool:
    """Return whether fields are changed one at a time, and none is searched or swept."""
    t = at.traits
    few = t.searching < SEARCHED and t.routine < 0.12
    stepped = (t.steps >= 0.3 and t.stepped >= 0.08) or (t.one_field + t.stepped >= 0.4 and few)
    return stepped or "cross" in at.credible


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
    records = max(at.traits.homes, 1)
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
