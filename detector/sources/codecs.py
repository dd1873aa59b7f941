"""The four codecs of Kafka's record batches, decompressed no further than a limit."""

import io
import zlib
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Any

import cramjam
import lz4.frame
import zstandard

_PIECE = 1 << 20
_GZIP_WINDOW = 31
# zstd's level 22 names this window however small the data are; only what is filled takes memory.
_ZSTD_WINDOW = 1 << 27
_XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_HEADER = 16


_DAMAGE = (
    EOFError,
    RuntimeError,
    ValueError,
    cramjam.DecompressionError,
    zlib.error,
    zstandard.ZstdError,
)


class Codec(IntEnum):
    """How a batch is compressed, as its attributes say it."""

    NONE = 0
    GZIP = 1
    SNAPPY = 2
    LZ4 = 3
    ZSTD = 4


class TooLargeError(Exception):
    """The data would expand beyond the limit."""


class UndecodableError(Exception):
    """The data are not what the codec writes; the message says why."""


def decompress(codec: Codec, data: memoryview, limit: int) -> bytes:
    """Return the plain bytes, at most `limit`; little more than that is ever held.

    Raises:
        TooLargeError: when there would be more.
        UndecodableError: when the data are damaged, cut off or not of that codec.
    """
    pieces, left = [], limit
    try:
        for piece in _PIECES[codec](data, limit):
            left -= len(piece)
            if left < 0:
                raise TooLargeError
            pieces.append(piece)
    except _DAMAGE as error:
        raise UndecodableError(str(error) or error.__class__.__name__) from error
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _gzip(data: memoryview, _limit: int) -> Iterator[bytes]:
    rest: Any = data
    while rest:
        member = zlib.decompressobj(_GZIP_WINDOW)
        while not member.eof:
            piece = member.decompress(rest, _PIECE)
            rest = member.unconsumed_tail
            if not piece and not rest and not member.eof:
                raise EOFError("the data end within a gzip member")
            yield piece
        rest = member.unused_data


def _lz4(data: memoryview, _limit: int) -> Iterator[bytes]:
    rest: Any = data
    while rest:
        frame = lz4.frame.LZ4FrameDecompressor()
        piece = frame.decompress(rest, max_length=_PIECE)
        while not frame.eof:
            if frame.needs_input:
                raise EOFError("the data end within an lz4 frame")
            yield piece
            piece = frame.decompress(b"", max_length=_PIECE)
        yield piece
        rest = frame.unused_data


def _zstd(data: memoryview, limit: int) -> Iterator[bytes]:
    if zstandard.frame_content_size(data) > limit:
        raise TooLargeError
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    with decompressor.stream_reader(io.BytesIO(data), read_across_frames=True) as reader:
        while piece := reader.read(_PIECE):
            yield piece


def _snappy(data: memoryview, limit: int) -> Iterator[bytes]:
    if bytes(data[: len(_XERIAL_MAGIC)]) != _XERIAL_MAGIC:
        yield _snappy_block(data, limit)
        return
    at = _XERIAL_HEADER
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        block = data[at + 4 : at + 4 + size]
        if len(block) != size:
            raise EOFError("the data end within a snappy block")
        plain = _snappy_block(block, limit)
        yield plain
        limit -= len(plain)
        at += 4 + size


def _snappy_block(block: memoryview, limit: int) -> bytes:
    """One block; its own header says how large it becomes, before anything is allocated."""
    if cramjam.snappy.decompress_raw_len(block) > limit:
        raise TooLargeError
    return bytes(cramjam.snappy.decompress_raw(block))


_PIECES: dict[Codec, Callable[[memoryview, int], Iterator[bytes]]] = {
    Codec.GZIP: _gzip,
    Codec.SNAPPY: _snappy,
    Codec.LZ4: _lz4,
    Codec.ZSTD: _zstd,
}
