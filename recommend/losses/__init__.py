"""Losses: on rows, lists, pairs, teachers."""
