"""Models, one file a paper."""
