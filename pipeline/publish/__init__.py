"""Releases of fixtures: what they hold, where they are published, how they are checked."""
