"""Harvesting: as many answers as the API will give, about ordinary records.

MITRE ATLAS AML.T0034.000 (Excessive Queries). No query differs from ordinary use and none is asked
twice; the volume is the attack.
"""

from detector.evaluation.attacks.attack import Attacker, distinct


def harvest(attacker: Attacker) -> None:
    """Ask once for every record of the attacker's own."""
    attacker.oracle.ask(distinct(attacker.oracle.target.as_sent(attacker.natural)))
