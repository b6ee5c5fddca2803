"""Title and description: what they may say, written by the model, checked claim by claim, or rendered plainly."""
