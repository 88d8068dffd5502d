"""Architectures for published state dicts, with matching parameter names."""
