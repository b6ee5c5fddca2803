"""The one base of all errors, the command's name, and what an error's sentence advises.

All come from ``rag_index``, the lowest package, which may not import this one.
"""

from __future__ import annotations

from rag_index.errors import PROGRAM, IplError, did_you_mean

__all__ = ["EVERYTHING", "PROGRAM", "IplError", "did_you_mean"]

# What brings the packages that a bare ``pip install .`` leaves out.
EVERYTHING = "pip install '.[serve,tune,feed]' in a copy of the repository"
