"""Networks that speak for a fact: print, pixels, category, brand, labels, past listings."""
