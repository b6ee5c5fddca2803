"""Calls that are made up from the API's own description: none may be a 5xx, or be answered unlike its schema."""

from __future__ import annotations

import contextlib
import itertools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.services import Services
from app.settings import Settings
from app.web.server import create_app
from tests.fakes import FakeIndex, FakePipeline, jpeg

HEADERS = {"Host": "localhost"}
REAL_ID_SHARE = 0.6
PHOTO_SHARE = 0.5


@dataclass
class Report:
    """calls: answers by operation and status. failures: what must not happen, one sentence each."""

    calls: Counter[tuple[str, int]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.calls.values())


def make_app(home: Path) -> FastAPI:
    """The API on a fresh store, with a pipeline that answers at once."""
    services = Services(Settings(home=home), pipeline=FakePipeline(), index=FakeIndex())
    return create_app(services, page=False)


class ExistingItems:
    """Drafts and listings that exist, so that calls reach further than "not found"."""

    def __init__(self, app: FastAPI, seed: int) -> None:
        self.client = TestClient(app, base_url="http://localhost")
        self.random = random.Random(seed)
        self.ids: dict[str, str] = {}
        self.photo_ids: list[str] = []

    def refresh(self) -> None:
        """A new draft, a new listing, its photo."""
        files = {"photos": jpeg((self.random.randrange(200), 60, 60))}
        answer = self.client.post("/v1/drafts", files=files).json()
        draft, self.photo_ids = answer["id"], [photo["id"] for photo in answer["photos"]]
        sold = self.client.post("/v1/drafts", files=files).json()["id"]
        listing = self.client.post("/v1/listings", json={"draft_id": sold, "price": 10}).json()
        self.ids = {"draft_id": draft, "listing_id": listing["id"], "photo_id": listing["photos"][0]["id"]}

    def put_into(self, case: Any) -> None:
        """Real ids and real photos in a share of the calls."""
        for name in case.path_parameters or {}:
            if name in self.ids and self.random.random() < REAL_ID_SHARE:
                case.path_parameters[name] = self.ids[name]
        body = case.body
        if isinstance(body, dict):
            if isinstance(body.get("draft_id"), str) and self.random.random() < REAL_ID_SHARE:
                body["draft_id"] = self.ids["draft_id"]
            photos = [jpeg()] if case.media_type == "multipart/form-data" else self.photo_ids
            for name, value in (("photos", photos), ("photo", jpeg()), ("category", "Hoodie")):
                if name in body and self.random.random() < PHOTO_SHARE:
                    body[name] = value


def fuzz(app: FastAPI, calls: int, seed: int = 0) -> Report:
    """At least ``calls`` calls, spread over all operations; the same seed makes the same calls."""
    import hypothesis
    import schemathesis
    from schemathesis.generation import GenerationMode

    schema = schemathesis.openapi.from_asgi("/openapi.json", app, headers=HEADERS)
    operations = [result.ok() for result in schema.get_all_operations()]
    report, existing = Report(), ExistingItems(app, seed)
    each = max(1, calls // (len(operations) * 2))
    quiet = hypothesis.settings(
        max_examples=each,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    used = True  # what there is, by a call that may have changed it
    for number in itertools.count():
        if report.total >= calls:
            return report
        chosen = list(itertools.product(operations, modes))
        if calls < len(chosen):  # the short form: what only reads is called once, by turns in either mode
            chosen = [pair for n, pair in enumerate(chosen) if n % 4 in (0, 3) or pair[0].method.upper() != "GET"]
        for operation, mode in chosen:
            try:
                strategy = operation.as_strategy(generation_mode=mode)
            except Exception:  # an operation without any input has nothing to get wrong
                continue
            if used:
                existing.refresh()
            used = operation.method.upper() != "GET"

            check = partial(_check, report, existing, operation)
            with contextlib.suppress(hypothesis.errors.Unsatisfiable):
                hypothesis.seed(f"{seed}-{number}")(quiet(hypothesis.given(case=strategy)(_taking_case(check))))()


def _taking_case(check: Callable[[Any], None]) -> Callable[..., None]:
    def call(case: Any) -> None:
        check(case)

    return call


def _check(report: Report, existing: ExistingItems, operation: Any, case: Any) -> None:
    existing.put_into(case)
    answer = case.call(headers=HEADERS)
    report.calls[operation.label, answer.status_code] += 1
    if answer.status_code >= 500:
        report.failures.append(f"{operation.label} answered {answer.status_code} to {case.as_curl_command()[:500]}")
    try:
        operation.validate_response(answer)
    except Exception as error:
        report.failures.append(f"{operation.label} answered unlike its schema: {str(error)[:300]}")
