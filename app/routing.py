"""Base of all routers: the services, who asks, the shape of bodies, and what each status of an error means."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.convertors import StringConvertor, register_url_convertor

from app.accounts.authentication import request_seller
from app.accounts.sellers import Seller
from app.market.orders import Order
from app.services import Services
from app.views import AppError


class Body(BaseModel):
    """A body of a request or an answer; what it does not name is refused."""

    model_config = ConfigDict(extra="forbid")


class ErrorDetail(Body):
    """What went wrong."""

    code: str = Field(description="A short name for programs.")
    message: str = Field(description="One sentence for people.")


class ErrorBody(Body):
    """Every answer that is not a success."""

    error: ErrorDetail


_MEANINGS = {
    400: "The request cannot be read.",
    401: "No valid token or sign-in.",
    403: "It is for somebody else, or the request came from another site.",
    404: "It does not exist, or it is somebody else's.",
    408: "The request did not arrive in time.",
    409: "It is not in the right state for this, or it was changed elsewhere; the message says which.",
    413: "The request is too large.",
    422: "What was given cannot be used; the message says why.",
    429: "Too many drafts or requests are waiting; see Retry-After.",
    503: "The store is busy or does not answer (see Retry-After), or the model failed.",
    507: "The disk is full or read-only; nothing was saved.",
}
ERRORS: dict[int | str, dict[str, Any]] = {s: {"model": ErrorBody, "description": t} for s, t in _MEANINGS.items()}


def services_of(request: Request) -> Services:
    """The services of the app that answers."""
    services: Services = request.app.state.services
    return services


def is_operator(services: Services, name: str | None) -> bool:
    """True for the one person of the single-user mode, and for whom the account says so."""
    account = None if services.sellers.single or name is None else services.sellers.account(name)
    return services.sellers.single or (account is not None and account.operator)


def operator(request: Request) -> Services:
    """The services, for an operator; AppError for who is not signed in (401), or is none (403)."""
    services, seller = services_of(request), request_seller(request)
    if not is_operator(services, seller.name):
        raise AppError("no_operator", "This is for operators; ./ipl accounts add NAME --operator makes one.", 403)
    return services


def place_order(services: Services, buyer: str, listing_id: str, key: str, page_id: str = "", **quoted: Any) -> Order:
    """``Orders.buy``, counted by how it ended."""
    try:
        order = services.orders.buy(buyer, listing_id, key, page_id, **quoted)
    except AppError as error:
        services.metrics.orders.labels(error.code).inc()
        raise
    services.metrics.orders.labels("bought").inc()
    return order


def one_of(name: str, words: Iterable[str]) -> str:
    """The type ``name`` of a part of a path, which is one of these words; any other address stays one of nothing."""
    kind = type(name, (StringConvertor,), {"regex": "|".join(map(re.escape, words))})
    register_url_convertor(name, kind())
    return name


Deps = Annotated[Services, Depends(services_of)]
Operator = Annotated[Services, Depends(operator)]
Who = Annotated[Seller, Depends(request_seller)]
Id = Annotated[str, Path(max_length=64)]
