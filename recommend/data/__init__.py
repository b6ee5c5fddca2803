"""Logs: their schema, a simulated world, readers, the import of anybody's, splits."""
