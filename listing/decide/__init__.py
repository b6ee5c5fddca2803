"""From observations to a decision: pure functions, which open no photo, model or file."""
