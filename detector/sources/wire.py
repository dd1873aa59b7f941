"""How kafka-python's answers come from the socket: each straight into one buffer.

kafka-python takes them in pieces of 4 KiB and copies every byte five more times before it parses
one, which costs more than all that is done with a record later. Here a buffer of the size that the
answer announces receives it, and is parsed where it lies.
"""

import ssl
from collections.abc import Sequence
from typing import Any, NamedTuple

import kafka.errors
from kafka.net.compat import KafkaNetClient
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector
from kafka.protocol.frame import KafkaBytes

_SIZE_BYTES = 4
# The buffer of a larger answer serves the next ones too: fresh memory costs more than a copy.
_LARGE_BYTES = 1 << 16
# One that is larger than any fetch asks for is an exception, and its memory is given back.
_KEPT_BYTES = 1 << 24
_NOT_NOW = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def direct_client(**options: Any) -> KafkaNetClient:
    """Return what kafka-python's option `kafka_client` asks for, reading answers this way."""
    net = NetworkSelector(**options)
    return KafkaNetClient(net, _Manager(net, **options), **options)


class _Manager(KafkaConnectionManager):  # type: ignore[misc] # kafka-python has no types
    """Opens connections that read so."""

    async def _build_transport(self, node: Any, timeout_at: float | None = None) -> Any:
        transport = await super()._build_transport(node, timeout_at)
        transport._sock_recv = Answers(transport).receive
        return transport


class Answers:
    """Takes the place of a transport's receiving, and of its parser's gathering of pieces."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._parser: Any = None
        self._large = bytearray()
        self._size = memoryview(bytearray(_SIZE_BYTES))
        self._answer: _Answer | None = None
        self._filled = 0
        self._complete: list[Any] = []

    def receive(self) -> tuple[bytes, Exception | None]:
        """Receive what is there, and say what ends the connection, if anything does.

        The bytes stay empty: what is complete is handed over by the parser.
        """
        socket = self._transport._sock
        if socket is None:
            # Closed between the word that there is something to read and now.
            return b"", kafka.errors.KafkaConnectionError("closed")
        if self._parser is None:
            self._parser = self._transport.get_protocol().parser
            self._parser.receive_bytes = self._handed_over
        try:
            while count := socket.recv_into(self._room()):
                self._filled += count
                self._finish()
        except _NOT_NOW:
            return b"", None
        except OSError as error:
            return b"", kafka.errors.KafkaConnectionError(error)
        except kafka.errors.KafkaProtocolError as error:
            return b"", error
        return b"", kafka.errors.KafkaConnectionError("socket disconnected")

    def _handed_over(self, _none: bytes) -> Sequence[Any]:
        complete, self._complete = self._complete, []
        return complete

    def _room(self) -> memoryview:
        """Where the next bytes belong: the size first, then the answer, never beyond either."""
        return (self._size if self._answer is None else self._answer.room)[self._filled :]

    def _finish(self) -> None:
        """Go on to the answer when its size is whole, and parse it when it is."""
        if self._answer is None and self._filled == _SIZE_BYTES:
            size = int.from_bytes(self._size, "big", signed=True)
            self._parser._validate_frame_size(size)
            self._answer, self._filled = self._buffer(size), 0
        if self._answer is not None and self._filled == len(self._answer.room):
            unread, self._answer, self._filled = self._answer.unread, None, 0
            self._complete.append(self._parser._process_response(unread))

    def _buffer(self, size: int) -> "_Answer":
        if size < _LARGE_BYTES:
            small = KafkaBytes(size)
            return _Answer(memoryview(small), small)
        buffer = self._large
        if size > len(buffer):
            buffer = bytearray(size)
            if size <= _KEPT_BYTES:
                self._large = buffer
        room = memoryview(buffer)[:size]
        return _Answer(room, _Unread(room))


class _Answer(NamedTuple):
    """The memory of one answer, and the same as kafka-python reads it."""

    room: memoryview
    unread: Any


class _Unread:
    """A large answer to kafka-python's parser, which reads the header, then all of the rest."""

    def __init__(self, answer: memoryview) -> None:
        self._answer = answer
        self._at = 0

    def read(self, size: int | None = None) -> bytes | memoryview:
        """Return so many bytes; or what is left, without a copy."""
        begin = self._at
        self._at = len(self._answer) if size is None else min(begin + size, len(self._answer))
        part = self._answer[begin : self._at]
        return part if size is None else bytes(part)

    def seek(self, at: int) -> None:
        """Go back, as after what cannot be parsed."""
        self._at = at
