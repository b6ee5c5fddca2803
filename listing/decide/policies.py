"""What holds of an attribute beyond its words: ``policies.yaml``, whose head explains the keys."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict


class Against(BaseModel):
    """Which details exclude a fact."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: frozenset[str] = frozenset()
    details: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    seller: bool = False
    beside: frozenset[str] = frozenset()


class Policy(BaseModel):
    """One row."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weight: float = 1.0
    needed: bool = False
    short: bool = False
    single: bool = False
    unnamed: bool = False
    anything: bool = False
    stated: bool = False
    says: dict[str, str] = {}
    against: Against | None = None


_NONE = Policy()


@lru_cache(maxsize=1)
def _policies() -> dict[str, Policy]:
    raw = yaml.safe_load(Path(__file__).with_name("policies.yaml").read_text(encoding="utf-8"))
    return {name: Policy.model_validate(row) for name, row in raw.items()}


def policy(attribute: str) -> Policy:
    """The row of an attribute."""
    return _policies().get(attribute, _NONE)


# What only the seller can say: it is said where they do, in this order.
SELLER_ONLY = tuple(name for name, row in _policies().items() if row.stated)
