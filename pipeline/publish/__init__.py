"""Publish, fetch and validate fixtures."""
