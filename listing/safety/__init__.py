"""Contents that no listing may have: goods that are not allowed, contact data, instructions in the words of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag_index.lazy import lazy_names

if TYPE_CHECKING:
    from listing.safety.contacts import find_contacts
    from listing.safety.prohibited_goods import check_goods

__all__ = ["check_goods", "find_contacts"]

__getattr__ = lazy_names(__name__, {"contacts": "find_contacts", "prohibited_goods": "check_goods"})
