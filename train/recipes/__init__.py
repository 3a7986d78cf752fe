"""Recipes: what is trained and how."""
