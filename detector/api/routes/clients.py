"""Reading what is known of a client."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from detector.api import examples
from detector.api.auth import Requires
from detector.api.dependencies import Deps
from detector.api.inputs import Identifier, OnlyFilters, Required
from detector.api.keys import Permission
from detector.api.schemas import ClientProfileOut
from detector.events.model import ClientKey
from detector.kit.errors import NotFoundError

router = APIRouter(
    prefix="/api/v1/clients",
    tags=["clients"],
    dependencies=[Depends(Requires(Permission.CLIENTS_READ))],
)


@router.get(
    "/profile",
    summary="Show a client's profile",
    responses=examples.shown(examples.PROFILE, HTTPStatus.NOT_FOUND),
    dependencies=[Depends(OnlyFilters("client_id", "model_id", "tenant_id"))],
)
def show_profile(
    deps: Deps,
    client_id: Annotated[Required, Query(description="As the log names the client.")],
    model_id: Annotated[Required, Query(description="As the log names the model.")],
    tenant_id: Annotated[Identifier, Query(description="Empty where there are no tenants.")] = "",
) -> ClientProfileOut:
    """Return the client's newest stored profile: its features and scores on that model."""
    with deps.store.transaction() as transaction:
        profile = transaction.clients.get(ClientKey(tenant_id, model_id, client_id))
    if profile is None:
        raise NotFoundError("no profile is stored of this client and model")
    return ClientProfileOut.model_validate(profile)
