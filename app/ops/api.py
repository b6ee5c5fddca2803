"""Export of the operator's tables, and who may open the operator's pages."""

from __future__ import annotations

import csv
import io
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from app.accounts.authentication import request_seller
from app.ops.numbers import TABLES
from app.services import Services
from app.views import AppError

ops = APIRouter(prefix="/ops", include_in_schema=False)


def operator(request: Request) -> Services:
    """The services, for an operator.

    Raises:
        AppError: not signed in (401), or no operator (403).
    """
    services: Services = request.app.state.services
    seller = request_seller(request)
    if not is_operator(services, seller.name):
        raise AppError("no_operator", "This page is for operators; IPL_OPERATORS names them.", 403)
    return services


def is_operator(services: Services, name: str | None) -> bool:
    """In the single-user mode the one person; else whoever IPL_OPERATORS names."""
    named = {n.strip() for n in services.settings.operators.split(",") if n.strip()}
    return services.sellers.single or (name is not None and name in named)


@ops.get("")
def front() -> RedirectResponse:
    """The page's name without its last slash leads to the page."""
    return RedirectResponse("/ops/")


@ops.get("/export/{name}.{kind}")
def export(services: Annotated[Services, Depends(operator)], name: str, kind: str) -> Response:
    """A table as CSV or JSON."""
    if name not in TABLES or kind not in ("csv", "json"):
        raise AppError(
            "not_found", f"There is no such table; there are {', '.join(TABLES)}, each as .csv and .json.", 404
        )
    table = TABLES[name](services)
    if kind == "json":
        return JSONResponse([dict(zip(table.headers, row, strict=True)) for row in table.rows])
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(table.headers)
    writer.writerows([[_plain(cell) for cell in row] for row in table.rows])
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _plain(cell: object) -> object:
    """A title that a spreadsheet would take for a formula stays a title."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r" else cell
