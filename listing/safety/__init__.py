"""What may not be in a listing: goods that are not allowed, contact data, instructions in the words of others."""
