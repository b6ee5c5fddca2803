"""Export of the operator's tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from fastapi import APIRouter
from fastapi.responses import JSONResponse, RedirectResponse, Response

from app.ops import numbers
from app.ops.drift import drift_by_feature
from app.ops.impressions import impressions
from app.ops.table import Table
from app.routing import Operator
from app.services import Services
from app.views import AppError

TABLES: dict[str, Callable[[Services], Table]] = {
    "new-listings": lambda s: numbers.new_listings(s.store),
    "reviews": lambda s: numbers.review_queue(s.reviews),
    "model-health": lambda s: numbers.model_health(impressions(s.store)),
    "drift-by-feature": lambda s: drift_by_feature(s.store, s.feed),
    "models": lambda s: numbers.models(s.feed),
    "promotions": lambda s: numbers.promotions(s.feed, s.promotions.calendar()),
    "model-events": lambda s: numbers.model_events(s.feed),
    "assistant": lambda s: numbers.assistant(s.store),
}
ops = APIRouter(prefix="/ops", include_in_schema=False)


@ops.get("")
def front() -> RedirectResponse:
    """The page's name without its last slash leads to the page."""
    return RedirectResponse("/ops/")


@ops.get("/export/{name}.{kind}")
def export(services: Operator, name: str, kind: str) -> Response:
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
