"""Validation of a fixture's folder against its manifest and a trusted reference."""
