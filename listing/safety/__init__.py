"""Contents that no listing may have: goods that are not allowed, contact data, instructions in the words of others."""
