"""One recipe a file; each names its RECIPE."""
