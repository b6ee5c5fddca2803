"""What a shop brings of its own: its version folders, its words for values and titles, its table of past listings."""
