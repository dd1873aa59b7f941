"""Fuzz the compiled reader: `python -m tests.events.fuzz_flat --inputs 1000000`.

Inputs are mutations of plain JSON events by bytes, splices and numbers; the same seed makes the
same ones. Whatever it takes and the decoder reads otherwise, or not at all, is a disagreement.
"""

import argparse
import json
import random
import re
import struct

from tests.bench.traffic import bodies
from tests.events.corpus.kinds import KINDS
from tests.events.flat_oracle import agree
from tests.events.fuzz import RICH

BATCH, LONGEST = 100, 2000
SEED = 20_260_302
_NUMBER = re.compile(rb"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_MEANT = b'"\\{}[]:,.-+eE0123456789 \t\n\rnultrfasx_\0\x1f\x7f\x80\xff'
_PIECES = (
    b"null", b"true", b"-0", b"0.0", b"1e5", b"00", b".5", b"5.", b"1e", b"1e+", b"NaN", b'""',
    b"1e308", b"1.8e308", b"1e309", b"5e-324", b"2.2250738585072014e-308", b"9007199254740993",
    b"9007199254740993.0", b"18446744073709551616", b"0.1234567890123456789", b"1" * 20, b"[]",
    b"{}", b'"features":[1]', b'"label":"a"', b'"scores":[0.5]', b',"time":1', b"\\u0000",
    b'"status":200', b'"tenant_id":"t",', b'"input":null,', b'"principal"', b"\xc3\xa9",
)  # fmt: skip


def _seeds() -> list[bytes]:
    """Events that are taken, and among them some that are not."""
    plain = {"event_id": "e", "time": 1_772_366_400_000, "client_id": "c", "model_id": "m"}
    outputs = ({"label": "a"}, {"scores": [0.5]}, {"scores": [1, 2.5], "value": 3}, {"label": -7})
    rich = [
        {**plain, "input": {"features": [1, -2.5e-3, None, "a"]}, "output": output, "status": 404}
        for output in outputs
    ]
    rich += [{**event, "time": "2026-02-28T23:59:59.25+01:00"} for event in rich[:2]]
    texts = [json.dumps(event).encode() for event in (plain, *rich)]
    texts += [json.dumps(rich[2], indent=1).encode(), *bodies(2, 4, attackers=0, seed=3)]
    others = [json.dumps(event).encode() for event in RICH]
    others += [kind.value for kind in KINDS if kind.value and len(kind.value) <= LONGEST]
    return [text for other in others for text in (*texts, other)]


SEEDS = _seeds()


def _number(chance: random.Random) -> bytes:
    way = chance.randrange(5)
    if way == 0:
        return repr(struct.unpack("d", chance.randbytes(8))[0]).encode()
    if way == 1:
        digits = chance.randrange(10 ** chance.randint(1, 21))
        return f"{digits}e{chance.randint(-345, 310)}".encode()
    if way == 2:
        return f"{chance.randrange(10**4)}.{chance.randrange(10**19)}".encode()
    if way == 3:
        # Halfway between two doubles.
        return f"{(2 * chance.randrange(2**52, 2**53) + 1) / 2:.1f}".encode()
    return str(chance.randrange(-(2**54), 2**54)).encode()


def mutated(body: bytes, seed: int) -> bytes:
    """Return the body with up to three changes."""
    chance = random.Random(seed)
    for _ in range(chance.randint(0, 3)):
        begin = chance.randint(0, len(body))
        way = chance.randrange(5)
        if way == 0:
            end = begin + chance.choice((0, 1))
            body = body[:begin] + bytes([chance.choice(_MEANT)]) + body[end:]
        elif way == 1:
            body = body[:begin] + body[begin + chance.choice((1, 1, 2, 8)) :]
        elif way == 2:
            end = begin + chance.choice((0, 0, 1, 4))
            body = body[:begin] + chance.choice(_PIECES) + body[end:]
        elif way == 3:
            other = chance.choice(SEEDS)
            body = body[:begin] + other[chance.randint(0, len(other)) :]
        else:
            found = list(_NUMBER.finditer(body))
            if found:
                place = chance.choice(found)
                new = chance.choice((_number(chance), chance.choice(_PIECES)))
                body = body[: place.start()] + new + body[place.end() :]
    return body


def main() -> None:
    """Run, print a line of figures; a disagreement ends it with its body."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=SEED)
    said = parser.parse_args()
    taken = 0
    for begin in range(0, said.inputs, BATCH):
        numbers = range(begin, min(begin + BATCH, said.inputs))
        seed = SEEDS[begin // BATCH % len(SEEDS)]
        texts = [mutated(seed, said.seed + number) for number in numbers]
        taken += int(agree(texts).taken.sum())
    print(f"{said.inputs:,} inputs: {taken:,} taken, all as the decoder has them")


if __name__ == "__main__":
    main()
