"""Bytes on disk: digests, atomic writes, the content-addressed store and the action records."""
