"""Search of buyers: what their words mean, how well a listing fits them, one ranked list."""
