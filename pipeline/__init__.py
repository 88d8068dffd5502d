"""Builds, checks and publishes the artifacts that wasi-nn guests and hosts are tested with."""
