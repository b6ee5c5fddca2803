"""One study a paper: what it compares, in which world, and what decides."""
