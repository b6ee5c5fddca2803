"""Training: loop, optimisers, checkpoints, several processes, logs."""
