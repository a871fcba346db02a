"""Make, describe and remove knowledges: /v1/knowledge."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Query, Request

from foretell.http.json import Json
from foretell.http.refusal import keyless
from foretell.search.serve.call import Call
from foretell.search.serve.dria.bodies import Contract, Create, Update
from foretell.search.serve.dria.envelope import ANSWERS, dria_router, enveloped
from foretell.search.storage.protocol import About

ContractId = Annotated[str, Query(max_length=200)]
LISTED = ("contract_id", "name", "description", "category")

router = dria_router()


@router.post("/v1/knowledge/index/create", **ANSWERS)
async def create(request: Request, body: Create) -> Json:
    """Make an empty knowledge. With a model that is not known here, it takes only vectors."""
    call = Call(request)

    def run() -> str:
        about = {"category": body.category or "", "description": body.description or ""}
        model = call.dria.meant(body.embedding)
        return call.library.create(call.caller, body.name, model=model, **about).about.contract_id

    return enveloped({"contract_id": await call.write(run)})


@router.get("/v1/knowledge/index/get_model", **ANSWERS)
async def get_model(request: Request, contract_id: ContractId) -> Json:
    """The model that embeds a knowledge."""
    call = Call(request)
    about = await call.search(lambda: call.find(contract_id).about)
    return enveloped({"model": call.dria.shown(about.model)})


@router.get("/v1/knowledge/list", **ANSWERS)
async def every(request: Request) -> Json:
    """List the caller's knowledges."""
    call = Call(request)
    if call.caller is None:
        raise keyless()
    abouts = await call.search(lambda: call.library.visible(call.caller, own=True))
    return enveloped({"contracts": [{field: getattr(about, field) for field in LISTED} for about in abouts]})


@router.get("/v1/knowledge/get_knowledge_base", **ANSWERS)
async def describe(request: Request, contract_id: ContractId) -> Json:
    """Show the description of a knowledge."""
    call = Call(request)
    about = await call.search(lambda: call.find(contract_id).about)
    return enveloped(_described(call, about))


@router.post("/v1/knowledge/index/update", **ANSWERS)
async def update(request: Request, body: Update) -> Json:
    """Change the description of a knowledge."""
    call = Call(request)

    def run() -> About:
        return call.find(body.contract_id, write=True).describe(**body.model_dump(exclude={"contract_id"}))

    return enveloped(_described(call, await call.write(run)))


@router.post("/v1/knowledge/remove", **ANSWERS)
async def remove(request: Request, body: Contract) -> Json:
    """Delete a knowledge for ever."""
    call = Call(request)
    await call.write(lambda: call.library.remove(call.caller, body.contract_id))
    return enveloped({"message": True})


def _described(call: Call, about: About) -> dict[str, Any]:
    """A description. `model` is its name for the clients, and `embedded_by` the model itself."""
    return asdict(about) | {"model": call.dria.shown(about.model), "embedded_by": about.model}
