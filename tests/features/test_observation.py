from dataclasses import dataclass

from detector.features.observation import (
    CODES,
    FLAGS,
    ONE_FIELD_CHANGES,
    PERTURBATIONS,
    STRUCTURED,
    Observation,
    Probe,
    decode,
)


@dataclass
class Packer:
    """Packs as the kernel does, bit after bit."""

    code: int

    def push(self, bit: bool) -> None:
        self.code = self.code * 2 + int(bit)


def pack(seen: Observation) -> int:
    packer = Packer(seen.probe)
    for bit in seen[1:]:
        packer.push(bool(bit))
    return packer.code


def test_every_code_means_another_observation_and_packs_to_itself() -> None:
    seen = [decode(code) for code in range(CODES)]
    assert len(set(seen)) == CODES
    assert [pack(observation) for observation in seen] == list(range(CODES))


def test_each_bit_stands_for_its_own_flag() -> None:
    for place, name in enumerate(Observation._fields[1:]):
        flags = decode((int(Probe.FAR) << FLAGS) + (1 << (FLAGS - 1) >> place))
        assert flags.probe is Probe.FAR
        assert [n for n in Observation._fields[1:] if getattr(flags, n)] == [name]


def test_groups_of_probes_do_not_overlap_where_they_must_not() -> None:
    assert {Probe.EQUAL_STEP} == STRUCTURED - PERTURBATIONS
    assert {Probe.NEAR} == PERTURBATIONS - STRUCTURED
    assert frozenset({Probe.ONE_FIELD_STEP}) == ONE_FIELD_CHANGES & PERTURBATIONS
    assert not {Probe.FIRST, Probe.REPEAT, Probe.FAR} & (PERTURBATIONS | ONE_FIELD_CHANGES)
