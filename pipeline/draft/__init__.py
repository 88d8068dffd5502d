"""Drafts of configs: what a model and photos tell, and what can only be guessed."""
