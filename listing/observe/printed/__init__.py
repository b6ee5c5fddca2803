"""What is printed on the thing or on its labels: reading it, and the brand, size and composition that it states."""
