"""Inspect a model's inputs and outputs before it is converted."""
