"""Digests, atomic writes, the content-addressed object store and the action records."""
