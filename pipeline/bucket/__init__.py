"""Buckets and other file systems of fsspec."""
