"""Counting fields that the canonical event does not know, so that a misspelt one is noticed."""

from collections import Counter
from collections.abc import Callable

import msgspec

from detector.events.model import Input, Output, PredictionEvent

MAX_NAMES = 64
OTHER = "other"

# How an object begins in JSON, and a map in MessagePack.
_MAPS = (b"{", *(bytes([first]) for first in (*range(0x80, 0x90), 0xDE, 0xDF)))

Keys = Callable[[bytes], dict[str, msgspec.Raw]]
Encode = Callable[[object], bytes]

_json: tuple[Keys, Encode] = (
    msgspec.json.Decoder(dict[str, msgspec.Raw]).decode, msgspec.json.encode,
)  # fmt: skip
_packed: tuple[Keys, Encode] = (
    msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode, msgspec.msgpack.encode,
)  # fmt: skip


def _names(struct: type[msgspec.Struct]) -> frozenset[str]:
    return frozenset(field.encode_name for field in msgspec.structs.fields(struct))


_EVENT, _INPUT, _OUTPUT = _names(PredictionEvent), _names(Input), _names(Output)


class UnknownFields:
    """Counts by path; at most `MAX_NAMES` paths, the rest together under `OTHER`."""

    def __init__(self) -> None:
        """Start with no counts."""
        self._counts: Counter[str] = Counter()

    def strip(self, body: bytes) -> bytes:
        """Return the JSON object `body` without its unknown fields, which are counted.

        Raises what msgspec raises when `body` is not a JSON object.
        """
        return self._strip(body, *_json)

    def strip_packed(self, body: bytes) -> bytes:
        """Do the same for a MessagePack map."""
        return self._strip(body, *_packed)

    def _strip(self, body: bytes, keys: Keys, encode: Encode) -> bytes:
        top = keys(body)
        self._drop(top, _EVENT, "$.")
        for name, known in (("input", _INPUT), ("output", _OUTPUT)):
            inner = bytes(top.get(name, b""))
            if inner.startswith(_MAPS):
                fields = keys(inner)
                if self._drop(fields, known, f"$.{name}."):
                    top[name] = msgspec.Raw(encode(fields))
        return encode(top)

    def counts(self) -> Counter[str]:
        """Return a copy of the counts so far."""
        return self._counts.copy()

    def restore(self, counts: Counter[str]) -> None:
        """Go back to counts taken before: what was read since is read again."""
        self._counts = counts

    def drain(self) -> dict[str, int]:
        """Return the counts so far and start again at nothing."""
        counts, self._counts = dict(self._counts), Counter()
        return counts

    def _drop(self, fields: dict[str, msgspec.Raw], known: frozenset[str], prefix: str) -> bool:
        unknown = fields.keys() - known
        for name in sorted(unknown):
            del fields[name]
            path = f"{prefix}{name:.64}"
            if path not in self._counts and len(self._counts) >= MAX_NAMES:
                path = OTHER
            self._counts[path] += 1
        return bool(unknown)
