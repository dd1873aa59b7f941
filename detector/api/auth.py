"""Who calls and what they may do. A route without a declared permission cannot be installed.

With keys, each call carries `Authorization: Bearer KEY`, and the actor that the timeline records is
the key's name. A caller that speaks for people adds `X-Actor: NAME` and is recorded as
`KEY-NAME/NAME`, so no caller can pass for another key. Without keys (loopback only, see `guard`)
the actor is `X-Actor`, or `local`.
"""

import re
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Header
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from detector.api.dependencies import Deps
from detector.api.keys import RESERVED_NAMES, ApiKey, Permission, find_key
from detector.api.problems import Problem
from detector.kit.errors import ConfigurationError

_MACHINE, _LOCAL = RESERVED_NAMES
_ACTOR = re.compile(r"[^\s/](?:[^\x00-\x1f\x7f/]{0,98}[^\s/])?")
_bearer = HTTPBearer(
    scheme_name="ApiKey", auto_error=False, description="An API key; optional on loopback only."
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
ActorHeader = Annotated[
    str | None,
    Header(alias="X-Actor", max_length=400, description="The person that the caller speaks for."),
]


class Requires:
    """A dependency that admits callers with a permission and yields the actor's name."""

    def __init__(self, permission: Permission) -> None:
        """Demand `permission`."""
        self.permission = permission

    def __call__(self, deps: Deps, credentials: Credentials, x_actor: ActorHeader = None) -> str:
        """Return the actor; raises a 401 or 403 problem."""
        key = _authenticate(deps.keys, credentials)
        if key is not None and self.permission not in key.permissions:
            raise Problem(HTTPStatus.FORBIDDEN, f"the key lacks the permission {self.permission}")
        return _actor(key, x_actor)


def declared_permission(route: APIRoute) -> Permission | None:
    """Return the permission that a route demands, None when it declares none."""
    pending = list(route.dependant.dependencies)
    while pending:
        dependency = pending.pop()
        if isinstance(dependency.call, Requires):
            return dependency.call.permission
        pending.extend(dependency.dependencies)
    return None


def require_declared(route: APIRoute, public_paths: frozenset[str]) -> None:
    """Raise `ConfigurationError` for a route that is neither public nor guarded."""
    if route.path not in public_paths and declared_permission(route) is None:
        raise ConfigurationError(f"route {route.path} declares no permission")


def _authenticate(
    keys: tuple[ApiKey, ...], credentials: HTTPAuthorizationCredentials | None
) -> ApiKey | None:
    if not keys:
        return None
    if credentials is None:
        raise Problem(
            HTTPStatus.UNAUTHORIZED,
            "an API key is required: Authorization: Bearer KEY",
            {"WWW-Authenticate": "Bearer"},
        )
    key = find_key(keys, credentials.credentials)
    if key is None:
        raise Problem(
            HTTPStatus.UNAUTHORIZED,
            "the API key is not valid",
            {"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )
    return key


def _actor(key: ApiKey | None, name: str | None) -> str:
    person = None if name is None else _checked(name)
    if key is None:
        return person or _LOCAL
    return key.name if person is None else f"{key.name}/{person}"


def _checked(header: str) -> str:
    # Header bytes arrive as Latin-1; people's names are sent as UTF-8.
    try:
        name = header.encode("latin-1").decode()
    except UnicodeError:
        name = header
    if not _ACTOR.fullmatch(name) or not name.isprintable() or name.lower() == _MACHINE:
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "X-Actor must be a printable name of up to 100 characters without a slash"
            f" and other than {_MACHINE}",
        )
    return name
