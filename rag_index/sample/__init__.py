"""The sample index source: listings of real garments without photos and prices (see README.md)."""
