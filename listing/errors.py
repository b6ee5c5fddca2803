"""The one base of all errors. It is defined in ``rag_index``, the lowest package, which may not import this one."""

from __future__ import annotations

from rag_index import IplError

__all__ = ["IplError"]
