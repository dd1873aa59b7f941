"""Errors as RFC 9457 problem documents, one handler for each kind of error."""

import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from detector.kit.errors import (
    ConfigurationError,
    ConflictError,
    NotFoundError,
    RecoverableError,
)

DOCUMENT = "/api/v1/openapi.json"
MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger(__name__)


class FieldError(BaseModel):
    """One thing that is wrong with a request."""

    location: str = Field(description="Where, such as `body.verdict` or `query.limit`.")
    message: str = Field(description="What is wrong with it.")


class ProblemOut(BaseModel):
    """An error, as RFC 9457 describes it."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(default="about:blank", description="Always `about:blank`.")
    title: str = Field(description="The status's name.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What went wrong, for a person.")
    errors: list[FieldError] = Field(default=[], description="Offending fields of the request.")


class Problem(Exception):  # noqa: N818  (a problem is RFC 9457's word)
    """An error that has an HTTP status of its own."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        """Keep the status, the sentence and further headers of the answer."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers


def problem_response(
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    errors: list[FieldError] | None = None,
) -> JSONResponse:
    """Return the answer that tells a problem."""
    title = HTTPStatus(status).phrase
    document = ProblemOut(title=title, status=status, detail=detail, errors=errors or [])
    return JSONResponse(
        document.model_dump(exclude_defaults=False), status, dict(headers or {}), MEDIA_TYPE
    )


def install(app: FastAPI) -> None:
    """Answer every error of the application with a problem document."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(NotFoundError, _not_found)
    app.add_exception_handler(ConflictError, _conflict)
    app.add_exception_handler(ConfigurationError, _unusable)
    app.add_exception_handler(RecoverableError, _unavailable)
    app.add_exception_handler(Exception, _internal)


async def _problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)  # noqa: S101  (narrows the type)
    return problem_response(error.status, error.detail, error.headers)


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  (narrows the type)
    detail = str(error.detail)
    if error.status_code == HTTPStatus.NOT_FOUND:  # of a path; what a path names has its own
        detail = f"there is nothing at this path; what there is: {DOCUMENT}"
    return problem_response(error.status_code, detail, error.headers)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  (narrows the type)
    # The offending input is left out: it may hold what should not be echoed or logged.
    errors = [
        FieldError(location=".".join(str(part) for part in item["loc"]), message=item["msg"])
        for item in error.errors()[:20]
    ]
    detail = "; ".join(f"{item.location}: {item.message}" for item in errors)
    unreadable = any(item["type"] == "json_invalid" for item in error.errors())
    status = HTTPStatus.BAD_REQUEST if unreadable else HTTPStatus.UNPROCESSABLE_ENTITY
    return problem_response(status, detail, errors=errors)


async def _not_found(_: Request, error: Exception) -> JSONResponse:
    return problem_response(HTTPStatus.NOT_FOUND, str(error))


async def _conflict(_: Request, error: Exception) -> JSONResponse:
    return problem_response(HTTPStatus.CONFLICT, str(error))


async def _unusable(_: Request, error: Exception) -> JSONResponse:
    return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))


async def _unavailable(request: Request, error: Exception) -> JSONResponse:
    _log.warning("%s %s: %s", request.method, request.url.path, error)
    return problem_response(
        HTTPStatus.SERVICE_UNAVAILABLE, "the database does not answer", {"Retry-After": "5"}
    )


async def _internal(request: Request, error: Exception) -> JSONResponse:
    # The server logs the traceback; the caller learns nothing of the inside.
    _log.error("%s %s failed: %s", request.method, request.url.path, type(error).__name__)
    return problem_response(
        HTTPStatus.INTERNAL_SERVER_ERROR, "the request could not be handled; see the server's log"
    )
