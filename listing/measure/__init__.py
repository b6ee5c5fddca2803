"""A model measured on annotated photos: how far its word is heard beside the other sources."""
