"""Models and the frozen references that judge their traffic."""

from collections.abc import Sequence
from http import HTTPStatus
from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from detector.api import examples
from detector.api.auth import Requires
from detector.api.dependencies import Deps
from detector.api.inputs import Identifier, OnlyFilters, Required
from detector.api.keys import Permission
from detector.api.schemas import ModelListOut, ModelOut, ReferenceListOut, ReferenceOut
from detector.events.model import ModelKey
from detector.pipeline.ports import ReferenceInfo, ReferenceStatus

router = APIRouter(
    prefix="/api/v1",
    tags=["references"],
    dependencies=[Depends(Requires(Permission.MODELS_READ))],
)
activation_router = APIRouter(
    prefix="/api/v1/references",
    tags=["references"],
    dependencies=[Depends(Requires(Permission.REFERENCES_WRITE))],
)
ModelId = Annotated[Required, Query(description="As the log names the model.")]
TenantId = Annotated[Identifier, Query(description="Empty where there are no tenants.")]


@router.get(
    "/models",
    summary="List models",
    responses=examples.shown(examples.MODELS),
    dependencies=[Depends(OnlyFilters())],
)
def list_models(deps: Deps) -> ModelListOut:
    """Return the models that have a reference; a model still learning its first has none."""
    with deps.store.transaction() as transaction:
        references = transaction.references.list()
    ordered = sorted(references, key=lambda reference: reference.model)
    grouped = groupby(ordered, key=lambda reference: reference.model)
    return ModelListOut(items=tuple(_model(key, list(group)) for key, group in grouped))


@router.get(
    "/references",
    summary="List references",
    responses=examples.shown(examples.REFERENCES),
    dependencies=[Depends(OnlyFilters("model_id", "tenant_id"))],
)
def list_references(
    deps: Deps,
    model_id: Annotated[Required | None, Query(description="Only this model's.")] = None,
    tenant_id: TenantId = "",
) -> ReferenceListOut:
    """Return all references, or one model's, newest version first."""
    model = None if model_id is None else ModelKey(tenant_id, model_id)
    with deps.store.transaction() as transaction:
        references = transaction.references.list(model)
    return ReferenceListOut(items=tuple(ReferenceOut.model_validate(r) for r in references))


@activation_router.post(
    "/{version}/activate",
    summary="Activate a reference",
    responses=examples.shown(examples.REFERENCE, HTTPStatus.NOT_FOUND),
    dependencies=[Depends(OnlyFilters("model_id", "tenant_id"))],
)
def activate_reference(
    deps: Deps,
    version: Annotated[int, Path(ge=1, le=2**31 - 1, description="The model's version.")],
    model_id: ModelId,
    tenant_id: TenantId = "",
) -> ReferenceOut:
    """Put that version of the model's reference in force in place of the present one."""
    with deps.store.transaction() as transaction:
        active = transaction.references.activate(ModelKey(tenant_id, model_id), version)
    return ReferenceOut.model_validate(active)


def _model(key: ModelKey, references: Sequence[ReferenceInfo]) -> ModelOut:
    active = [r.version for r in references if r.status is ReferenceStatus.ACTIVE]
    return ModelOut(
        tenant_id=key.tenant_id,
        model_id=key.model_id,
        active_version=active[0] if active else None,
        versions=len(references),
    )
