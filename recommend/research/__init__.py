"""The laboratory: World 2 (``world/``), studies of the papers' methods in it, their results and pages.

It knows all of ``recommend``; nothing of the product knows it but its own commands (``world``, ``study``, ``report``),
and an installed package does not hold it.
"""
