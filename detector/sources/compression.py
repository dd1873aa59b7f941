"""One log file as a stream of plain bytes, whatever its name says about compression."""

import gzip
import io
import sys
from typing import BinaryIO

import zstandard

STDIN = "-"
_BUFFER = 1 << 18
# A zstd block of 4 bytes can hold 128 KiB: so much input expands to 32 MiB at the very most.
_ZSTD_INPUT = 1 << 10


class LogFile:
    """An open log file; `.gz` and `.zst` are decompressed, `-` is standard input."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._raw: BinaryIO = sys.stdin.buffer if name == STDIN else open(name, "rb")  # noqa: SIM115 - closed by close()
        self.stream: BinaryIO = self._raw
        if name.lower().endswith(".gz"):
            self.stream = io.BufferedReader(GzipReader(self._raw), _BUFFER)
        elif name.lower().endswith(".zst"):
            self.stream = io.BufferedReader(ZstdReader(self._raw), _BUFFER)

    def bytes_read(self) -> int:
        """How far the file itself, compressed or not, was read; 0 for standard input."""
        return 0 if self.name == STDIN else self._raw.tell()

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self.name != STDIN:
            self._raw.close()


class GzipReader(io.RawIOBase):
    """Decompresses gzip piece by piece, so that what stands before damage is still handed out."""

    def __init__(self, raw: BinaryIO) -> None:
        super().__init__()
        self._gzip = gzip.GzipFile(fileobj=raw)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        """Fill the buffer as far as one piece goes; 0 at the end.

        Raises:
            EOFError: when the file ends within its data.
            gzip.BadGzipFile: when it is not gzip.
        """
        return self._gzip.readinto1(buffer)


class ZstdReader(io.RawIOBase):
    """Decompresses zstd frames with bounded memory and notices when the last one is cut off.

    (`zstandard`'s own stream reader takes the end of a truncated file for the end of its data.)
    """

    def __init__(self, raw: BinaryIO) -> None:
        super().__init__()
        self._raw = raw
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._in_frame = False
        self._compressed = b""
        self._plain = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        """Fill the buffer as far as one piece goes; 0 at the end.

        Raises:
            EOFError: when the file ends within a frame.
            zstandard.ZstdError: when it is not zstd.
        """
        while not self._plain:
            piece = self._compressed or self._raw.read(_ZSTD_INPUT)
            if not piece:
                if self._in_frame:
                    raise EOFError("the file ends within a zstd frame")
                return 0
            self._decompress(piece)
        size = min(len(buffer), len(self._plain))
        buffer[:size] = self._plain[:size]
        self._plain = self._plain[size:]
        return size

    def _decompress(self, piece: bytes) -> None:
        self._plain = memoryview(self._frame.decompress(piece))
        self._in_frame = not self._frame.eof
        self._compressed = b""
        if self._frame.eof:
            self._compressed = self._frame.unused_data
            self._frame = zstandard.ZstdDecompressor().decompressobj()
