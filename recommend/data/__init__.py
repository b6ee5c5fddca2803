"""Logs: their schema, readers, the import of anybody's, splits."""
