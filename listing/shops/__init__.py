"""A shop's files: its version folders, its words for values and titles, its table of past listings."""
