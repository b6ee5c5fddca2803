"""Sources of observations on photos and note: one file each, each answering with observations and judging nothing."""
