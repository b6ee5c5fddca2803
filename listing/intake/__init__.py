"""Files to clean photos: formats, limits, no metadata; perceptual hash, items of a folder, quality."""
