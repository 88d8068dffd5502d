"""Drafting of configs: what is read from a model and photos, and what is guessed."""
