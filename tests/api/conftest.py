"""The API on a loopback port, served by uvicorn over a real SQLite database."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from detector.api.app import create_app
from detector.api.dependencies import ApiDependencies
from detector.incidents.model import Incident
from detector.pipeline.ports import Store
from detector.pipeline.triage import Triage, TriagePolicy
from detector.storage.store import open_store
from tests.fakes.clock import SetClock
from tests.fakes.database import migrated_url
from tests.fakes.findings import finding


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Run the application in a thread and yield its base URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@dataclass
class House:
    """A database and the applications that a test starts over it."""

    store: Store
    stack: ExitStack
    clock: SetClock = field(default_factory=SetClock)

    def dependencies(self, **changes: object) -> ApiDependencies:
        plain = ApiDependencies(self.store, self.clock, CollectorRegistry())
        return replace(plain, **changes)  # type: ignore[arg-type]

    def client(self, key: str | None = None, **changes: object) -> httpx.Client:
        url = self.stack.enter_context(serving(create_app(self.dependencies(**changes))))
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        client = httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=30)
        return self.stack.enter_context(client)

    def open_incident(self, client_id: str = "key-4711", **changes: object) -> Incident:
        with self.store.transaction() as transaction:
            triage = Triage(TriagePolicy(), self.clock)
            return triage.apply(transaction, [finding(client_id, **changes)])[0].incident


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    store = open_store(migrated_url(tmp_path))
    with ExitStack() as stack:
        stack.callback(store.close)
        yield House(store, stack)


@pytest.fixture
def client(house: House) -> httpx.Client:
    """A client of a keyless API."""
    return house.client()


@pytest.fixture
def problem() -> Callable[[httpx.Response, int], str]:
    """A function that checks a problem document of a status and returns its detail."""

    def check(response: httpx.Response, status: int) -> str:
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/problem+json"
        document = response.json()
        assert document["status"] == status
        assert document["type"] == "about:blank"
        assert document["title"]
        return str(document["detail"])

    return check
