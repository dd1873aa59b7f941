"""A door in front of PostgreSQL's socket that can be shut, as a network would."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import make_url

_PIECE = 1 << 16


class Gate:
    """Forwards connections on a port of 127.0.0.1 to a server's Unix socket while it is open."""

    def __init__(self, database_url: str) -> None:
        parsed = make_url(database_url)
        self._folder = str(parsed.query["host"])
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._open = True
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        through = parsed.set(host="127.0.0.1", port=port, query={})
        self.url = through.render_as_string(hide_password=False)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if not self._open:
                    client.close()
                    continue
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(next(Path(self._folder).glob(".s.PGSQL.*[0-9]"))))
                self._pairs.add((client, server))
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(_PIECE):
                target.sendall(piece)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    @contextmanager
    def shut(self) -> Iterator[None]:
        """Cut every connection and let nobody in for the length of the block."""
        self._open = False
        for pair in tuple(self._pairs):
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()
        try:
            yield
        finally:
            self._open = True

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()
