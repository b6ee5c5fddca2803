"""Features: what a model reads, how it is encoded, ragged histories."""
