"""Recipes: one claim each, run over paired seeds."""
