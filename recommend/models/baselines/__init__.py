"""Models that the papers' are compared with and built on, one file a model or two of a kind."""
