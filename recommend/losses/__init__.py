"""Losses: on rows, pairs, lists, teachers."""
