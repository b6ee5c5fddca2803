"""Files to clean photos: formats, limits, no metadata; perceptual hash, quality."""
