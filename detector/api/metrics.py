"""Prometheus metrics of the API and of what the store knows; labels never name clients."""

from collections.abc import Iterable, Iterator
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from detector.kit.errors import QuerywatchError
from detector.pipeline.ports import Store

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


class RequestMetrics:
    """Middleware that counts requests by route template and class of status."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        """Wrap `app` and register the metrics."""
        self._app = app
        self._requests = Counter(
            "querywatch_api_requests",
            "Requests by method, route and class of status.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "querywatch_api_request_seconds",
            "Seconds from request to the end of the answer.",
            ["method"],
            buckets=(0.005, 0.025, 0.1, 0.5, 2.5, 10.0),
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def observe(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        begun = perf_counter()
        try:
            await self._app(scope, receive, observe)
        finally:
            self._record(scope, status, perf_counter() - begun)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = getattr(scope.get("route"), "path", "unmatched")
        self._requests.labels(method, route, f"{status // 100}xx").inc()
        self._seconds.labels(method).observe(seconds)


class StoreCollector(Collector):
    """Figures read from the database whenever the metrics are asked for."""

    def __init__(self, store: Store) -> None:
        """Read from `store`."""
        self._store = store

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not read the database."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges, or only that the store is down."""
        up = GaugeMetricFamily("querywatch_store_up", "1 when the database answered.")
        try:
            yield from self._figures()
            up.add_metric([], 1)
        except QuerywatchError:
            up.add_metric([], 0)
        yield up

    def _figures(self) -> list[Metric]:
        with self._store.transaction() as transaction:
            pending = transaction.outbox.pending()
            letters = transaction.dead_letters.counts()
        outbox = GaugeMetricFamily(
            "querywatch_outbox_pending", "Notifications that wait for delivery."
        )
        outbox.add_metric([], pending)
        dead = GaugeMetricFamily(
            "querywatch_dead_letters", "Stored dead letters by reason.", labels=["reason"]
        )
        for reason, count in sorted(letters.items()):
            dead.add_metric([reason], count)
        return [outbox, dead]
