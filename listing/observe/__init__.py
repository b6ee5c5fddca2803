"""What the photos and the seller say: one file a source, each answering with observations and judging nothing."""
