"""Losses: on rows, pairs, lists, teachers, delayed labels."""
