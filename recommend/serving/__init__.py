"""A trained run at work: rows of a log to a file of scores, rows of a request to scores, and an exported program."""
