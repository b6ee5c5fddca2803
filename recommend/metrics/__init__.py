"""Measures of rankings and probabilities; arrays in, numbers out."""
