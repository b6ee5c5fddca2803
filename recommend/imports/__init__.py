"""Anybody's log to the tables that training reads: ``maps.py`` says what a file's columns mean, ``tables.py`` cleans
and codes them by DuckDB, ``rows.py`` gives every row its history and draws negatives, ``run.py`` does all of it.
"""
