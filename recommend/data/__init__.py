"""Logs: their schema, a simulated world, readers, loaders of public logs, splits."""
