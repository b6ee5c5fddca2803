"""Print on the item and on its labels: reading it, and the brand, size and composition that it states."""
