"""The calendar of promotions in the REST API, for operators."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import Field

from app.market.promotions import MAX_DAYS, Promotion, today
from app.routing import ERRORS, Body, Operator

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


class PromotionWish(Body):
    """Days of a promotion, in UTC."""

    name: str = Field(max_length=64)
    first_day: date
    days: int = Field(ge=1, le=MAX_DAYS)


class PromotionBody(PromotionWish):
    """A promotion of the calendar."""

    id: int
    last_day: date
    state: Literal["over", "on", "to come"]


class PromotionsBody(Body):
    """The calendar, the earliest first."""

    promotions: list[PromotionBody]


v1_promotions = APIRouter(prefix="/v1", tags=["promotions"], responses=ERRORS)


@v1_promotions.get("/promotions")
def promotions(services: Operator) -> PromotionsBody:
    """All promotions that are declared."""
    return PromotionsBody(promotions=[_body(p) for p in services.promotions.calendar().promotions])


@v1_promotions.post("/promotions", status_code=201)
def declare(services: Operator, wish: PromotionWish) -> PromotionBody:
    """Declare a promotion. Past ones may be declared as well: their days are what a copy is made from."""
    return _body(services.promotions.declare(wish.name, wish.first_day, wish.days))


@v1_promotions.delete("/promotions/{number}", status_code=204)
def withdraw(services: Operator, number: Number) -> None:
    """Take a promotion off the calendar."""
    services.promotions.withdraw(number)


def _body(promotion: Promotion) -> PromotionBody:
    return PromotionBody(
        id=promotion.id,
        name=promotion.name,
        first_day=promotion.first_day,
        days=promotion.days,
        last_day=promotion.last_day,
        state=promotion.state(today()),
    )
