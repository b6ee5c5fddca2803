"""The arms of the evaluation: each says of every photo what it would state, by a way of its own."""
