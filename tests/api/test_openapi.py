"""The OpenAPI document, and that no route stands open or undescribed."""

from functools import cache
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry
from pydantic import TypeAdapter

from detector.api.app import ROUTERS, create_app
from detector.api.auth import Requires, declared_permission, require_declared
from detector.api.dependencies import ApiDependencies
from detector.api.keys import Permission
from detector.api.routes.operations import PUBLIC_PATHS
from detector.kit.clock import SystemClock
from detector.kit.errors import ConfigurationError
from tests.fakes.store import FakeStore

ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]


def dependencies() -> ApiDependencies:
    return ApiDependencies(FakeStore(), SystemClock(), CollectorRegistry())


@cache
def document() -> dict[str, Any]:
    return create_app(dependencies()).openapi()


def method(route: APIRoute) -> str:
    return min(route.methods or ())


def name(route: APIRoute) -> str:
    return f"{method(route)} {route.path}"


def test_every_route_is_walked() -> None:
    assert {route.path for route in ROUTES} == set(document()["paths"])


@pytest.mark.parametrize("route", ROUTES, ids=name)
def test_route_is_described_and_guarded(route: APIRoute) -> None:
    operation = operation_of(route)
    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"]
    for status, answer in operation["responses"].items():
        if status == "413":
            continue
        assert answer["description"]
        for media in answer["content"].values():
            assert "example" in media, f"{status} has no example"
    if route.path in PUBLIC_PATHS:
        assert declared_permission(route) is None
    else:
        assert declared_permission(route) is not None
        assert {"ApiKey": []} in operation["security"]


def operation_of(route: APIRoute) -> dict[str, Any]:
    found: dict[str, Any] = document()["paths"][route.path][method(route).lower()]
    return found


def test_writing_needs_another_permission_than_reading() -> None:
    for route in ROUTES:
        permission = declared_permission(route)
        if permission is not None:
            assert str(permission).endswith(":write") == (method(route) == "POST"), name(route)


@pytest.mark.parametrize(
    "route", [r for r in ROUTES if r.response_model is not None and r.path != "/metrics"], ids=name
)
def test_example_is_what_the_route_answers(route: APIRoute) -> None:
    operation = operation_of(route)
    example = operation["responses"]["200"]["content"]["application/json"]["example"]
    model = TypeAdapter(route.response_model)
    assert model.dump_python(model.validate_python(example), mode="json") == example


def test_undeclared_route_cannot_be_installed() -> None:
    router = APIRouter()

    @router.get("/open")
    def undeclared() -> None: ...

    @router.get("/guarded")
    def declared(
        actor: Annotated[str, Depends(Requires(Permission.INCIDENTS_READ))],
    ) -> None: ...

    opened, guarded = (route for route in router.routes if isinstance(route, APIRoute))
    with pytest.raises(ConfigurationError, match="/open"):
        require_declared(opened, PUBLIC_PATHS)
    require_declared(guarded, PUBLIC_PATHS)


def test_schema_of_problems_is_part_of_the_document() -> None:
    assert {"ProblemOut", "FieldError"} <= set(document()["components"]["schemas"])
    assert document()["components"]["securitySchemes"]["ApiKey"]["scheme"] == "bearer"


def test_every_field_says_what_it_is() -> None:
    """But for those of FastAPI's own, which no route answers with."""
    own = {
        n: s for n, s in document()["components"]["schemas"].items() if n.endswith(("In", "Out"))
    }
    bare = [
        f"{name}.{field}"
        for name, schema in own.items()
        for field, told in schema.get("properties", {}).items()
        if not told.get("description")
    ]
    bare += [
        f"{path} {given['name']}"
        for path, operations in document()["paths"].items()
        for operation in operations.values()
        for given in operation.get("parameters", ())
        if not given.get("description")
    ]
    assert own
    assert bare == []


def test_metrics_ask_for_nothing() -> None:
    metrics = document()["paths"]["/metrics"]["get"]
    assert "parameters" not in metrics
    assert {"401", "403"}.isdisjoint(metrics["responses"])
