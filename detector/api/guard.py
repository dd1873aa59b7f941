"""Checks before anything else sees a request: its size, and where a keyless one comes from."""

from http import HTTPStatus
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from detector.api.keys import is_loopback
from detector.api.problems import problem_response


class BodyLimit:
    """Refuses bodies above a size: at once when announced, else as soon as they grow past it."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        """Wrap `app`."""
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdecimal() and int(announced[:20]) > self._max_bytes:
            refusal = problem_response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._detail())
            await refusal(scope, receive, send)
            return
        await self._app(scope, self._counting(receive), send)

    def _counting(self, receive: Receive) -> Receive:
        received = 0

        async def count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                # FastAPI lets exactly this kind pass while it reads a body.
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._detail())
            return message

        return count

    def _detail(self) -> str:
        return f"a request body may hold at most {self._max_bytes} bytes"


class LoopbackGuard:
    """Keeps a keyless API to programs of this machine.

    A web page that the user visits could otherwise reach it: by a name that is rebound to
    127.0.0.1 (so the Host header must name loopback) or by a plain cross-site request (so an
    Origin must be the API's own, and the browser must not call it cross-site). A peer from
    elsewhere means that the server listens on another address than it was told.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and (objection := _objection(scope)) is not None:
            refusal = problem_response(HTTPStatus.FORBIDDEN, objection)
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _objection(scope: Scope) -> str | None:
    headers = Headers(scope=scope)
    host = headers.get("host", "")
    peer = scope.get("client")
    if peer is not None and not is_loopback(peer[0]):
        return "without an API key only this machine may call"
    if not is_loopback(_hostname(f"//{host}")):
        return "without an API key the Host header must name a loopback address"
    origin = headers.get("origin")
    if origin is not None and origin.lower() != f"{scope['scheme']}://{host}".lower():
        return "without an API key cross-origin requests are refused"
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return "without an API key cross-site requests are refused"
    return None


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
